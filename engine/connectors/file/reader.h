/*
 * Reads one split of a file source: a whole file, plain or compressed, a range
 * of a plain one, or a file that grows. The reader_* functions of its table.
 */
#pragma once

#include "connectors/file/watch.h"
#include "dataflow/source.h"

/* What all readers of a step share. */
struct file_settings {
    const struct format_vtab *format;
    const struct options *options;   /* of the format too */
    struct watch *watch;             /* NULL: the files are not followed */
};

int file_reader_open(const struct file_settings *settings, struct slice split, struct slice position,
                     const struct reader_context *context, struct reader **reader);
int file_reader_poll(struct reader *reader, struct batch *batch);
/* Before any is opened: the files that a position names belong to the split of this path. */
void file_reader_restored(struct watch *watch, const char *path, struct slice position);
int file_reader_position(struct reader *reader, struct buffer *position);
int file_reader_wait(struct reader *reader, int *descriptor);
void file_reader_close(struct reader *reader);
