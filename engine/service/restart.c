#include "service/restart.h"

#include "base/memory.h"
#include "script/job.h"

#include <stdlib.h>
#include <string.h>

#define STABLE_MS 60000u

bool restart_ran_well(const struct restart *restart, uint64_t ran_ms)
{
    return ran_ms >= STABLE_MS && ran_ms / 2 >= restart->delay_max_ms;
}

static bool attempts_left(const struct restart *restart)
{
    return restart->attempts < 0 || restart->restarts < restart->attempts;
}

static uint64_t doubled_delay(const struct restart *restart)
{
    uint64_t delay_ms = restart->delay_ms;
    for (int64_t i = 0; i < restart->restarts && delay_ms < restart->delay_max_ms; i++)
        delay_ms = delay_ms == 0 ? 1 : delay_ms * 2;
    return delay_ms < restart->delay_max_ms ? delay_ms : restart->delay_max_ms;
}

static void remember_failure(struct restart *restart, uint64_t now_ms)
{
    uint32_t old = 0;
    while (old < restart->failed_count && now_ms - restart->failed_at_ms[old] > restart->within_ms)
        old++;
    restart->failed_count -= old;
    if (restart->failed_count > 0)
        memmove(restart->failed_at_ms, restart->failed_at_ms + old, restart->failed_count * sizeof now_ms);
    if (restart->failed_count == restart->failed_capacity) {
        restart->failed_capacity = restart->failed_capacity * 2 + 8;
        restart->failed_at_ms = memory_resize(restart->failed_at_ms, restart->failed_capacity * sizeof now_ms);
    }
    restart->failed_at_ms[restart->failed_count++] = now_ms;
}

bool restart_after_failure(struct restart *restart, uint64_t now_ms, uint64_t ran_ms, uint64_t *delay_ms)
{
    *delay_ms = restart->delay_ms;
    switch (restart->strategy) {
    case RESTART_FIXED_DELAY:
        if (!attempts_left(restart))
            return false;
        break;
    case RESTART_EXPONENTIAL_DELAY:
        if (restart_ran_well(restart, ran_ms))
            restart->restarts = 0;
        if (!attempts_left(restart))
            return false;
        *delay_ms = doubled_delay(restart);
        break;
    case RESTART_FAILURE_RATE:
        remember_failure(restart, now_ms);
        if (restart->failed_count > restart->failures)
            return false;
        break;
    default:
        return false;
    }
    restart->restarts += 1;
    return true;
}

void restart_deinit(struct restart *restart)
{
    free(restart->failed_at_ms);
    *restart = (struct restart){ 0 };
}
