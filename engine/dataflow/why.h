/*
 * Why event time stands still, in a sentence: from the step furthest downstream that
 * waits upstream along the channels that hold it back, to where that begins.
 *
 * Thread   any, with the survey locked.
 */
#pragma once

#include "dataflow/survey.h"

/* A step has to have stood for so long before it is said to wait. */
#define WHY_WAITS_MS 1000

/* What the survey does not know. */
struct why_facts {
    int64_t now_ms;            /* since 1970 */
    const char *callback;      /* the step whose callback has run longest; NULL: none runs */
    uint64_t callback_ms;
};

/* Append the sentence, without a line end. True: time moves, or is of no concern, or has ended. */
bool why_append(const struct plan *plan, const struct survey *survey, const struct why_facts *facts, struct buffer *text);
/* What a step waits for, followed upstream: "split 'x' of source 'clicks'", or a step; "" if it has ended or is idle. */
void why_append_holder(const struct plan *plan, const struct survey *survey, struct survey_place place, struct buffer *text);
/* The same of its idle inputs, by commas; "" if there are none. */
void why_append_idle(const struct plan *plan, const struct survey *survey, struct survey_place place, struct buffer *text);
