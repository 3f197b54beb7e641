#include "dataflow/plan.h"

#include "base/error.h"
#include "base/memory.h"
#include "dataflow/portion.h"
#include "dataflow/ring.h"

#include <stdlib.h>

/* Connectors lie two floors up: the table is handed down when the process starts. */
static const struct source_vtab *(*find_source)(const char *name);
static const struct sink_vtab *(*find_sink)(const char *name);

void plan_use_connectors(const struct source_vtab *(*source)(const char *), const struct sink_vtab *(*sink)(const char *))
{
    find_source = source;
    find_sink = sink;
}

struct plan *plan_new(uint32_t parallelism, uint32_t max_parallelism, bool at_least_once)
{
    struct plan *plan = memory_new_zeroed(1, sizeof *plan);
    plan->parallelism = parallelism;
    plan->max_parallelism = max_parallelism;
    plan->at_least_once = at_least_once;
    plan->ring_bytes = RING_BYTES;
    plan->portion_ns = PORTION_NS;
    return plan;
}

static void step_free(struct step *step)
{
    free(step->name);
    free(step->job);
    free(step->place);
    for (uint32_t i = 0; i < step->key_field_count; i++)
        free(step->key_fields[i]);
    free(step->key_fields);
    for (uint32_t i = 0; i < step->state_count; i++)
        free(step->states[i].name);
    for (uint32_t i = 0; i < step->pane_state_count; i++)
        free(step->pane_states[i].name);
    for (uint32_t i = 0; i < step->operator_state_count; i++)
        free(step->operator_states[i].name);
    free(step->operator_states);
    for (uint32_t i = 0; i < step->port_count; i++)
        free(step->ports[i].edges);
    if (step->options != NULL)
        options_free(step->options);
    free(step->option_specs);
    for (uint32_t i = 0; i < step->aggregate_count; i++) {
        free(step->aggregates[i].field);
        free(step->aggregates[i].name);
    }
    free(step->assign.field);
    free(step->assign.format);
}

void plan_free(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++)
        step_free(&plan->steps[i]);
    free(plan->steps);
    free(plan->order);
    free(plan->text);
    free(plan);
}

uint32_t plan_parallelism(const struct plan *plan)
{
    return plan->parallelism;
}

void plan_set_text(struct plan *plan, const char *text)
{
    plan->text = memory_copy_text(text);
}

int plan_add(struct plan *plan, int kind, const char *name)
{
    if (plan->count == plan->capacity) {
        plan->capacity = plan->capacity * 2 + 16;
        plan->steps = memory_resize(plan->steps, plan->capacity * sizeof plan->steps[0]);
    }
    struct step *step = &plan->steps[plan->count];
    *step = (struct step){ .id = plan->count, .name = memory_copy_text(name), .kind = kind, .port_count = 1, .dead_port = -1, .late_port = -1 };
    return (int)plan->count++;
}

int plan_connect(struct plan *plan, int from, int port, int to, int input)
{
    if (port >= PLAN_PORTS_MAX)
        return error_set(ERROR_ARGUMENT, "step '%s' has more than %d outputs", plan->steps[from].name, PLAN_PORTS_MAX);
    struct step *step = &plan->steps[from];
    if ((uint32_t)port >= step->port_count)
        step->port_count = (uint32_t)port + 1;
    struct port *output = &step->ports[port];
    output->edges = memory_resize(output->edges, (output->count + 1) * sizeof output->edges[0]);
    output->edges[output->count++] = (struct edge){ .step = (uint32_t)to, .input = (uint32_t)input, .place = plan->steps[to].input_count };
    plan->steps[to].input_count++;
    return 0;
}

int plan_set_exchange(struct plan *plan, int step, int kind)
{
    plan->steps[step].exchange = kind;
    return 0;
}

int plan_set_call(struct plan *plan, int step, int call_kind)
{
    plan->steps[step].call_kind = call_kind;
    return 0;
}

int plan_set_policy(struct plan *plan, int step, int policy, int dead_letter_port)
{
    plan->steps[step].policy = policy;
    plan->steps[step].dead_port = dead_letter_port;
    return 0;
}

