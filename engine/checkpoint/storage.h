/*
 * Where checkpoints live:
 *
 *   <data>/checkpoints/shared/           files that manifests name, each written once
 *   <data>/checkpoints/chk-<n>/manifest  a completed checkpoint; <n> rises
 *   <data>/checkpoints/chk-<n>.tmp/      one that is being committed
 *   <data>/checkpoints/chk-<n>.del/      one that is being deleted
 *   <data>/checkpoints/chk-<n>.gone/     the newest one, deleted by hand: what it published is newer than what is left
 *
 * A rename is the commit, and a rename ends it. Deleting goes from manifests to the
 * files that none of them names any more, so that a kill at any moment leaves
 * garbage at worst; garbage is removed by storage_clean() at the next start.
 *
 * A checkpoint that cannot be read, or whose files are missing or damaged, is
 * passed over with a warning that says why, and stays for a look at it.
 *
 * Owner    storage_open() allocates, storage_close() frees.
 * Thread   commit, retain, clean, tag and delete: one at a time. The rest: any.
 * Errors   0 or a negative code with error_message().
 */
#pragma once

#include "checkpoint/manifest.h"

/* <cdef> */
struct storage;

/*
 * Keep the checkpoints of a data directory in `directory`, which is made if it is absent (not its parents): before
 * storage_open(). ERROR_REFUSED where either place has checkpoints that are not the other's.
 */
int storage_place(const char *data, const char *directory);
/* The folders are made if they are absent. */
int storage_open(const char *data, struct storage **storage);
void storage_close(struct storage *storage);
/*
 * Keep other processes from changing these checkpoints until storage_close(): a copy of the data directory may
 * lead to the same place. ERROR_REFUSED while another one has them.
 */
int storage_lock(struct storage *storage);
struct storage_path { char text[4096 /* PATH_MAX */]; };
/* Where the file of this name in the shared folder is, or would be. */
struct storage_path storage_shared_path(const struct storage *storage, const char *name);
/* A name that no file of the shared folder ever had: something unique and `suffix` (".delta"). Any thread. */
void storage_new_file_name(struct storage *storage, const char *suffix, char *name, size_t name_bytes);

/*
 * Complete a checkpoint: when this answers 0 it has survived any crash. Its files
 * are in the shared folder, synced; their names are synced here. If it fails, nothing that was
 * committed before has changed (an error in the last sync leaves the new one in place).
 */
int storage_commit(struct storage *storage, const struct manifest *manifest);

struct storage_item {
    uint64_t id;
    struct manifest *manifest;   /* NULL: unreadable, see `reason` */
    int code;                    /* 0 or why it is not restorable: the code and its text */
    char *reason;
};
struct storage_list { uint32_t count; struct storage_item *items; };
/* All checkpoints in rising order; the presence and size of their files are looked at, and with `verify` their contents. */
int storage_list(struct storage *storage, bool verify, struct storage_list *list);
void storage_list_free(struct storage_list *list);

/* ERROR_NOT_FOUND, ERROR_CORRUPT or ERROR_UNSUPPORTED name the checkpoint. Files are not looked at. */
int storage_load(struct storage *storage, uint64_t id, struct manifest **manifest);
/* Are all files of a manifest there with their sizes, and with `verify` whole? */
int storage_check(struct storage *storage, const struct manifest *manifest, bool verify);
/* storage_load() and storage_check() with all contents. */
int storage_verify(struct storage *storage, uint64_t id);
/* The newest that is in order, NULL if there is none; those passed over are warned of. */
int storage_newest_valid(struct storage *storage, bool verify, struct manifest **manifest);
/* The highest number that any checkpoint has, readable or not, or had when it was deleted by hand: a new one's is higher. 0: none. */
uint64_t storage_newest_id(struct storage *storage);
/* The checkpoint that a user means by a number or a tag. */
int storage_find(struct storage *storage, const char *id_or_tag, uint64_t *id);

/*
 * Delete all but the newest `keep` (at least 1) of the checkpoints that are in order and in one line with the newest:
 * its parent, the parent of that, and so on. Tagged and unreadable ones, and those of other lines, which a run that was
 * started over leaves behind, stay and are not counted. Of the shared folder go only files that a deleted manifest
 * named, that no remaining one names, and that are not among the `living` (written since the last
 * commit, or still to be named by the next): nothing newer than the last commit is ever deleted here.
 */
int storage_retain(struct storage *storage, uint32_t keep, const char *const *living, uint32_t living_count);
/* Delete one, also a tagged or damaged one. A run that goes on before the newest one is told so, though it has gone. */
int storage_delete(struct storage *storage, uint64_t id, const char *const *living, uint32_t living_count);
/*
 * Remove what killed processes left: half commits, half deletions, files that no manifest names.
 * To be called before anything new is written. The shared folder is left alone while no checkpoint is
 * in order, or one is there that only a newer engine can read.
 */
int storage_clean(struct storage *storage);
/* A tagged checkpoint is kept. ERROR_EXISTS if another one has the tag; ERROR_ARGUMENT if it would be no tag. */
int storage_tag(struct storage *storage, uint64_t id, const char *tag);

/*
 * Fill in the entries of a ROWS file from the directory that store_checkpoint() made, with their sizes and
 * checksums, all allocated by malloc(), and bring it to the disk. A file that is the same one (a hard
 * link) in the directory `previous`, described by `known` (NULL: none), is not read again.
 */
int storage_describe_rows(const char *path, const char *previous, const struct manifest_file *known, struct manifest_file *file);

/* Names in a directory to the disk. */
int storage_sync_directory(const char *path);
/* The files in a directory, then their names, to the disk. */
int storage_sync_tree(const char *path);
/* Size and XXH3-64 of a plain file. */
int storage_hash_file(const char *path, uint64_t *bytes, uint64_t *checksum);
/* A directory and all that is in it; absence is success. Links are not followed. */
int storage_remove_tree(const char *path);
/* </cdef> */
