#include "dataflow/keyed.h"

void operator_state_config(const struct operator *op, bool panes, struct keyed_state_config *config)
{
    const struct dataflow *dataflow = op->worker->dataflow;
    const struct checkpointing *checkpointing = dataflow->checkpointing;
    plan_state_config(dataflow->plan, op->step, op->worker->subtask, panes, config);
    config->epoch = checkpointing->epoch;
    config->undo = op->step->policy != POLICY_FAIL;
    config->backend = checkpointing->backend;
    config->output = (struct state_output){ checkpointing->take, checkpointing->self };
}

void operator_timers_open(const struct operator *op, struct keyed_state *state, struct timers *timers[DOMAINS])
{
    struct keyed_state_config keys;
    operator_state_config(op, false, &keys);
    for (int domain = 0; op->step->timers && domain < DOMAINS; domain++) {
        struct timers_config config = {
            .column = op->step->timer_columns[domain], .subtask = keys.subtask, .max_parallelism = keys.max_parallelism,
            .group_first = keys.group_first, .group_last = keys.group_last, .epoch = keys.epoch, .backend = keys.backend, .output = keys.output,
        };
        timers[domain] = timers_new(&config, state);
    }
}

void operator_timers_close(struct timers *timers[DOMAINS])
{
    for (int domain = 0; domain < DOMAINS; domain++) {
        if (timers[domain] != NULL)
            timers_free(timers[domain]);
        timers[domain] = NULL;
    }
}

void operator_timers_fire(struct operator *op, uint32_t domain, int64_t now)
{
    work_push(op->worker, (struct work){ .kind = WORK_TIMERS, .op = op, .mark = domain, .number = (uint64_t)now });
}

/*
 * S8: a timer fires when the clock has passed it, so that no record of its millisecond follows.
 * A clock that is moved by hand fires those of its new time, too.
 */
int64_t operator_timers_clock(struct operator *op, struct timers *processing, int64_t now_ms)
{
    int64_t next, due = op->worker->clock_moved ? now_ms : now_ms - 1;
    if (processing == NULL || !timers_next(processing, &next))
        return INT64_MAX;
    if (next > due)
        return next == INT64_MAX ? INT64_MAX : next + (now_ms - due);
    operator_timers_fire(op, DOMAIN_PROCESSING, due);
    return now_ms;
}

int operator_timers_end(const struct operator *op)
{
    struct timers *timers = op->vtab->timers_of == NULL || op->self == NULL ? NULL : op->vtab->timers_of(op, DOMAIN_PROCESSING);
    if (timers == NULL)
        return 0;
    struct batch *run = batch_take();
    int status = timers_due(timers, INT64_MAX, run);
    while (status > 0) {
        int32_t count = status;
        for (int32_t i = 0; i < count && status >= 0; i++)
            status = timers_take(timers, i);
        keyed_state_commit_record(op->vtab->state(op));
        batch_clear(run);
        status = status < 0 ? status : timers_due(timers, INT64_MAX, run);
    }
    batch_drop(run);
    return status;
}

struct keyed_state *operator_keyed_state(const struct operator *op)
{
    return op->vtab->state == NULL || op->self == NULL ? NULL : op->vtab->state(op);
}

int64_t operator_timers_count(const struct operator *op, int domain)
{
    struct timers *timers = op->vtab->timers_of == NULL || op->self == NULL ? NULL : op->vtab->timers_of(op, domain);
    return timers == NULL ? 0 : timers_count(timers);
}
