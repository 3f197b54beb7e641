/*
 * The files that a following source has seen, by identity: so that one which a
 * rotation gave another name that matches too (app.log, app.log.1 of "app.log*") is
 * not read again under that name.
 *
 * Owner    watch_init() on the caller's memory, watch_deinit() frees.
 */
#pragma once

#include "connectors/file/split.h"

struct watched_file;

struct watch {
    struct watched_file *files;   /* of the last look, in order of identity */
    size_t count;
};

void watch_init(struct watch *watch);
void watch_deinit(struct watch *watch);
/* Remember the files of the list, and take out of it those that were seen under another name. */
void watch_update(struct watch *watch, struct file_list *list);
