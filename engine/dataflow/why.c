#include "dataflow/why.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "codec/batch.h"
#include "time/instant.h"

#include <stdlib.h>

struct why {
    const struct plan *plan;
    const struct survey *survey;
    struct buffer *text;
};

/* An exchange has the name of the author's step that it belongs to, and an ending. */
static struct slice name_of(const struct why *why, struct survey_place place)
{
    const struct step *step = &why->plan->steps[place.step];
    const char *ending = step->kind == STEP_EXCHANGE ? strrchr(step->name, '#') : NULL;
    return ending == NULL ? slice_of_text(step->name) : slice_of(step->name, (size_t)(ending - step->name));
}

static void append_step(const struct why *why, struct survey_place place)
{
    struct slice name = name_of(why, place);
    buffer_append_format(why->text, "step '%.*s'", (int)name.bytes, name.data);
    if (why->plan->parallelism > 1)
        buffer_append_format(why->text, " (subtask %u)", place.subtask);
}

/* ---- Places upstream ---- */

/* A channel: of which input, and its number there. */
struct channel { int input; uint32_t number; };

/* The channel that the step waits for; without one, one that has to catch up first (S15); without any, one that is idle. */
static bool waited_for(const struct why *why, struct survey_place place, struct channel *found)
{
    const struct survey_step *here = survey_step(why->survey, place);
    if (here->held_input >= 0) {
        *found = (struct channel){ here->held_input, here->held_channel };
        return true;
    }
    bool any = false, found_active = false;
    const struct step *step = &why->plan->steps[place.step];
    for (int input = 0; input < PLAN_INPUTS_MAX; input++) {
        for (uint32_t c = 0; c < step->input_channels[input]; c++) {
            const struct survey_channel *channel = survey_channel(why->survey, place, input, c);
            if (channel->ended || (any && (found_active || channel->idle)))
                continue;
            *found = (struct channel){ input, c };
            any = true;
            found_active = !channel->idle;
        }
    }
    return any;
}

/* The name in "source:split" is the source's, as far as it is one. */
static void append_split(const struct why *why, struct survey_place place, uint32_t index)
{
    struct slice name = survey_split_name(why->survey, place, index);
    for (uint32_t i = 0; i < why->plan->count; i++) {
        const struct step *step = &why->plan->steps[i];
        size_t bytes = strlen(step->name);
        if (step->kind != STEP_SOURCE || name.bytes <= bytes || memcmp(name.data, step->name, bytes) != 0 || name.data[bytes] != ':')
            continue;
        buffer_append_format(why->text, "split '%.*s' of source '%s'", (int)(name.bytes - bytes - 1), name.data + bytes + 1, step->name);
        return;
    }
    buffer_append_format(why->text, "split '%.*s'", (int)name.bytes, name.data);
}

static bool leads_to(const struct step *from, const bool *targets)
{
    for (uint32_t p = 0; p < from->port_count; p++) {
        for (uint32_t e = 0; e < from->ports[p].count; e++) {
            if (targets[from->ports[p].edges[e].step])
                return true;
        }
    }
    return false;
}

/* The sources whose records reach a step. */
static void append_sources(const struct why *why, uint32_t step)
{
    const char *between = "source ";
    bool *reaches = memory_new_zeroed(why->plan->count + 1, sizeof reaches[0]);
    reaches[step] = true;
    for (uint32_t i = why->plan->count; i-- > 0;) {
        const struct step *from = &why->plan->steps[why->plan->order[i]];
        reaches[from->id] = reaches[from->id] || leads_to(from, reaches);
        if (!reaches[from->id] || from->input_count > 0)
            continue;
        buffer_append_format(why->text, "%s'%s'", between, from->name);
        between = " and ";
    }
    free(reaches);
}

