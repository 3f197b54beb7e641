/*
 * A source, behind a table of functions: connectors implement it two floors up.
 *
 * A *source* is shared by all subtasks of its step: it knows what splits there
 * are. A split is a piece that one subtask reads in order: a file, a range of a
 * file, a stripe of a sequence. A *reader* reads one split and belongs to one
 * subtask. A split has a name that stays the same for ever, since the checkpoint
 * remembers its position under that name.
 *
 * Thread   discover: one at a time (the splits' lock is held); reader_*: the
 *          subtask's thread, many readers at once.
 * Errors   0 or more is success; else a negative code with error_message().
 */
#pragma once

#include "base/buffer.h"
#include "base/options.h"
#include "codec/batch.h"
#include "codec/format.h"

/* <cdef> */
struct source;
struct reader;

enum source_poll {
    SOURCE_MORE = 1,  /* some records were appended, or there is more to read at once */
    SOURCE_IDLE = 2,  /* nothing now; something may come */
    SOURCE_END = 3,   /* this split is read to its end (records may have been appended too) */
};

/* Told when a record cannot be decoded. Answers 0 to go on behind it (skip, dead letter) or a negative code to fail. */
struct bad_record_handler {
    int (*handle)(void *self, const char *where /* "flights.csv:17" */, const struct decode_error *error);
    void *self;
};

struct source_context {
    const char *step_name;
    uint32_t parallelism;
};

struct reader_context {
    uint32_t subtask;
    struct bad_record_handler bad_record;
};

/* Filled by discover(): one call per split that exists now; a name that was told before is ignored. */
struct split_list {
    void (*add)(void *self, struct slice name);
    void *self;
};

struct source_vtab {
    const char *name;                    /* "file": also the constructor's name in Lua */
    const char *help;                    /* one sentence */
    const struct option_spec *options;   /* own options; those of its format are added if has_format */
    bool has_format;
    bool replayable;                     /* false (stdin): a warning is given where checkpoints are on */

    int (*open)(struct source **source, const struct options *options, const struct format_vtab *format, const struct source_context *context);
    /* Tell all splits. Answers 1 if more may appear later (follow), 0 if these are all. */
    int (*discover)(struct source *source, struct split_list *splits);
    /* `position` is empty at the start of a split, else what reader_position() wrote. */
    int (*reader_open)(struct source *source, struct slice split, struct slice position, const struct reader_context *context, struct reader **reader);
    /* Append records to `batch`, which is empty, until it is full or nothing is at hand. Never blocks for longer than a disk read. Answers enum source_poll. */
    int (*poll)(struct reader *reader, struct batch *batch);
    /* The position behind the last record that poll() appended, as opaque bytes, appended to `position`. */
    int (*reader_position)(struct reader *reader, struct buffer *position);
    /* When to poll again after SOURCE_IDLE: milliseconds from now, or a descriptor that becomes readable in *descriptor (else -1). May be NULL: 10 ms. */
    int (*reader_wait)(struct reader *reader, int *descriptor);
    void (*reader_close)(struct reader *reader);
    void (*close)(struct source *source);
    /*
     * A split of the restored checkpoint, finished or not, and its position, which may be empty: one call for each, after open() and
     * before the first discover(), which then must not tell a split under another name of what these cover already. May be NULL.
     */
    int (*restored)(struct source *source, struct slice split, struct slice position);
};
/* </cdef> */
