/*
 * Alignment of barriers over the channels of a chain (S35 to S39): pure
 * bookkeeping, no queues. The caller does not read from a blocked channel, and
 * carries out the events that a call leaves behind, in order.
 *
 * Thread   one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* <cdef> */
enum aligner_event_kind { ALIGNER_TRIGGER = 1 /* take the snapshot, pass the barrier on */, ALIGNER_CANCEL = 2 /* pass a cancel marker on */ };
struct aligner_event { int kind; uint64_t checkpoint; };
struct aligner;
struct aligner *aligner_new(uint32_t channels, bool at_least_once);
void aligner_free(struct aligner *aligner);
void aligner_barrier(struct aligner *aligner, uint32_t channel, uint64_t checkpoint);
void aligner_cancel(struct aligner *aligner, uint64_t checkpoint);
/* The channel has ended: it is never waited for again (S38). */
void aligner_end(struct aligner *aligner, uint32_t channel);
bool aligner_blocked(const struct aligner *aligner, uint32_t channel);
/* The checkpoint being aligned, 0: none. */
uint64_t aligner_pending(const struct aligner *aligner);
/* Take the oldest event; false if there is none. */
bool aligner_next_event(struct aligner *aligner, struct aligner_event *event);
/* </cdef> */
