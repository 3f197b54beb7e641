#include "dataflow/survey.h"

#include "base/clock.h"
#include "base/memory.h"
#include "dataflow/drift.h"
#include "dataflow/operators/call_step.h"
#include "dataflow/worker_internal.h"

#include <stdlib.h>

struct part {
    uint64_t answered;                /* the question it answers */
    struct survey_step *steps;
    struct { uint64_t turns, since_ns; } *chains;   /* by number */
    struct survey_channel *channels;
    struct buffer splits, names;
};

struct survey {
    const struct plan *plan;
    atomic_ullong asked;
    pthread_mutex_t lock;
    pthread_cond_t answer;
    uint32_t *channel_first;          /* [step * PLAN_INPUTS_MAX + input], in a part's channels */
    struct part *parts;               /* by subtask */
};

static uint32_t number_channels(struct survey *survey)
{
    const struct plan *plan = survey->plan;
    uint32_t count = 0;
    survey->channel_first = memory_new_zeroed(plan->count * PLAN_INPUTS_MAX + 1, sizeof survey->channel_first[0]);
    for (uint32_t i = 0; i < plan->count * PLAN_INPUTS_MAX; i++) {
        survey->channel_first[i] = count;
        count += plan->steps[i / PLAN_INPUTS_MAX].input_channels[i % PLAN_INPUTS_MAX];
    }
    return count;
}

static void part_init(struct part *part, const struct plan *plan, uint32_t channels)
{
    uint64_t now = clock_monotonic_ns();
    part->steps = memory_new_zeroed(plan->count + 1, sizeof part->steps[0]);
    part->chains = memory_new_zeroed(plan->chain_count + 1, sizeof part->chains[0]);
    part->channels = memory_new_zeroed(channels + 1, sizeof part->channels[0]);
    for (uint32_t i = 0; i < plan->count; i++)
        part->steps[i] = (struct survey_step){ .watermark = WATERMARK_MIN, .held_input = -1, .since_ns = now };
    for (uint32_t i = 0; i < channels; i++)
        part->channels[i].watermark = WATERMARK_MIN;
    buffer_init(&part->splits);
    buffer_init(&part->names);
}

struct survey *survey_new(const struct plan *plan)
{
    struct survey *survey = memory_new_zeroed(1, sizeof *survey);
    survey->plan = plan;
    atomic_init(&survey->asked, 0);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&survey->lock, NULL);
    pthread_cond_init(&survey->answer, &monotonic);
    pthread_condattr_destroy(&monotonic);
    uint32_t channels = number_channels(survey);
    survey->parts = memory_new_zeroed(plan->parallelism, sizeof survey->parts[0]);
    for (uint32_t i = 0; i < plan->parallelism; i++)
        part_init(&survey->parts[i], plan, channels);
    return survey;
}

void survey_free(struct survey *survey)
{
    for (uint32_t i = 0; i < survey->plan->parallelism; i++) {
        struct part *part = &survey->parts[i];
        free(part->steps);
        free(part->chains);
        free(part->channels);
        buffer_deinit(&part->splits);
        buffer_deinit(&part->names);
    }
    pthread_mutex_destroy(&survey->lock);
    pthread_cond_destroy(&survey->answer);
    free(survey->parts);
    free(survey->channel_first);
    free(survey);
}

/* ---- Asking ---- */

void survey_ask(struct dataflow *dataflow)
{
    atomic_fetch_add_explicit(&dataflow->survey->asked, 1, memory_order_relaxed);
    dataflow_wake_all(dataflow);
}

static bool all_answered(const struct survey *survey, uint64_t question)
{
    for (uint32_t i = 0; i < survey->plan->parallelism; i++) {
        if (survey->parts[i].answered < question)
            return false;
    }
    return true;
}

void survey_wait(struct survey *survey, uint32_t limit_ms)
{
    uint64_t question = atomic_load_explicit(&survey->asked, memory_order_relaxed);
    uint64_t end = clock_monotonic_ns() + (uint64_t)limit_ms * 1000000u;
    struct timespec limit = { (time_t)(end / 1000000000u), (long)(end % 1000000000u) };
    pthread_mutex_lock(&survey->lock);
    while (!all_answered(survey, question)) {
        if (pthread_cond_timedwait(&survey->answer, &survey->lock, &limit) != 0)
            break;
    }
    pthread_mutex_unlock(&survey->lock);
}

void survey_lock(struct survey *survey)
{
    pthread_mutex_lock(&survey->lock);
}

void survey_unlock(struct survey *survey)
{
    pthread_mutex_unlock(&survey->lock);
}

