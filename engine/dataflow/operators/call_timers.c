/*
 * Timers of a step whose work is in Lua. What is due is composed into runs, whose
 * keys are resolved like a batch's; the loop over a run takes the timers one by one,
 * so that one that is registered by a callback fires in its place (S2).
 */
#include "dataflow/operators/call_step.h"

#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>

void call_timers_open(struct operator *op)
{
    struct call_step *self = op->self;
    if (!op->step->timers)
        return;
    self->run = batch_take();
    self->loop_time = INT64_MIN;
    self->no_times = memory_new_zeroed(BATCH_RECORDS_MAX, sizeof self->no_times[0]);
    for (int32_t i = 0; i < BATCH_RECORDS_MAX; i++)
        self->no_times[i] = TIME_NONE;
    operator_timers_open(op, self->state, self->timers);
}

void call_timers_close(struct operator *op)
{
    struct call_step *self = op->self;
    operator_timers_close(self->timers);
    if (self->run != NULL)
        batch_drop(self->run);
    self->run = NULL;
    free(self->no_times);
    self->no_times = NULL;
}

int call_time(struct operator *op, uint32_t mark, int64_t number)
{
    struct call_step *self = op->self;
    if (self->assign != NULL)
        return assign_time(op, self->assign, mark, number);
    if (mark != MARK_WATERMARK)
        return 0;
    op->call->watermark = number;
    if (self->timers[DOMAIN_EVENT] != NULL)
        operator_timers_fire(op, DOMAIN_EVENT, number);
    return 0;
}

int64_t call_clock(struct operator *op, int64_t now_ms)
{
    const struct call_step *self = op->self;
    if (self == NULL)
        return INT64_MAX;
    if (self->assign != NULL)
        return assign_clock(op, self->assign, now_ms);
    return operator_timers_clock(op, self->timers[DOMAIN_PROCESSING], now_ms);
}

/* Output has the time of an event timer, and none by a processing timer (S7). */
static void run_times(const struct call_step *self, struct call *call, uint32_t domain)
{
    call->timer_times = self->run->times;
    call->times = domain == DOMAIN_EVENT ? self->run->times : self->no_times;
}

/*
 * S2c: a callback that registers its own time again, always, keeps the loop going for
 * ever. No single callback is long, so the loop stands for one: as long as it comes to
 * nothing but what it registered itself, for times that it had come to.
 */
static void loop_look(struct operator *op, int count)
{
    struct call_step *self = op->self;
    bool stands = count > 0 && self->loop_again > 0 && self->run->times[0] <= self->loop_time;
    atomic_store_explicit(&op->worker->standing_step, stands ? (int)op->step->id : -1, memory_order_relaxed);
    if (count > 0)
        return;
    self->loop_time = INT64_MIN;
    self->loop_again = 0;
}

void call_timer_registered(struct call *call, int domain, int64_t time)
{
    struct call_step *self = call_step_of(call);
    if (call->request == CALL_TIMERS && domain == call->domain && time <= self->loop_time)
        self->loop_again++;
}

int call_timers(struct operator *op, uint32_t domain, int64_t now)
{
    struct call_step *self = op->self;
    struct call *call = op->call;
    if (self->assign != NULL)
        return assign_tick(op, self->assign);
    batch_clear(self->run);
    int count = timers_due(self->timers[domain], now, self->run);
    loop_look(op, count);
    if (count <= 0)
        return count;
    int status = call_keys_resolve(op, self->run);
    if (status < 0)
        return status;
    operator_timers_fire(op, domain, now); /* what is left, or is registered now */
    __atomic_store_n(&call->index, 0, __ATOMIC_RELAXED);
    call->count = count;
    call->domain = (int32_t)domain;
    call->values = self->run->values;
    call->bytes = self->run->arena.bytes;
    call->keys = self->run->keys;
    call->entries = self->entries;
    run_times(self, call, domain);
    status = self->windows == NULL ? 0 : call_windows_compose_run(op, self->timers[domain], self->run);
    if (status < 0)
        return status;
    call_outputs_open(op);
    return call_request(op, CALL_TIMERS);
}

int call_take_timer(struct call *call, int32_t index)
{
    struct call_step *self = call_step_of(call);
    int take = timers_take(self->timers[call->domain], index);
    if (take == TIMER_FIRE) {
        self->loop_again -= self->loop_again > 0;
        self->loop_time = self->run->times[index] > self->loop_time ? self->run->times[index] : self->loop_time;
    }
    return take;
}

int64_t call_processing_time(struct call *call)
{
    return worker_clock_ms(((struct operator *)call->step_instance)->worker);
}

/* The current key's timers of a domain; NULL without a key. */
static struct timers *timers_of(const struct call *call, int domain, struct slice *key, uint64_t *hash)
{
    *key = slice_of("", 0);
    *hash = 0;
    if (call->keys == NULL || call->entries == NULL) {
        error_set(ERROR_STATE, "there is no current key: timers belong to a key");
        return NULL;
    }
    const struct batch_key *at = &call->keys[call->index];
    *key = slice_of(call->bytes + at->offset, at->bytes);
    *hash = at->hash;
    return call_step_of(call)->timers[domain];
}

int call_register_timer(struct call *call, int domain, int64_t time)
{
    struct slice key;
    uint64_t hash;
    struct timers *timers = timers_of(call, domain, &key, &hash);
    call_timer_registered(call, domain, time);
    return timers == NULL ? ERROR_STATE : timers_register(timers, time, hash, key, slice_of("", 0));
}

int call_delete_timer(struct call *call, int domain, int64_t time)
{
    struct slice key;
    uint64_t hash;
    struct timers *timers = timers_of(call, domain, &key, &hash);
    return timers == NULL ? ERROR_STATE : timers_delete(timers, time, hash, key, slice_of("", 0));
}

struct timers *call_timers_of(const struct operator *op, int domain)
{
    return ((const struct call_step *)op->self)->timers[domain];
}
