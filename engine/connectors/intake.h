/*
 * Bytes between an input and a decoder: a window that is filled at its end and
 * decoded from its front, with the place of every record in the input. What is
 * common to the sources that read bytes (file, stdin).
 *
 * Owner    intake_open() on the caller's memory, intake_close() frees what it holds.
 * Errors   a record that cannot be decoded goes to the bad-record handler; the window
 *          never holds more than RECORD_BYTES_MAX and one more read.
 */
#pragma once

#include "dataflow/source.h"

struct intake {
    const struct format_vtab *format;
    struct decoder *decoder;
    struct bad_record_handler bad_record;
    char *name;              /* "flights.csv", in messages */
    char *data;
    size_t head, tail;       /* of `data`: what was read and is not decoded */
    size_t capacity;         /* 64 bytes more are there and may be read */
    uint64_t offset;         /* of data[head] in the input */
    uint64_t lines, records; /* before data[head] */
    struct intake_place { uint64_t offset, lines, records; } settled; /* the last place where a record may begin: that of positions */
    bool by_lines;           /* records begin behind line ends only */
    bool lines_known;        /* `lines` counts from the beginning of the input */
    bool lost;               /* as decode_input.lost */
    bool begun;              /* what begins a file (a header) lies behind */
    bool at_end;             /* nothing follows data[tail] */
};

/* May a decoder with these options start behind any line end? */
bool format_can_split(const struct format_vtab *format, const struct options *options);

int intake_open(struct intake *intake, const char *name, const struct format_vtab *format, const struct options *options,
                struct bad_record_handler bad_record);
void intake_close(struct intake *intake);

/* Go on at the beginning of another input. */
void intake_restart(struct intake *intake);
/* Go on at this place of the input, of which nothing was read yet. */
void intake_move(struct intake *intake, const struct intake_place *place);
/* The place to put more bytes, room for *bytes of them (never 0); invalid after the next call. */
char *intake_room(struct intake *intake, size_t *bytes);
/* So many were put there. */
void intake_add(struct intake *intake, size_t bytes);
/* Everything that was read is decoded. */
bool intake_empty(const struct intake *intake);

/* Decode until the batch is full or more bytes are needed: 0, or negative where a bad record is to fail. */
int intake_decode(struct intake *intake, struct batch *batch);

/*
 * The place of the reader in the input as a text of four numbers, and back. `identity`: what the reader knows its input by
 * again. `more`: the numbers that a reader has put behind them, each with a blank before it.
 */
void intake_position(const struct intake *intake, uint64_t identity, struct buffer *position);
int intake_restore(struct intake *intake, struct slice position, uint64_t *identity, struct slice *more);
/* The number at the front of such a text, which is moved behind it; false where there is none. */
bool position_take(struct slice *text, uint64_t *number);