/* What a step that makes watermarks reads as one: a split, or all that comes to it. */
static void append_read(const struct why *why, struct survey_place place, uint32_t index)
{
    if (survey_split_name(why->survey, place, index).bytes > 0) {
        append_split(why, place, index);
        return;
    }
    buffer_append_format(why->text, "the records of ");
    append_sources(why, place.step);
}

/* ---- What holds back ---- */

/* The split that a step which makes watermarks waits for; where none does, the one that has been silent for longest. */
static bool split_waited_for(const struct why *why, struct survey_place place, uint32_t *found)
{
    const struct survey_step *here = survey_step(why->survey, place);
    const struct survey_split *longest = NULL;
    for (uint32_t i = 0; i < here->split_count; i++) {
        const struct survey_split *split = survey_split(why->survey, place, i);
        bool better = longest == NULL || (split->holds == longest->holds ? split->silent_ms > longest->silent_ms : split->holds);
        if (!better)
            continue;
        longest = split;
        *found = i;
    }
    return longest != NULL;
}

/* A worker that always has input for chains downstream does not come to this one: it is no fault of the source. */
static bool is_left_out(const struct survey_step *here)
{
    return clock_monotonic_ns() - here->turn_ns >= WHY_WAITS_MS * UINT64_C(1000000);
}

static void append_advice(const struct why *why, const struct step *step, const struct survey_split *split)
{
    int64_t timeout = step->assign.watermarks.idle_timeout;
    if (split->idle) {
        buffer_append_format(why->text, " and idle");
    } else if (timeout >= TIME_LIMIT) {
        buffer_append_format(why->text, "; set idle_timeout, so that nobody waits for it");
    } else {
        buffer_append_format(why->text, "; it is idle after its idle_timeout of ");
        text_append_duration(why->text, (uint64_t)timeout);
    }
}

static void append_newest(const struct why *why, const struct step *step, const struct survey_split *split)
{
    buffer_append_format(why->text, ", whose newest record is of ");
    text_append_time(why->text, split->highest);
    if (step->assign.watermarks.max_out_of_orderness == 0)
        return;
    buffer_append_format(why->text, "; its watermarks follow ");
    text_append_duration(why->text, (uint64_t)step->assign.watermarks.max_out_of_orderness);
    buffer_append_format(why->text, " behind it");
}

/* Of the steps whose sources wait for each other, the one that is furthest behind. */
static struct survey_place slowest_of_group(const struct why *why, struct survey_place place)
{
    struct survey_place slowest = place;
    for (uint32_t i = 0; i < why->plan->count; i++) {
        struct survey_place other = { .step = i };
        if (!why->plan->steps[i].assign.drifts || !survey_slowest(why->survey, i, &other.subtask))
            continue;
        if (survey_step(why->survey, other)->watermark < survey_step(why->survey, slowest)->watermark)
            slowest = other;
    }
    return slowest;
}

static void append_maker(const struct why *why, struct survey_place place);

/* It ends with the slowest one, which nothing of the group holds back. */
static void append_ahead(const struct why *why, struct survey_place place)
{
    struct survey_place slowest = slowest_of_group(why, place);
    buffer_append_format(why->text, ", which is ahead by more than its max_drift of ");
    text_append_duration(why->text, (uint64_t)why->plan->steps[place.step].assign.max_drift);
    if (slowest.step == place.step && slowest.subtask == place.subtask)
        return;
    buffer_append_format(why->text, ", and waits for ");
    append_maker(why, slowest);
}

