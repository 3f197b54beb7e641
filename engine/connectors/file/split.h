/*
 * The splits of a file source: which files there are, and into which ranges a
 * large one is cut.
 *
 * A split is called "path#offset", and "path#offset-end" where another one
 * follows in the same file: the name alone says what to read, also after the
 * option `split` was changed. A range has the lines that begin behind its offset
 * (the first range: at 0) up to and with its end.
 */
#pragma once

#include "dataflow/source.h"

#define RANGE_TO_FILE_END UINT64_MAX

struct file_split {
    char *path;              /* of the split's owner: file_split_deinit() frees it */
    uint64_t offset, end;    /* end: RANGE_TO_FILE_END in the last one */
};

int file_split_parse(struct file_split *split, struct slice name);
void file_split_deinit(struct file_split *split);
/* One name for each range of `split_bytes` (0: the whole file is one). */
void file_split_tell(const char *path, uint64_t file_bytes, uint64_t split_bytes, struct split_list *splits);

/* The lines of a plain file that a split has, as a range of bytes [begin, end). */
int file_split_lines(const struct file_split *split, uint64_t *begin, uint64_t *end);

/* Paths in byte order, each once. */
struct file_list {
    char **paths;
    size_t count, capacity;
};
void file_list_init(struct file_list *list);
void file_list_deinit(struct file_list *list);
/* Add what a path or glob names; *found is false where that is nothing. */
int file_list_add(struct file_list *list, const char *pattern, bool *found);
void file_list_append(struct file_list *list, const char *path);
void file_list_sort(struct file_list *list);
/* Of a sorted list. */
bool file_list_has(const struct file_list *list, const char *path);
