#include "dataflow/marks.h"

#include "base/memory.h"
#include "dataflow/worker_internal.h"

#include <stdlib.h>

void marks_open(struct operator *op)
{
    struct operator_time *time = &op->time;
    time->watermark = WATERMARK_MIN;
    for (uint32_t i = 0; i < PLAN_INPUTS_MAX; i++) {
        if (op->step->input_channels[i] > 0)
            time->inputs[i] = valve_new(op->step->input_channels[i]);
    }
    if (op->step->input_channels[1] > 0)
        time->both = valve_new(PLAN_INPUTS_MAX);
}

void marks_close(struct operator *op)
{
    struct operator_time *time = &op->time;
    for (uint32_t i = 0; i < PLAN_INPUTS_MAX; i++) {
        if (time->inputs[i] != NULL)
            valve_free(time->inputs[i]);
    }
    if (time->both != NULL)
        valve_free(time->both);
    *time = (struct operator_time){ .watermark = WATERMARK_MIN };
}

/* Marks that are done in the order in which they were gathered, though the work is a stack. */
struct gathered { struct work works[16]; uint32_t count; };

static void gather(struct gathered *gathered, struct operator *op, uint32_t kind, int64_t number)
{
    gathered->works[gathered->count++] = (struct work){ .kind = WORK_TIME, .op = op, .mark = kind, .number = (uint64_t)number };
}

static const uint32_t mark_of_event[] = { [VALVE_WATERMARK] = MARK_WATERMARK, [VALVE_IDLE] = MARK_IDLE, [VALVE_ACTIVE] = MARK_ACTIVE };

static void valve_receive(struct valve *valve, uint32_t channel, uint32_t kind, int64_t number)
{
    switch (kind) {
    case MARK_WATERMARK: valve_watermark(valve, channel, number); break;
    case MARK_IDLE: valve_idle(valve, channel); break;
    case MARK_ACTIVE: valve_active(valve, channel); break;
    case MARK_END: valve_end(valve, channel); break;
    }
}

static void gather_events(struct gathered *gathered, struct operator *op, struct valve *valve)
{
    struct valve_event event;
    while (valve_next_event(valve, &event))
        gather(gathered, op, mark_of_event[event.kind], event.watermark);
}

/* What one input says to the step that has two. That an input has ended is no watermark: it would be the only one while the other is idle (F1). */
static void both_receive(struct gathered *gathered, struct operator *op, uint32_t input)
{
    struct operator_time *time = &op->time;
    bool ended = valve_ended(time->inputs[input]);
    struct valve_event event;
    while (valve_next_event(time->inputs[input], &event)) {
        if (!ended)
            valve_receive(time->both, input, mark_of_event[event.kind], event.watermark);
    }
    if (ended)
        valve_receive(time->both, input, MARK_END, 0);
    gather_events(gathered, op, time->both);
}

static void push_gathered(struct gathered *gathered)
{
    while (gathered->count-- > 0)
        work_push(gathered->works[gathered->count].op->worker, gathered->works[gathered->count]);
}

void marks_receive(struct operator *op, uint32_t input, uint32_t channel, uint32_t kind, int64_t number)
{
    struct operator_time *time = &op->time;
    struct gathered gathered = { .count = 0 };
    if (kind >= MARK_SPLIT) { /* not a matter of channels */
        gather(&gathered, op, kind, number);
        push_gathered(&gathered);
        return;
    }
    valve_receive(time->inputs[input], channel, kind, number);
    if (time->both != NULL)
        both_receive(&gathered, op, input);
    else
        gather_events(&gathered, op, time->inputs[input]);
    if (!time->ended && valve_ended(time->both != NULL ? time->both : time->inputs[input])) {
        time->ended = true;
        gather(&gathered, op, MARK_END, 0);
    }
    push_gathered(&gathered);
}

static void push_to(struct operator *op, const struct edge *edge, uint32_t channel, uint32_t kind, int64_t number)
{
    work_push(op->worker, (struct work){ .kind = WORK_MARK, .op = &op->worker->ops[edge->step], .input = edge->input,
                                         .channel = edge->channel + channel, .mark = kind, .number = (uint64_t)number });
}

static const uint32_t ring_kinds[] = {
    [MARK_WATERMARK] = RING_WATERMARK, [MARK_IDLE] = RING_IDLE, [MARK_ACTIVE] = RING_ACTIVE, [MARK_END] = RING_TIME_END,
};

void marks_forward(struct operator *op, uint32_t kind, int64_t number)
{
    if (op->step->kind == STEP_EXCHANGE && plan_has_rings(op->worker->dataflow->plan)) {
        if (kind <= MARK_END) /* splits are a matter of the chain that reads them */
            exchange_mark(op, ring_kinds[kind], (uint64_t)number);
        return;
    }
    for (uint32_t p = op->step->port_count; p-- > 0;) {
        for (uint32_t e = op->step->ports[p].count; e-- > 0;)
            push_to(op, &op->step->ports[p].edges[e], 0, kind, number);
    }
}

void operator_mark(struct operator *op, uint32_t kind, int64_t number)
{
    for (uint32_t p = 0; p < op->step->port_count; p++)
        operator_queue(op, (int)p, (struct output_item){ .mark = kind, .number = number });
}

void marks_from_ring(struct operator *op, uint32_t ring, uint32_t kind, int64_t number)
{
    const struct port *port = &op->step->ports[0];
    for (uint32_t e = port->count; e-- > 0;)
        push_to(op, &port->edges[e], ring, kind, number);
}
