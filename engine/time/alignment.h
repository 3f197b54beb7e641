/*
 * Watermark alignment (max_drift): the sources of a group publish how far they are, and
 * one that is more than max_drift ahead of the slowest has to pause. Members that are
 * finished or idle do not count (F5); one that has no watermark yet holds the others back
 * as soon as they have one.
 *
 * A member is one subtask of one source. Pausing is no idleness: its clock stands as
 * under back pressure (time/assigner.h). A paused member asks again after a while.
 *
 * Thread   any; each member publishes from one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* <cdef> */
struct alignment;

/* All members count, without a watermark. */
struct alignment *alignment_new(uint32_t members);
void alignment_free(struct alignment *alignment);

/* The member's last watermark; it counts (again). */
void alignment_publish(struct alignment *alignment, uint32_t member, int64_t watermark);
/* The member is idle or finished. */
void alignment_leave(struct alignment *alignment, uint32_t member);
/* Is the member more than `max_drift` (0 to 2^53 ms) ahead, so that it has to pause? One that has left never has to. */
bool alignment_pauses(const struct alignment *alignment, uint32_t member, int64_t max_drift);
/* </cdef> */