void plan_set_author(struct plan *plan, int step, const char *job, const char *place)
{
    plan->steps[step].job = memory_copy_text(job);
    plan->steps[step].place = memory_copy_text(place);
}

int plan_set_keyed(struct plan *plan, int step)
{
    plan->steps[step].keyed = true;
    return 0;
}

int plan_set_timers(struct plan *plan, int step)
{
    plan->steps[step].timers = true;
    return 0;
}

int plan_set_saving(struct plan *plan, int step)
{
    plan->steps[step].saving = true;
    return 0;
}

int plan_set_keyless(struct plan *plan, int step, int input)
{
    plan->steps[step].keyless[input] = true;
    return 0;
}

void plan_set_subtasks(struct plan *plan, int step, uint32_t subtasks)
{
    plan->steps[step].subtasks = subtasks;
}

int plan_set_channels(struct plan *plan, int step, uint32_t channels)
{
    plan->steps[step].channels = channels;
    return 0;
}

void plan_set_by_hand(struct plan *plan)
{
    plan->by_hand = true;
}

int plan_add_key_field(struct plan *plan, int step, const char *field, bool list)
{
    struct step *target = &plan->steps[step];
    target->key_fields = memory_resize(target->key_fields, (target->key_field_count + 1) * sizeof target->key_fields[0]);
    target->key_fields[target->key_field_count++] = memory_copy_text(field);
    target->key_list = list;
    return 0;
}

static int state_add(const struct step *step, struct step_state *states, uint32_t *count, const char *name, int type)
{
    static const uint16_t slot_kinds[] = {
        [STATE_VALUE] = KIND_VALUE, [STATE_MAP] = KIND_MAP, [STATE_LIST] = KIND_LIST, [STATE_REDUCING] = KIND_VALUE, [STATE_AGGREGATING] = KIND_VALUE,
        [STATE_TIMED_ROWS] = KIND_VALUE,
    };
    if (*count == KEYED_STATES_MAX)
        return error_set(ERROR_ARGUMENT, "step '%s' has more than %d states", step->name, KEYED_STATES_MAX);
    states[*count] = (struct step_state){ .name = memory_copy_text(name), .type = (uint16_t)type, .kind = slot_kinds[type], .version = 1 };
    return (int)(*count)++;
}

int plan_add_state(struct plan *plan, int step, const char *name, int type)
{
    struct step *target = &plan->steps[step];
    return state_add(target, target->states, &target->state_count, name, type);
}

int plan_add_operator_state(struct plan *plan, int step, const char *name, int kind, uint32_t version, bool migrates)
{
    struct step *target = &plan->steps[step];
    target->operator_states = memory_resize(target->operator_states, (target->operator_state_count + 1) * sizeof target->operator_states[0]);
    target->operator_states[target->operator_state_count++] =
        (struct step_operator_state){ .name = memory_copy_text(name), .kind = kind, .version = version, .migrates = migrates };
    return 0;
}

int plan_add_pane_state(struct plan *plan, int step, const char *name, int type)
{
    struct step *target = &plan->steps[step];
    return state_add(target, target->pane_states, &target->pane_state_count, name, type);
}

void plan_set_state_version(struct plan *plan, int step, int slot, uint32_t version, bool migrates)
{
    plan->steps[step].states[slot].version = version;
    plan->steps[step].states[slot].migrates = migrates;
}

void plan_set_pane_state_version(struct plan *plan, int step, int slot, uint32_t version)
{
    plan->steps[step].pane_states[slot].version = version;
}

static bool comes_from_sources(const struct plan *plan, uint32_t step);

static bool is_from_source(const struct plan *plan, const struct step *from)
{
    if (from->kind == STEP_SOURCE)
        return true;
    return from->kind == STEP_CALL && from->call_kind == CALL_KIND_STEP && !from->keyed && comes_from_sources(plan, from->id);
}

