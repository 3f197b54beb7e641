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
/* Take the oldest event; false if there is none. */
bool valve_next_event(struct valve *valve, struct valve_event *event);
/* </cdef> */
