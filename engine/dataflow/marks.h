/*
 * Event time on its way through a worker: watermarks, idleness and ends travel as
 * marks between the batches of an output. Every step keeps time for each of its
 * inputs over that input's channels (time/valve.h, S12 to S16), and over its inputs
 * (S18d). What comes out of that the step sees first, with all that it emits by it,
 * and then the steps behind it (S6).
 *
 * Thread   the worker.
 */
#pragma once

#include "dataflow/operator.h"

enum mark_kind {
    MARK_WATERMARK = 1, MARK_IDLE = 2, MARK_ACTIVE = 3,
    MARK_END = 4,          /* no more time from this channel */
    MARK_SPLIT = 5,        /* `number`: a split of a source (worker_split()) is read from here on */
    MARK_SPLIT_END = 6,
    MARK_NO_SPLIT = 7,     /* the source has none to read now, but may have later */
};

void marks_open(struct operator *op);
void marks_close(struct operator *op);
/* Take a mark in: what follows from it is pushed as work. */
void marks_receive(struct operator *op, uint32_t input, uint32_t channel, uint32_t kind, int64_t number);
/* Hand a mark to all steps behind. */
void marks_forward(struct operator *op, uint32_t kind, int64_t number);
/* The step emits a mark behind what it emitted so far, on all its outputs. */
void operator_mark(struct operator *op, uint32_t kind, int64_t number);
/* A mark from a ring, or from a channel by hand, to the steps that read it. */
void marks_from_ring(struct operator *op, uint32_t ring, uint32_t kind, int64_t number);
