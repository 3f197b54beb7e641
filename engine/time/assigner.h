/*
 * The watermark generator of one assign_timestamps step on one worker.
 *
 * It keeps a channel per source split that is read here, under the split's name;
 * records that do not come straight from a source have one channel, "". A channel
 * counts its records from the split's beginning and makes watermarks at places that
 * depend on the records alone, so that a replay makes them at the same ones. The
 * channels become one output by a valve (time/valve.h).
 *
 *   bounded      highest time - max_out_of_orderness - 1, after every `emit` records,
 *                at the end of a split, before it goes idle and before the end; when
 *                no record comes, also after ASSIGNER_PAUSE_MS of clock
 *   punctuated   what the author's function answered for a record, behind that record;
 *                with `punctuated_alone` (no max_out_of_orderness was given) the first
 *                such answer in a split ends its bounded watermarks
 *
 * A watermark made here is never beyond 2^53: MAX comes with assigner_end() alone.
 *
 * Every function that the comment says it of leaves events: take all of them with
 * assigner_next_event() and carry them out, in order, before the next call.
 *
 * Thread   the worker. The clock is any that does not go back, in milliseconds.
 */
#pragma once

#include "base/buffer.h"
#include "time/valve.h"

#include <stdbool.h>
#include <stdint.h>

/* A source that waits sends what it knows after this much clock. */
#define ASSIGNER_PAUSE_MS 200

/* <cdef> */
struct assigner;

struct assigner_config {
    int64_t max_out_of_orderness;  /* 0 or more */
    bool punctuated_alone;
    int64_t emit;                  /* 1 or more */
    int64_t idle_timeout;          /* above 0; INT64_MAX: never */
    uint32_t subtask, parallelism; /* subtask 0 keeps what no subtask reads */
};

/* NULL: an option is out of range (S17), with error_message(). */
struct assigner *assigner_new(const struct assigner_config *config);
void assigner_free(struct assigner *assigner);

/*
 * A split is read here from now on; its name is copied. One that was restored goes on
 * where it was: its last watermark is sent again before its first record (S9). What
 * this changes comes out with the next assigner_advance() or assigner_clock(), so that
 * all splits that are open can be told first.
 */
uint32_t assigner_channel(struct assigner *assigner, struct slice split, int64_t now_ms);
/* The split is read to its end: its last watermark, and it holds time back no more. Leaves events. */
void assigner_channel_end(struct assigner *assigner, uint32_t channel);
/* No split is open here, and none can be had now, but may later: others need not wait for this one (F3). Leaves events. */
void assigner_without_split(struct assigner *assigner);

/*
 * Take in the records [from, count) of a channel, up to the first place where something
 * leaves: pass the records before the answer on, then the events, then go on from the
 * answer. It is `from` where the channel was idle. `times` have no TIME_NONE;
 * `watermarks` is NULL or has, per record, TIME_NONE or what the function answered
 * (WATERMARK_MIN: nil). Leaves events.
 */
int32_t assigner_advance(struct assigner *assigner, uint32_t channel, const int64_t *times, const int64_t *watermarks,
                         int32_t from, int32_t count, int64_t now_ms);
/* Records until the channel's next bounded watermark: a source may cut its batches there. */
int32_t assigner_room(const struct assigner *assigner, uint32_t channel);

/*
 * The clock: watermarks of sources that wait, and idleness (S17). While back-pressured
 * (or held back by an alignment) the clock stands; tell both its beginning and its end.
 * Call it also when the source begins or ends to wait, and with `waits` only while it
 * does: what comes when its records are merely slow to be processed would depend on how slow.
 * Answers the clock at which it must be called next, INT64_MAX for never. Leaves events.
 */
int64_t assigner_clock(struct assigner *assigner, int64_t now_ms, bool back_pressured, bool waits);

/* All input has ended: the last bounded watermark, then MAX, also where the output is idle (S18, F2). Leaves events. */
void assigner_end(struct assigner *assigner);

/* Take the oldest event; false if there is none. */
bool assigner_next_event(struct assigner *assigner, struct valve_event *event);

/* How a channel stands. Indices begin at 0; false behind the last one. */
struct assigner_view {
    bool open;                     /* else there is nothing more to say */
    struct slice name;             /* until the next call */
    int64_t watermark, highest;    /* highest: TIME_NONE where no record has come */
    uint64_t silent_ms;            /* of the clock since its last record, or since it was opened */
    bool idle;
    bool holds;                    /* the output waits for it */
};
bool assigner_view(const struct assigner *assigner, uint32_t channel, int64_t now_ms, struct assigner_view *view);

/*
 * The state of the step at a barrier, appended: splits that are read here, those that
 * ended here since the restore, and for subtask 0 those that nobody has asked for.
 */
void assigner_snapshot(const struct assigner *assigner, struct buffer *blob);
/*
 * Before the first channel: once per blob, of all old subtasks, since any may read any
 * split. The lowest output of the old ones is sent again before the first record.
 * The state of "" is taken from the subtask of the same number; at another parallelism
 * only if no other one had such records, which come to others now. ERROR_CORRUPT, with
 * nothing taken over: it is no such blob.
 */
int assigner_restore(struct assigner *assigner, struct slice blob);
/* </cdef> */
