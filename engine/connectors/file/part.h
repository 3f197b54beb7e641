/*
 * The parts that the file sink writes: their names, and the folder they lie in.
 *
 *   part-00000000000004d2-0-000007.jsonl          published: what readers see
 *   .part-00000000000004d2-0-000007.jsonl.open    hidden: open, or closed and not committed
 *   .withdrawn-part-00000000000004d2-0-000007.jsonl   was published by a checkpoint that a restore went behind
 *   .published-part-00000000000004d2-0-000007.jsonl   a mark, empty: those before this one are published, or about to be
 *
 * The numbers are run, subtask and counter, so no two parts of a folder ever have
 * the same name. Names of another form belong to someone else.
 *
 * Owner    part_folder_open() opens, part_folder_close() closes.
 * Errors   ERROR_IO and ERROR_FULL, with folder and name.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PART_PREFIX_MAX 64
#define PART_EXTENSION_MAX 16
#define PART_NAME_BYTES 192

enum part_state { PART_HIDDEN, PART_PUBLISHED, PART_WITHDRAWN, PART_MARK };

struct part {
    char prefix[PART_PREFIX_MAX + 1];
    char extension[PART_EXTENSION_MAX + 1];
    uint64_t run;
    uint32_t subtask;
    uint64_t counter;
};

/* 1 to PART_PREFIX_MAX letters, digits and "._-", not beginning with a dot. */
bool part_prefix_valid(const char *prefix);
/* A dot and letters or digits, or nothing. */
bool part_extension_valid(const char *extension);
void part_format(const struct part *part, enum part_state state, char name[PART_NAME_BYTES]);
/* False: not the name of a part. */
bool part_parse(const char *name, struct part *part, enum part_state *state);

struct part_folder {
    int fd;
    char *path;
};

/* Makes the folder and those above it where they are missing. */
int part_folder_open(struct part_folder *folder, const char *path);
void part_folder_close(struct part_folder *folder);
int part_folder_sync(const struct part_folder *folder);
/* -1: there is none in this state. */
int64_t part_bytes(const struct part_folder *folder, const struct part *part, enum part_state state);
/* Give it the name of another state, over what has that name. ERROR_NOT_FOUND where there is none. */
int part_rename(const struct part_folder *folder, const struct part *part, enum part_state from, enum part_state to);
int part_remove(const struct part_folder *folder, const struct part *part, enum part_state state);
/* Leave the mark that the parts of its run and subtask before this one are published: from then on a reader may take them away. */
int part_mark(const struct part_folder *folder, const struct part *part);
/* A descriptor for writing, or negative. */
int part_create(const struct part_folder *folder, const struct part *part);
/* Cut it and make its length durable. */
int part_truncate(const struct part_folder *folder, const struct part *part, enum part_state state, uint64_t bytes);
/* Make a hidden part of the first bytes of another state of the same part, durable. */
int part_copy(const struct part_folder *folder, const struct part *part, enum part_state from, uint64_t bytes);

/* All parts of the folder, in no order. */
struct part_entry {
    struct part part;
    enum part_state state;
};
struct part_list {
    struct part_entry *entries;
    uint64_t count, capacity;
};
int part_list_read(struct part_list *list, const struct part_folder *folder);
void part_list_deinit(struct part_list *list);