/* Do the records of a step come from sources in C, through steps without an exchange or a key? Else nothing is known of splits. */
static bool comes_from_sources(const struct plan *plan, uint32_t step)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct step *from = &plan->steps[i];
        for (uint32_t p = 0; p < from->port_count; p++) {
            for (uint32_t e = 0; e < from->ports[p].count; e++) {
                if (from->ports[p].edges[e].step == step && !is_from_source(plan, from))
                    return false;
            }
        }
    }
    return true;
}

/* The sessions of a key are a state of it, behind those that its author knows; so are the slices of its windows. */
static int bookkeeping_add(struct plan *plan, struct step *step)
{
    if (step->kind == STEP_AGGREGATE)
        return plan_slices_add(plan, step);
    if (step->window.kind != WINDOW_SESSION)
        return 0;
    int slot = plan_add_state(plan, (int)step->id, "#sessions", STATE_VALUE);
    if (slot < 0)
        return slot;
    step->sessions_slot = (uint32_t)slot;
    step->states[slot].hidden = true;
    return 0;
}

static uint32_t specs_count(const struct option_spec *specs)
{
    uint32_t count = 0;
    while (specs != NULL && specs[count].name != NULL)
        count++;
    return count;
}

/* The connector's own options, then its format's, as one table. */
static struct option_spec *specs_join(const struct option_spec *own, const struct option_spec *format)
{
    uint32_t first = specs_count(own), second = specs_count(format);
    struct option_spec *joined = memory_new_zeroed(first + second + 1, sizeof *joined);
    for (uint32_t i = 0; i < first; i++)
        joined[i] = own[i];
    for (uint32_t i = 0; i < second; i++)
        joined[first + i] = format[i];
    return joined;
}

int plan_set_connector(struct plan *plan, int number, const char *connector, const char *format)
{
    struct step *step = &plan->steps[number];
    const struct option_spec *own;
    if (step->kind == STEP_SOURCE) {
        step->source = find_source(connector);
        own = step->source == NULL ? NULL : step->source->options;
    } else {
        step->sink = find_sink(connector);
        own = step->sink == NULL ? NULL : step->sink->options;
    }
    if (step->source == NULL && step->sink == NULL)
        return error_set(ERROR_NOT_FOUND, "step '%s': there is no connector '%s'", step->name, connector);
    if (format != NULL && (step->format = format_find(format)) == NULL)
        return error_set(ERROR_NOT_FOUND, "step '%s': there is no format '%s'", step->name, format);
    step->option_specs = specs_join(own, step->format == NULL ? NULL : step->format->options);
    step->options = options_new();
    return 0;
}

int plan_option(struct plan *plan, int step, const char *name, const char *key, const char *value)
{
    struct step *target = &plan->steps[step];
    int status = options_set(target->options, target->option_specs, name, key, value);
    return status < 0 ? error_wrap(status, "step '%s'", target->name) : 0;
}

/* Upstream before downstream, by counting inputs down. */
static int order_steps(struct plan *plan)
{
    uint32_t *waiting = memory_new_zeroed(plan->count + 1, sizeof *waiting);
    uint32_t done = 0;
    plan->order = memory_new_zeroed(plan->count + 1, sizeof *plan->order);
    for (uint32_t i = 0; i < plan->count; i++) {
        waiting[i] = plan->steps[i].input_count;
        if (waiting[i] == 0)
            plan->order[done++] = i;
    }
    for (uint32_t next = 0; next < done; next++) {
        struct step *step = &plan->steps[plan->order[next]];
        step->rank = next;
        for (uint32_t p = 0; p < step->port_count; p++) {
            for (uint32_t t = 0; t < step->ports[p].count; t++) {
                if (--waiting[step->ports[p].edges[t].step] == 0)
                    plan->order[done++] = step->ports[p].edges[t].step;
            }
        }
    }
    free(waiting);
    return done == plan->count ? 0 : error_set(ERROR_ARGUMENT, "the job's steps form a circle");
}

static uint32_t set_root(uint32_t *sets, uint32_t at)
{
    while (sets[at] != at)
        at = sets[at] = sets[sets[at]];
    return at;
}

