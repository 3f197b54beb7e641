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
static int64_t kept_for(const struct call_interval_side *side)
{
    return side->upper > 0 ? side->upper : 0;
}

int call_interval_add(struct call *call, int32_t record, const struct call_interval_side *side, struct timed_rows *found)
{
    struct entry *entry = call->entries[record];
    int64_t time = call->times[record];
    int status = timed_rows_add(call->state, entry, side->own, time, &call->values[record], call->bytes, found);
    if (status == 0)
        status = call_register_timer(call, DOMAIN_EVENT, shifted(time, kept_for(side)));
    if (status == 0)
        status = timed_rows_find(call->state, entry, side->other, shifted(time, side->lower), shifted(time, side->upper), found);
    return status < 0 ? status : (int)found->count;
}

int call_interval_clean(struct call *call, const struct call_interval_side *side, int64_t watermark)
{
    return timed_rows_remove(call->state, call->entries[call->index], side->own, shifted(watermark, -kept_for(side)));
}