/* ---- Answering ---- */

/* NULL: it makes no watermarks, or is not open. */
static const struct assigner *assigner_of(const struct operator *op)
{
    if (!op->step->assign.set || op->self == NULL)
        return NULL;
    if (op->step->kind == STEP_ASSIGN)
        return assign_assigner(op->self);
    const struct call_step *self = op->self;
    return self->assign == NULL ? NULL : assign_assigner(self->assign);
}

static void splits_write(struct part *part, struct survey_step *step, const struct assigner *assigner, int64_t now_ms)
{
    step->split_first = (uint32_t)(part->splits.bytes / sizeof(struct survey_split));
    struct assigner_view view;
    for (uint32_t i = 0; assigner_view(assigner, i, now_ms, &view); i++) {
        if (!view.open)
            continue;
        struct survey_split split = {
            .name_at = (uint32_t)part->names.bytes, .name_bytes = (uint32_t)view.name.bytes, .watermark = view.watermark,
            .highest = view.highest, .silent_ms = view.silent_ms, .idle = view.idle, .holds = view.holds,
        };
        buffer_append_slice(&part->names, view.name);
        buffer_append(&part->splits, &split, sizeof split);
        step->split_count++;
    }
}

static void channels_write(struct survey *survey, struct part *part, const struct operator *op)
{
    for (uint32_t input = 0; input < PLAN_INPUTS_MAX; input++) {
        struct survey_channel *channels = &part->channels[survey->channel_first[op->step->id * PLAN_INPUTS_MAX + input]];
        for (uint32_t c = 0; c < op->step->input_channels[input]; c++) {
            channels[c] = (struct survey_channel){ .watermark = WATERMARK_MIN };
            valve_channel(op->time.inputs[input], c, &channels[c].watermark, &channels[c].idle, &channels[c].ended);
        }
    }
}

/* The input that holds the step back, and of that the channel. */
static void holder_write(struct survey_step *step, const struct operator_time *time)
{
    int input = time->both == NULL ? 0 : valve_holder(time->both);
    int channel = input < 0 || time->inputs[input] == NULL ? -1 : valve_holder(time->inputs[input]);
    step->held_input = channel < 0 ? -1 : input;
    step->held_channel = channel < 0 ? 0 : (uint32_t)channel;
}

static void step_write(struct survey *survey, struct part *part, struct operator *op, uint64_t now_ns)
{
    struct survey_step *step = &part->steps[op->step->id];
    const struct operator_time *time = &op->time;
    const struct chain *chain = worker_chain(op->worker, op->step);
    const struct assigner *assigner = assigner_of(op);
    uint64_t since_ns = step->watermark == time->watermark ? step->since_ns : now_ns;
    *step = (struct survey_step){
        .watermark = time->watermark, .idle = time->idle, .ended = time->ended, .held_input = -1, .since_ns = since_ns,
        .turn_ns = part->chains[op->step->chain].since_ns,
        .pressed = chain != NULL && chain->pressed, .ahead = drift_is_ahead(op), .aligning = chain == NULL ? 0 : aligner_pending(chain->aligner),
    };
    channels_write(survey, part, op);
    if (assigner != NULL)
        splits_write(part, step, assigner, worker_clock_ms(op->worker));
    else
        holder_write(step, time);
}

static void blocked_write(struct survey *survey, struct part *part, const struct chain *chain)
{
    for (uint32_t i = 0; i < chain->channel_count; i++) {
        const struct chain_channel *channel = &chain->channels[i];
        if (channel->kind != CHANNEL_RING || channel->ended || !aligner_blocked(chain->aligner, i))
            continue;
        const struct port *port = &channel->op->step->ports[0];
        for (uint32_t e = 0; e < port->count; e++) {
            const struct edge *edge = &port->edges[e];
            uint32_t first = survey->channel_first[edge->step * PLAN_INPUTS_MAX + edge->input];
            part->channels[first + edge->channel + channel->number].blocked = true;
        }
    }
}

/* When it was seen to be asked: as seen by two answers, the asking lies between them. */
static void turns_write(struct part *part, const struct chain *chain, uint64_t now_ns)
{
    if (chain->turns == part->chains[chain->id].turns)
        return;
    part->chains[chain->id].turns = chain->turns;
    part->chains[chain->id].since_ns = now_ns;
}