static void append_maker(const struct why *why, struct survey_place place)
{
    const struct survey_step *here = survey_step(why->survey, place);
    const struct step *step = &why->plan->steps[place.step];
    uint32_t index;
    if (!split_waited_for(why, place, &index)) {
        append_sources(why, place.step);
        buffer_append_format(why->text, ", which has no split to read%s", here->idle ? " now" : " yet");
        return;
    }
    const struct survey_split *split = survey_split(why->survey, place, index);
    append_read(why, place, index);
    if (here->pressed) {
        buffer_append_format(why->text, ", behind back-pressure: the steps downstream take no more");
    } else if (is_left_out(here)) {
        buffer_append_format(why->text, ", behind back-pressure: its worker does not get done with what has come to the steps downstream");
    } else if (here->ahead) {
        append_ahead(why, place);
    } else if (split->silent_ms >= WHY_WAITS_MS || split->highest == TIME_NONE) {
        buffer_append_format(why->text, split->highest == TIME_NONE ? ", without a record for " : ", silent for ");
        text_append_duration(why->text, split->silent_ms);
        append_advice(why, step, split);
    } else {
        append_newest(why, step, split);
    }
}

static void append_source(const struct why *why, struct survey_place place)
{
    buffer_append_format(why->text, "watermarks that nobody makes: the stream of '%s' has no assign_timestamps", why->plan->steps[place.step].name);
}

/* What a channel has not brought yet, though it was sent. */
static bool is_under_way(const struct survey_channel *channel, const struct survey_step *sender)
{
    return sender->watermark > channel->watermark || (sender->ended && !channel->ended) || (sender->idle && !channel->idle);
}

static void append_under_way(const struct why *why, struct survey_place place, struct survey_place sender, const struct survey_channel *channel)
{
    const struct survey_step *here = survey_step(why->survey, place);
    if (channel->blocked) {
        buffer_append_format(why->text, "checkpoint %llu, which is under way: other inputs have not come to its barrier, behind that of ",
                             (unsigned long long)here->aligning);
        append_step(why, sender);
        return;
    }
    buffer_append_format(why->text, "what has been sent to it by ");
    append_step(why, sender);
    buffer_append_format(why->text, here->pressed ? ", behind back-pressure: the steps downstream take no more" : ", and is still on its way");
}

/* Upstream to where the time of a step does not come from: what makes it, a source without it, or (true) a channel on the way. */
static bool find_origin(const struct why *why, struct survey_place *place, struct channel *at)
{
    for (;;) {
        const struct step *step = &why->plan->steps[place->step];
        if (step->assign.set || step->input_count == 0 || !waited_for(why, *place, at))
            return false;
        struct survey_place sender = survey_sender(why->survey, *place, at->input, at->number);
        const struct survey_channel *channel = survey_channel(why->survey, *place, at->input, at->number);
        bool ring = why->plan->steps[sender.step].kind == STEP_EXCHANGE && plan_has_rings(why->plan);
        if (ring && is_under_way(channel, survey_step(why->survey, sender)))
            return true;
        *place = sender;
    }
}

static void append_origin(const struct why *why, struct survey_place place)
{
    struct channel at;
    if (find_origin(why, &place, &at))
        append_under_way(why, place, survey_sender(why->survey, place, at.input, at.number), survey_channel(why->survey, place, at.input, at.number));
    else if (why->plan->steps[place.step].assign.set)
        append_maker(why, place);
    else if (why->plan->steps[place.step].input_count == 0)
        append_source(why, place);
    else
        append_step(why, place);
}

/* ---- The sentence ---- */

/* The step furthest downstream that acts by time: first of those that stand still. False: all have ended, or there is none (*any). */
static bool choose(const struct why *why, struct survey_place *chosen, bool *waits, bool *any)
{
    bool found = false;
    uint64_t now_ns = clock_monotonic_ns();
    *any = *waits = false;
    for (uint32_t i = why->plan->count; i-- > 0;) {
        struct survey_place place = { .step = why->plan->order[i] };
        if (!survey_is_timed(&why->plan->steps[place.step]))
            continue;
        *any = true;
        if (!survey_slowest(why->survey, place.step, &place.subtask))
            continue;
        const struct survey_step *here = survey_step(why->survey, place);
        bool still = now_ns - here->since_ns >= WHY_WAITS_MS * UINT64_C(1000000) || here->watermark == WATERMARK_MIN;
        if (found && !still)
            continue;
        *chosen = place;
        *waits = still;
        found = true;
        if (still)
            return true;
    }
    return found;
}

