#include "base/clock.h"

int64_t clock_now_ms(void)
{
    return (int64_t)(clock_monotonic_ns() / 1000000u);
}

int64_t clock_now_ns(void)
{
    return (int64_t)clock_monotonic_ns();
}
