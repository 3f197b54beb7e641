/*
 * Watermarks and idleness of several channels made one (S12 to S16): pure
 * bookkeeping. The caller carries out the events that a call leaves behind, in order.
 *
 * The output is the lowest watermark of the channels that are active and have
 * caught up, and only rises. A channel that has ended counts neither in the lowest
 * nor in the highest; MAX comes out when all have ended.
 *
 * Thread   one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* MIN: no watermark yet. INT64_MIN is the engine's "no time" (codec/batch.h). */
#define WATERMARK_MIN (INT64_MIN + 1)

/* <cdef> */
enum valve_event_kind { VALVE_WATERMARK = 1, VALVE_IDLE = 2, VALVE_ACTIVE = 3 };
struct valve_event { int kind; int64_t watermark; };
struct valve;
struct valve *valve_new(uint32_t channels);
void valve_free(struct valve *valve);
void valve_watermark(struct valve *valve, uint32_t channel, int64_t watermark);
void valve_idle(struct valve *valve, uint32_t channel);
/* Also before a record of an idle channel. */
void valve_active(struct valve *valve, uint32_t channel);
void valve_end(struct valve *valve, uint32_t channel);
/* Have all channels ended? */
bool valve_ended(const struct valve *valve);
/* All inputs have ended: MAX, also where there is no channel or the output is idle (F2). */
void valve_finish(struct valve *valve);

/*
 * Channels that come and go. One that is added holds the output where it is until it
 * has caught up; what follows from it comes out with valve_settle(), so that several
 * can be added before. A removed one leaves the lowest and is no finished input: with
 * the last one the output stays as it is, or is idle after valve_pause() until a
 * channel is added (F3). Indices of removed channels are given out again.
 */
uint32_t valve_add(struct valve *valve, int64_t watermark);
void valve_remove(struct valve *valve, uint32_t channel);
void valve_settle(struct valve *valve);
void valve_pause(struct valve *valve);
/* Begin with an output that an earlier run had reached. */
void valve_start(struct valve *valve, int64_t watermark);
/* What came out last, and whether the output is idle. */
int64_t valve_output(const struct valve *valve);
bool valve_is_idle(const struct valve *valve);
/* The channel that the output waits for: of those that are active and have caught up, a lowest one. -1: there is none. */
int valve_holder(const struct valve *valve);
/* How a channel stands. */
void valve_channel(const struct valve *valve, uint32_t channel, int64_t *watermark, bool *idle, bool *ended);

/* Take the oldest event; false if there is none. */
bool valve_next_event(struct valve *valve, struct valve_event *event);
/* </cdef> */
