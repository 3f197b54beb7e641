/*
 * How a running job is spoken to: a Unix stream socket, `<data>/control.sock`,
 * one line of words for a request ("stop drain"), one line of JSON for its
 * reply: {"ok":true,...} or {"ok":false,"error":"..."}. A client may ask again
 * on the same connection once it has its reply.
 *
 * The supervisor owns the socket and polls it: nothing here ever blocks, a
 * client that does not read or never ends its line costs one of CONTROL_CLIENTS_MAX
 * places, and the one that has idled longest loses it to a newcomer.
 *
 * Owner    control_open() allocates, control_close() frees.
 * Thread   the supervisor's only thread.
 * Errors   negative with error_message().
 */
#pragma once

#include "base/buffer.h"

#include <stdbool.h>
#include <poll.h>

#define CONTROL_CLIENTS_MAX 32u
#define CONTROL_POLL_MAX (CONTROL_CLIENTS_MAX + 1)
#define CONTROL_LINE_BYTES_MAX 4096u

struct control;

/* What a client waits for. */
enum control_wait { CONTROL_NOTHING, CONTROL_ANSWER /* of the running attempt */, CONTROL_END /* of the job */ };

struct control_handler {
    /* One request. Answers with control_reply(), at once or, after control_wait(), later. */
    void (*request)(void *self, uint64_t client, const char *line);
    void *self;
};

int control_open(const char *data, const struct control_handler *handler, struct control **control);
/* Without a word to anybody, and the socket's name stays: also for a forked child, to let go. NULL is allowed, also below. */
void control_close(struct control *control);
/* No new clients from now on, and the socket is gone: the data directory may be given up. */
void control_unlink(struct control *control);

/* Which descriptors to wait for; answers how many, at most CONTROL_POLL_MAX. */
uint32_t control_poll_fill(struct control *control, struct pollfd *wait);
/* Serve what poll() found; `wait` as it was filled. */
void control_poll_serve(struct control *control, const struct pollfd *wait, uint32_t count);

/* A client that has gone is not an error. `deadline_ms` 0: none. */
void control_wait(struct control *control, uint64_t client, enum control_wait wait, uint64_t deadline_ms);
void control_reply(struct control *control, uint64_t client, struct slice json);
void control_reply_error(struct control *control, uint64_t client, const char *text);
/* The same reply to all who wait for this. */
void control_reply_all(struct control *control, enum control_wait wait, struct slice json);
/* An error for those whose deadline has passed. */
void control_expire(struct control *control, uint64_t now_ms);
/* Send what is left, for at most `limit_ms`. */
void control_flush(struct control *control, uint32_t limit_ms);
