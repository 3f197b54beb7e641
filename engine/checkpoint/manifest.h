/*
 * What one checkpoint consists of: who took it, which columns its rows have,
 * which files hold them, and what every subtask of every step added.
 *
 * On disk it is msgpack in an envelope (magic, version, length, checksum). A
 * reader trusts nothing: sizes, counts, names and numbers are checked, and a
 * writer is held to the same checks.
 *
 * Owner    manifest_new() and manifest_read() allocate, manifest_free() frees;
 *          all texts and bytes are copied in and belong to the manifest.
 * Thread   one at a time.
 * Errors   0 or a negative code; ERROR_CORRUPT for what is damaged, ERROR_UNSUPPORTED
 *          for what is whole but of another format version.
 */
#pragma once

#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

#define MANIFEST_VERSION 1
#define MANIFEST_BYTES_MAX (1u << 30)
#define MANIFEST_PARALLELISM_MAX 32768
#define MANIFEST_LAST "last"

/* <cdef> */
enum manifest_file_kind {
    MANIFEST_DELTA = 1,   /* a journal: what changed in the epochs */
    MANIFEST_DUMP = 2,    /* a journal: all rows */
    MANIFEST_ROWS = 3,    /* a directory made by store_checkpoint() */
};

struct manifest_head {
    uint64_t id;
    uint64_t parent;               /* the checkpoint that the run was restored from or took before; 0: none */
    uint64_t run;
    int64_t time_ms;
    uint32_t parallelism;
    uint32_t max_parallelism;
    const char *engine_version;
    const char *job;
    const char *mode;              /* "exactly_once" or "at_least_once" */
    const char *script;            /* hash of the script */
};

struct manifest_column {
    const char *step;
    const char *state;             /* "": the key rows, in which value states lie */
    const char *kind;              /* MANIFEST_LAST: of no state, see restore.c */
    uint16_t column;
    uint32_t format_version;       /* of a state: the version of its values, as the job's author counts them */
};

/* A file inside a directory of rows. */
struct manifest_entry {
    const char *name;
    uint64_t bytes;
    uint64_t checksum;             /* XXH3-64 of the file; 0: not known */
};

struct manifest_file {
    const char *name;              /* in the shared folder: no '/' */
    uint32_t kind;                 /* enum manifest_file_kind */
    uint64_t bytes;                /* of the file, or of all entries */
    uint64_t checksum;             /* as journal_seal() answered; 0 for rows */
    uint64_t epoch_first, epoch_last;
    uint32_t entry_count;          /* 0 unless rows */
    struct manifest_entry *entries;
};

/* What a subtask of a step put into the checkpoint: positions, committables, operator state. */
struct manifest_part {
    const char *step;
    const char *kind;
    uint32_t subtask;
    uint32_t parallelism;          /* of the step when it was taken */
    struct slice bytes;
};

struct manifest {
    uint32_t format_version;
    struct manifest_head head;
    uint32_t tag_count, column_count, file_count, part_count;
    const char **tags;
    struct manifest_column *columns;
    struct manifest_file *files;
    struct manifest_part *parts;
    uint32_t owned_count;
    void **owned;                  /* every text and blob above */
};

struct manifest *manifest_new(const struct manifest_head *head);
void manifest_free(struct manifest *manifest);   /* NULL is allowed */
void manifest_add_tag(struct manifest *manifest, const char *tag);
bool manifest_has_tag(const struct manifest *manifest, const char *tag);
void manifest_add_column(struct manifest *manifest, const struct manifest_column *column);
/* Entries of `file` are not taken over: manifest_add_entry() adds them to the file added last, and its bytes to the file's. */
void manifest_add_file(struct manifest *manifest, const struct manifest_file *file);
void manifest_add_entry(struct manifest *manifest, const struct manifest_entry *entry);
void manifest_add_part(struct manifest *manifest, const struct manifest_part *part);

/* Is everything in it in order? What manifest_write() refuses to write and manifest_read() refuses to read. */
int manifest_check(const struct manifest *manifest);
/* Append the bytes of its file. */
int manifest_write(const struct manifest *manifest, struct buffer *out);
int manifest_read(struct slice bytes, struct manifest **manifest);
/* </cdef> */

/* May a file be called this? Letters, digits, '.', '-' and '_', not beginning with a dot. */
bool manifest_name_allowed(const char *name);