static void append_at(const struct why *why, struct survey_place place)
{
    int64_t watermark = survey_step(why->survey, place)->watermark;
    if (watermark == WATERMARK_MIN)
        buffer_append_format(why->text, " waits for its first watermark, ");
    else {
        buffer_append_format(why->text, " waits at ");
        text_append_time(why->text, watermark);
        buffer_append_format(why->text, " ");
    }
}

static void append_wait(const struct why *why, struct survey_place place, const struct why_facts *facts)
{
    append_step(why, place);
    append_at(why, place);
    if (facts->callback != NULL && facts->callback_ms >= WHY_WAITS_MS) {
        buffer_append_format(why->text, "while a callback of step '%s' has been running for ", facts->callback);
        text_append_duration(why->text, facts->callback_ms);
        return;
    }
    if (survey_step(why->survey, place)->idle)
        buffer_append_format(why->text, "since all of its inputs are idle, among them ");
    else
        buffer_append_format(why->text, "for ");
    append_origin(why, place);
}

static void append_moves(const struct why *why, struct survey_place place, int64_t now_ms)
{
    int64_t watermark = survey_step(why->survey, place)->watermark;
    buffer_append_format(why->text, "time moves: ");
    append_step(why, place);
    buffer_append_format(why->text, " is at ");
    text_append_time(why->text, watermark);
    buffer_append_format(why->text, ", ");
    text_append_duration(why->text, (uint64_t)(now_ms > watermark ? now_ms - watermark : watermark - now_ms));
    buffer_append_format(why->text, now_ms > watermark ? " behind the clock" : " ahead of the clock");
}

bool why_append(const struct plan *plan, const struct survey *survey, const struct why_facts *facts, struct buffer *text)
{
    const struct why why = { plan, survey, text };
    struct survey_place place = { 0 };
    bool waits, any, found = choose(&why, &place, &waits, &any);
    if (!any)
        buffer_append_format(text, "nothing waits for event time: no step has windows of event time, timers or an interval join");
    else if (!found)
        buffer_append_format(text, "time has ended: all input has been read");
    else if (waits)
        append_wait(&why, place, facts);
    else
        append_moves(&why, place, facts->now_ms);
    return !waits;
}

/* ---- One step ---- */

void why_append_holder(const struct plan *plan, const struct survey *survey, struct survey_place place, struct buffer *text)
{
    const struct why why = { plan, survey, text };
    const struct survey_step *here = survey_step(survey, place);
    uint32_t index;
    struct channel at;
    if (here->ended || here->idle)
        return;
    if (find_origin(&why, &place, &at))
        append_step(&why, survey_sender(survey, place, at.input, at.number));
    else if (!plan->steps[place.step].assign.set)
        append_step(&why, place);
    else if (split_waited_for(&why, place, &index))
        append_read(&why, place, index);
}

void why_append_idle(const struct plan *plan, const struct survey *survey, struct survey_place place, struct buffer *text)
{
    const struct why why = { plan, survey, text };
    const struct survey_step *here = survey_step(survey, place);
    const struct step *step = &plan->steps[place.step];
    const char *between = "";
    for (uint32_t i = 0; i < here->split_count; i++) {
        if (!survey_split(survey, place, i)->idle)
            continue;
        buffer_append_format(text, "%s", between);
        append_read(&why, place, i);
        between = ", ";
    }
    for (int input = 0; input < PLAN_INPUTS_MAX && !step->assign.set; input++) {
        for (uint32_t c = 0; c < step->input_channels[input]; c++) {
            if (!survey_channel(survey, place, input, c)->idle)
                continue;
            buffer_append_format(text, "%s", between);
            append_step(&why, survey_sender(survey, place, input, c));
            between = ", ";
        }
    }
}
