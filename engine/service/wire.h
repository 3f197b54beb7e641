/*
 * What the supervisor and the engine's process say to each other over a pair
 * of stream sockets: messages of a kind, an id and a payload. Both are the same
 * program (a fork), so payloads begin with a plain struct and go on with
 * texts, each ended by a zero byte. What comes is checked all the same: the
 * other side may have lost its mind before it crashed.
 *
 * Owner    wire_reader: zeroed by the caller, wire_reader_deinit() frees.
 * Thread   one sender and one receiver at a time for each end.
 * Errors   negative with error_message(); ERROR_CORRUPT: the other side talks nonsense.
 */
#pragma once

#include "base/buffer.h"
#include "script/job.h"

enum wire_kind {
    WIRE_CONFIG = 1,  /* child: the script is loaded; struct wire_config, name, data */
    WIRE_GO,          /* parent: run; the data directory */
    WIRE_REQUEST,     /* parent: one line of the control protocol */
    WIRE_REPLY,       /* child: one line of JSON for the request of this id */
    WIRE_REPORT,      /* child: struct wire_report, step of the longest callback; several times a second */
    WIRE_END,         /* child, last: struct wire_end, job_failure(), why the script does not load */
};

struct wire_config {
    struct job_config config;   /* its texts are not valid here: they follow */
    bool has_data;
};

struct wire_report {
    struct job_progress progress;
    uint64_t callback_ms;       /* 0: none runs */
};

/* Beside enum job_end. */
enum { WIRE_END_NOT_LOADED = 100 };

struct wire_end {
    int32_t end;
};

struct wire_message {
    uint32_t kind;
    uint64_t id;
    const char *data;           /* the reader's, until its next receive */
    size_t bytes;
};

/* wire_receive(): nothing has come. */
enum { WIRE_NOTHING = 2 };

struct wire_reader {
    struct buffer bytes;
    size_t taken;
};

/* `flags` as of send(2); with MSG_DONTWAIT a full socket is ERROR_TIMEOUT and nothing was sent. */
int wire_send(int descriptor, enum wire_kind kind, uint64_t id, struct slice payload, int flags);
/* Take in what has come; without MSG_DONTWAIT, wait for something. 1: something came, 0: the other side has gone, or WIRE_NOTHING. */
int wire_receive(int descriptor, struct wire_reader *reader, int flags);
/* The next whole message: 1, or 0 if there is none yet. */
int wire_next(struct wire_reader *reader, struct wire_message *message);
void wire_reader_deinit(struct wire_reader *reader);

/* The fixed part of a payload, copied out; false if it is too short. */
bool wire_fixed(const struct wire_message *message, void *target, size_t bytes);
/* The text at `*offset`, which moves behind it; NULL if none is there. */
const char *wire_text(const struct wire_message *message, size_t *offset);
