/* What the files of the storage share. */
#pragma once

#include "checkpoint/storage.h"

#include <stdatomic.h>

struct storage {
    char *root;                  /* <data>/checkpoints */
    char *shared;
    uint64_t unique;             /* of this opening: part of its file names */
    _Atomic uint32_t names;
    int lock;                    /* a descriptor of root, or -1 */
};

/* "<root>/chk-<id><suffix>", and a file in it if `name` is not NULL. */
struct storage_path storage_checkpoint_path(const struct storage *storage, uint64_t id, const char *suffix, const char *name);
/* Write a manifest's file `name` into a directory, synced with its name. */
int storage_write_manifest(const char *directory, const char *name, const struct manifest *manifest);
/* Call for each entry of a directory until one call answers negative. Entries may be removed meanwhile. */
int storage_each_entry(const char *directory, int (*visit)(void *self, const char *name), void *self);
/* The number in "chk-<n>" with exactly `suffix` behind it; 0: another name. */
uint64_t storage_id_of(const char *name, const char *suffix);
