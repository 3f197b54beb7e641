/*
 * The floor under every gap: loops that do nothing but look at the clock, and yet are
 * held up by what else runs, and by the host of a virtual machine. One for each core that
 * it may use, since a job keeps more than one busy. Of the largest gap in each second:
 * the median and the largest one.
 *
 * usage: bench_gaps SECONDS
 */
#include "base/clock.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define SECONDS_MAX 600
#define SECOND_NS 1000000000u

struct core {
    pthread_t thread;
    int number;
    uint64_t seconds, looks;
    uint64_t gaps[SECONDS_MAX];
};

static int compare(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;
    return (first > second) - (first < second);
}

static uint64_t largest_gap_ns(uint64_t *looks)
{
    uint64_t largest = 0, begin = clock_monotonic_ns(), last = begin;
    while (last - begin < SECOND_NS) {
        uint64_t now = clock_monotonic_ns();
        largest = now - last > largest ? now - last : largest;
        last = now;
        ++*looks;
    }
    return largest;
}

static void *look(void *self)
{
    struct core *core = self;
    cpu_set_t own;
    CPU_ZERO(&own);
    CPU_SET(core->number, &own);
    pthread_setaffinity_np(pthread_self(), sizeof own, &own);
    for (uint64_t i = 0; i < core->seconds; i++)
        core->gaps[i] = largest_gap_ns(&core->looks);
    return NULL;
}

int main(int count, char **arguments)
{
    static struct core cores[CPU_SETSIZE];
    static uint64_t gaps[SECONDS_MAX * CPU_SETSIZE];
    uint64_t seconds = count == 2 ? strtoull(arguments[1], NULL, 10) : 0, looks = 0;
    cpu_set_t usable;
    if (seconds == 0 || seconds > SECONDS_MAX || sched_getaffinity(0, sizeof usable, &usable) < 0) {
        fprintf(stderr, "usage: bench_gaps SECONDS (1 to %d)\n", SECONDS_MAX);
        return 2;
    }
    size_t core_count = 0, gap_count = 0;
    for (int number = 0; number < CPU_SETSIZE; number++) {
        if (!CPU_ISSET(number, &usable))
            continue;
        struct core *core = &cores[core_count];
        core->number = number;
        core->seconds = seconds;
        if (pthread_create(&core->thread, NULL, look, core) != 0)
            return 1;
        core_count++;
    }
    for (size_t c = 0; c < core_count; c++) {
        pthread_join(cores[c].thread, NULL);
        looks += cores[c].looks;
        for (uint64_t i = 0; i < seconds; i++)
            gaps[gap_count++] = cores[c].gaps[i];
    }
    qsort(gaps, gap_count, sizeof gaps[0], compare);
    printf("{\"records\":%" PRIu64 ",\"seconds\":%" PRIu64 ",\"median_ms\":%.3f,\"largest_ms\":%.3f}\n", looks, seconds, (double)gaps[gap_count / 2] / 1e6,
           (double)gaps[gap_count - 1] / 1e6);
    return 0;
}