/*
 * Union of what forward edges join. An exchange has two halves: node i is the
 * step and the sending half, node count + i the receiving half.
 */
static void find_chains(struct plan *plan)
{
    uint32_t nodes = plan->count * 2;
    uint32_t *sets = memory_new_zeroed(nodes + 1, sizeof *sets), *numbers = memory_new_zeroed(nodes + 1, sizeof *numbers);
    for (uint32_t i = 0; i < nodes; i++)
        sets[i] = i;
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct step *step = &plan->steps[i];
        bool ring = step->kind == STEP_EXCHANGE && plan_has_rings(plan);
        for (uint32_t p = 0; p < step->port_count; p++) {
            for (uint32_t t = 0; t < step->ports[p].count; t++)
                sets[set_root(sets, step->ports[p].edges[t].step)] = set_root(sets, ring ? plan->count + i : i);
        }
    }
    for (uint32_t i = 0; i < nodes; i++) {
        uint32_t root = set_root(sets, i);
        bool used = i < plan->count || (plan->steps[i - plan->count].kind == STEP_EXCHANGE && plan_has_rings(plan));
        if (used && numbers[root] == 0)
            numbers[root] = ++plan->chain_count;
    }
    for (uint32_t i = 0; i < plan->count; i++) {
        plan->steps[i].chain = numbers[set_root(sets, i)] - 1;
        plan->steps[i].receiver_chain = numbers[set_root(sets, plan->count + i)] - 1;
    }
    free(sets);
    free(numbers);
}

bool plan_reaches(const struct plan *plan, const struct step *from, const struct step *to)
{
    for (uint32_t p = 0; p < from->port_count; p++) {
        for (uint32_t e = 0; e < from->ports[p].count; e++) {
            const struct step *step = &plan->steps[from->ports[p].edges[e].step];
            if (step == to || (step->kind != STEP_EXCHANGE && plan_reaches(plan, step, to)))
                return true;
        }
    }
    return false;
}

static uint32_t channels_of(const struct plan *plan, const struct step *from)
{
    if (from->kind == STEP_INPUT)
        return from->channels;
    return from->kind == STEP_EXCHANGE && plan_has_rings(plan) ? plan->parallelism : 1;
}

static uint32_t channels_before(const struct plan *plan, const struct edge *before)
{
    uint32_t channels = 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct step *from = &plan->steps[i];
        for (uint32_t p = 0; p < from->port_count; p++) {
            for (uint32_t e = 0; e < from->ports[p].count; e++) {
                const struct edge *edge = &from->ports[p].edges[e];
                if (edge->step == before->step && edge->input == before->input && edge->place < before->place)
                    channels += channels_of(plan, from);
            }
        }
    }
    return channels;
}

static void number_channels(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        struct step *from = &plan->steps[i];
        for (uint32_t p = 0; p < from->port_count; p++) {
            for (uint32_t e = 0; e < from->ports[p].count; e++) {
                struct edge *edge = &from->ports[p].edges[e];
                edge->channel = channels_before(plan, edge);
                plan->steps[edge->step].input_channels[edge->input] += channels_of(plan, from);
            }
        }
    }
}

int plan_finish(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        struct step *step = &plan->steps[i];
        int status = step->options == NULL ? 0 : options_complete(step->options, step->option_specs);
        if (status == 0)
            status = bookkeeping_add(plan, step);
        if (status < 0)
            return error_wrap(status, "step '%s'", step->name);
    }
    number_channels(plan);
    int status = order_steps(plan);
    if (status < 0)
        return status;
    find_chains(plan);
    for (uint32_t i = 0; i < plan->count; i++) {
        if (plan->steps[i].assign.set)
            plan->steps[i].assign.of_splits = comes_from_sources(plan, i);
    }
    return 0;
}

uint32_t plan_groups_by_default(uint32_t parallelism)
{
    uint32_t wanted = parallelism + parallelism / 2, power = 128;
    while (power < wanted && power < 32768)
        power *= 2;
    return power;
}
