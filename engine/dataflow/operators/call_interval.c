#include "dataflow/call_interval.h"

#include "dataflow/plan.h"

/* Times are within ±2^53 or MAX, MIN (L2): what goes beyond them stays there. */
static int64_t shifted(int64_t time, int64_t by)
{
    int64_t sum;
    if (time == INT64_MAX || time <= -INT64_MAX)
        return time;
    return __builtin_add_overflow(time, by, &sum) ? (by > 0 ? INT64_MAX : -INT64_MAX) : sum;
}

/* How long a row is kept: what it can meet is later by `upper` at most. */
static int64_t kept_for(int64_t upper)
{
    return upper > 0 ? upper : 0;
}

int call_interval_add(struct call *call, int32_t record, const struct call_interval_side *side, struct timed_found *found)
{
    struct entry *entry = call->entries[record];
    int64_t time = call->times[record];
    bool timed = timed_rows_begin_by(entry, &side->own, time);
    int status = timed_rows_add(call->state, entry, &side->own, time, &call->values[record], call->bytes, &found->scratch);
    if (status == 0 && !timed)
        status = call_register_timer(call, DOMAIN_EVENT, shifted(time, kept_for(side->upper)));
    if (status == 0)
        status = timed_rows_find(call->state, entry, &side->other, shifted(time, side->lower), shifted(time, side->upper), found);
    return status < 0 ? status : (int)found->count;
}

static int clean(struct call *call, const struct timed_slots *slots, int64_t kept)
{
    int64_t first;
    int status = timed_rows_remove(call->state, call->entries[call->index], slots, shifted(call->watermark, -kept), &first);
    return status < 0 || first == INT64_MAX ? status : call_register_timer(call, DOMAIN_EVENT, shifted(first, kept));
}

int call_interval_clean(struct call *call, const struct call_interval_side *side)
{
    int status = clean(call, &side->own, kept_for(side->upper));
    return status < 0 ? status : clean(call, &side->other, kept_for(-side->lower));
}
