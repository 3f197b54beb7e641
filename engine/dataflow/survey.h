/*
 * What the workers tell about event time when somebody asks: where each step is, which
 * of its channels holds it back, and of steps that make watermarks the splits they read.
 *
 * Whoever wants to know asks, and each worker writes its part down between two inputs:
 * a job that nobody looks at pays one look at an atomic number for each input. A worker
 * in a long callback answers behind it; until then its part is the one before.
 *
 * Owner    survey_new() allocates, survey_free() frees. The plan must outlive it.
 * Thread   survey_answer(): the worker. The others: any; what they read of the parts
 *          they read between survey_lock() and survey_unlock().
 */
#pragma once

#include "dataflow/plan.h"

struct survey;
struct worker;
struct dataflow;

struct survey_channel {
    int64_t watermark;
    bool idle, ended;
    bool blocked;               /* its barrier has come, those of others have not */
};

struct survey_split {
    uint32_t name_at, name_bytes;
    int64_t watermark, highest; /* highest: TIME_NONE where no record has come */
    uint64_t silent_ms;         /* since its last record, or since it was opened */
    bool idle;
    bool holds;                 /* the step's output waits for it */
};

struct survey_step {
    int64_t watermark;
    bool idle, ended;
    uint64_t since_ns;          /* of the monotonic clock: when the watermark was first seen to be that one */
    int held_input;             /* the channel that holds it back; -1: none does */
    uint32_t held_channel;
    uint32_t split_first, split_count; /* of a step that makes watermarks */
    bool pressed;               /* its chain waits for room downstream */
    uint64_t turn_ns;           /* of the monotonic clock: when its chain was last seen to have been asked for input since */
    bool ahead;                 /* of the slowest source by more than max_drift: its own wait */
    uint64_t aligning;          /* the checkpoint whose barriers its chain waits for, 0: none */
};

/* One instance of a step. */
struct survey_place { uint32_t step, subtask; };

struct survey *survey_new(const struct plan *plan);
void survey_free(struct survey *survey);
/* All workers are to answer; they are woken. Does not wait. */
void survey_ask(struct dataflow *dataflow);
/* Wait until they have, for `limit_ms` at most. */
void survey_wait(struct survey *survey, uint32_t limit_ms);
/* Was this worker asked? Then it answers. */
void survey_answer(struct worker *worker);

void survey_lock(struct survey *survey);
void survey_unlock(struct survey *survey);
const struct survey_step *survey_step(const struct survey *survey, struct survey_place place);
const struct survey_channel *survey_channel(const struct survey *survey, struct survey_place place, int input, uint32_t channel);
const struct survey_split *survey_split(const struct survey *survey, struct survey_place place, uint32_t index);
struct slice survey_split_name(const struct survey *survey, struct survey_place place, uint32_t index);
/* Where what comes by this channel is sent: the step before it, on the worker at the other end. */
struct survey_place survey_sender(const struct survey *survey, struct survey_place place, int input, uint32_t channel);
/* The subtask of a step that is furthest behind: one that is idle only if all others are idle or have ended. False: all have ended. */
bool survey_slowest(const struct survey *survey, uint32_t step, uint32_t *subtask);
/* Does the step act by event time: has it windows, timers, or what waits like them? */
bool survey_is_timed(const struct step *step);
/* The lowest watermark that such steps wait at; where there are none, that is made. WATERMARK_MIN: none, INT64_MAX: all have ended. */
int64_t survey_watermark(const struct survey *survey);
