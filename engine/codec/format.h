/*
 * A format: bytes to records and back. One table of functions per format, all
 * of them in one list (format.c); what is added there is known to every
 * connector.
 *
 * Thread   a decoder or encoder belongs to one subtask.
 */
#pragma once

#include "base/buffer.h"
#include "codec/batch.h"
#include "base/options.h"

/* <cdef> */
/*
 * Input of a decoder. The caller fills `bytes`; the decoder consumes whole
 * records from the front. What is left over (a torn last line) stays for the
 * caller to complete. At the end of a file the caller sets `at_end`: then a last
 * record without its line end counts.
 */
struct decode_input {
    struct slice bytes;   /* moved forward by the decoder as it consumes; at least 64 readable bytes follow the end */
    bool at_end;
    uint64_t records;     /* records (good and bad) consumed so far; raised by the decoder */
    uint64_t lines;       /* line ends consumed so far; raised by the decoder */
    bool lost;            /* no record can be found before the next file begins; set by the decoder, which then consumes all there is */
};

/* A record that could not be decoded: what and where. */
struct decode_error {
    int code;
    uint64_t line;        /* of the input, from 1: decode_input.lines at its start + 1 */
    struct slice bytes;   /* the offending bytes, into the input */
    const char *message;  /* error_message() at the time */
};

struct decoder;
struct encoder;

struct format_vtab {
    const char *name;
    const struct option_spec *options;

    /* `options` was checked against the specs above. */
    int (*decoder_open)(const struct options *options, struct decoder **decoder);
    /*
     * Append records to `batch` until it is full or no whole record is left.
     * Returns 0, or a negative code for a bad record: it is described in *error, has been
     * consumed, and the call may be repeated to go on behind it. Times are TIME_NONE.
     */
    int (*decode)(struct decoder *decoder, struct decode_input *input, struct batch *batch, struct decode_error *error);
    /*
     * Another file begins: what was kept of the one before it is forgotten, and bytes that begin every file (a CSV header) are
     * consumed. Position after a seek into the middle is told with the first bytes of the file. May be NULL.
     */
    int (*decoder_begin_file)(struct decoder *decoder, struct decode_input *input);
    bool splittable;      /* may a decoder start behind any '\n'? */
    bool has_header;      /* decoder_begin_file consumes something: the reader of a later split reads the file's beginning for it */
    void (*decoder_close)(struct decoder *decoder);

    int (*encoder_open)(const struct options *options, struct encoder **encoder);
    /* What begins every file that is written (a CSV header, once the first record is known); may be NULL. */
    int (*encode_begin_file)(struct encoder *encoder, const struct batch *batch, struct buffer *out);
    /* Append records [from, to) with their line ends. Negative on a record that cannot be written, with *failed its index; `out` then holds those before it. */
    int (*encode)(struct encoder *encoder, const struct batch *batch, int32_t from, int32_t to, struct buffer *out, int32_t *failed);
    void (*encoder_close)(struct encoder *encoder);
    const char *file_extension;   /* ".jsonl" */
    /* Where that follows from the options: may a decoder start behind any '\n'? NULL: as `splittable` says. */
    bool (*can_split)(const struct options *options);
};

/* The format of this name, or NULL. */
const struct format_vtab *format_find(const char *name);
/* All of them, NULL at the end. */
const struct format_vtab *const *format_all(void);
/* </cdef> */

/* What formats share that write each record from itself alone; their encoder is NULL. */
int encoder_open_stateless(const struct options *options, struct encoder **encoder);
void encoder_close_stateless(struct encoder *encoder);
/* format_vtab.encode by a function that appends one record; `bytes` is what the cell's offset counts from. */
int encode_each(const struct batch *batch, int32_t from, int32_t to, struct buffer *out, int32_t *failed,
                int (*write)(struct cell cell, const char *bytes, struct buffer *out));