static void part_write(struct survey *survey, struct part *part, struct worker *worker)
{
    uint64_t now_ns = clock_monotonic_ns();
    buffer_clear(&part->splits);
    buffer_clear(&part->names);
    for (uint32_t i = 0; i < worker->chain_count; i++)
        turns_write(part, &worker->chains[i], now_ns);
    for (uint32_t i = 0; i < survey->plan->count; i++)
        step_write(survey, part, &worker->ops[i], now_ns);
    for (uint32_t i = 0; i < worker->chain_count; i++)
        blocked_write(survey, part, &worker->chains[i]);
}

void survey_answer(struct worker *worker)
{
    struct survey *survey = worker->dataflow->survey;
    struct part *part = &survey->parts[worker->subtask];
    uint64_t question = atomic_load_explicit(&survey->asked, memory_order_relaxed);
    if (part->answered == question) /* only this thread changes it */
        return;
    pthread_mutex_lock(&survey->lock);
    part_write(survey, part, worker);
    part->answered = question;
    pthread_cond_broadcast(&survey->answer);
    pthread_mutex_unlock(&survey->lock);
}

/* ---- Reading ---- */

const struct survey_step *survey_step(const struct survey *survey, struct survey_place place)
{
    return &survey->parts[place.subtask].steps[place.step];
}

const struct survey_channel *survey_channel(const struct survey *survey, struct survey_place place, int input, uint32_t channel)
{
    return &survey->parts[place.subtask].channels[survey->channel_first[place.step * PLAN_INPUTS_MAX + (uint32_t)input] + channel];
}

const struct survey_split *survey_split(const struct survey *survey, struct survey_place place, uint32_t index)
{
    const struct part *part = &survey->parts[place.subtask];
    return (const struct survey_split *)(const void *)part->splits.data + part->steps[place.step].split_first + index;
}

struct slice survey_split_name(const struct survey *survey, struct survey_place place, uint32_t index)
{
    const struct survey_split *split = survey_split(survey, place, index);
    return slice_of(survey->parts[place.subtask].names.data + split->name_at, split->name_bytes);
}

static const struct edge *edge_into(const struct step *from, struct survey_place place, int input, uint32_t channel, uint32_t width)
{
    for (uint32_t p = 0; p < from->port_count; p++) {
        for (uint32_t e = 0; e < from->ports[p].count; e++) {
            const struct edge *edge = &from->ports[p].edges[e];
            if (edge->step == place.step && (int)edge->input == input && channel >= edge->channel && channel - edge->channel < width)
                return edge;
        }
    }
    return NULL;
}

struct survey_place survey_sender(const struct survey *survey, struct survey_place place, int input, uint32_t channel)
{
    const struct plan *plan = survey->plan;
    for (uint32_t i = 0; i < plan->count; i++) {
        bool ring = plan->steps[i].kind == STEP_EXCHANGE && plan_has_rings(plan);
        const struct edge *edge = edge_into(&plan->steps[i], place, input, channel, ring ? plan->parallelism : 1);
        if (edge != NULL)
            return (struct survey_place){ i, ring ? channel - edge->channel : place.subtask };
    }
    return place;
}

bool survey_slowest(const struct survey *survey, uint32_t step, uint32_t *subtask)
{
    const struct survey_step *slowest = NULL;
    for (uint32_t i = 0; i < survey->plan->parallelism; i++) {
        const struct survey_step *here = &survey->parts[i].steps[step];
        if (here->ended)
            continue;
        bool behind = slowest == NULL || (here->idle == slowest->idle ? here->watermark < slowest->watermark : slowest->idle);
        if (!behind)
            continue;
        slowest = here;
        *subtask = i;
    }
    return slowest != NULL;
}

bool survey_is_timed(const struct step *step)
{
    return step->window.kind != 0 ? step->window.domain == DOMAIN_EVENT : step->timers;
}

static bool makes_time(const struct step *step)
{
    return step->assign.set;
}

/* False: there is no such step. */
static bool lowest_of(const struct survey *survey, bool (*counts)(const struct step *step), int64_t *lowest)
{
    bool any = false;
    *lowest = INT64_MAX;
    for (uint32_t i = 0; i < survey->plan->count; i++) {
        uint32_t subtask;
        if (!counts(&survey->plan->steps[i]))
            continue;
        any = true;
        if (!survey_slowest(survey, i, &subtask))
            continue;
        int64_t watermark = survey->parts[subtask].steps[i].watermark;
        *lowest = watermark < *lowest ? watermark : *lowest;
    }
    return any;
}

int64_t survey_watermark(const struct survey *survey)
{
    int64_t lowest;
    if (lowest_of(survey, survey_is_timed, &lowest) || lowest_of(survey, makes_time, &lowest))
        return lowest;
    return WATERMARK_MIN;
}
