/*
 * The files that a following source reads or has read, by identity, each with the
 * path of the split that it belongs to: so that one which a rotation gave another
 * name that matches too (app.log, app.log.1 of "app.log*") is not read again under
 * that name, neither as a new file nor by who followed the file that had it before.
 *
 * Where the file system does not tell a file's birth, its identity may be given to
 * another one later: there a file read twice is better than one not read.
 *
 * Owner    watch_init() on the caller's memory, watch_deinit() frees.
 * Thread   any; a lock.
 */
#pragma once

#include "connectors/file/input.h"
#include "connectors/file/split.h"

#include <pthread.h>

struct watched_file;

struct watch {
    pthread_mutex_t lock;
    struct watched_file *files;   /* an open-addressing table */
    size_t size, count;
    uint64_t look;                /* how often the list was looked at */
};

void watch_init(struct watch *watch);
void watch_deinit(struct watch *watch);
/* The file of this identity belongs to the split of this path: what a checkpoint says. */
void watch_restore(struct watch *watch, const char *path, uint64_t identity);
/* Open the file that has this path now, for its split: 1, 0 where it belongs to another, or negative. */
int watch_open(struct watch *watch, const char *path, const struct file_input_vtab *vtab, struct file_input **input);
/* The open file of the split of this path is read to its end, for good: if it grows, it is told that what was added is not read. */
void watch_ended(struct watch *watch, const char *path, int descriptor);
/* The file that has this path now belongs to another split. */
bool watch_is_others(struct watch *watch, const char *path);
/* Take out of the list what belongs to splits of other names. */
void watch_look(struct watch *watch, struct file_list *list);
