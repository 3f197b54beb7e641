#include "time/slices.h"

#include <string.h>

static int64_t greatest_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

void slices_shape_init(struct slices_shape *shape, const struct window_shape *windows, const uint8_t *kinds, uint32_t count)
{
    *shape = (struct slices_shape){ .length = greatest_divisor(windows->size, windows->slide), .aggregates = count };
    for (uint32_t i = 0; i < count; i++) {
        shape->kinds[i] = kinds[i];
        shape->first[i] = shape->accumulators;
        shape->accumulators += kinds[i] == AGGREGATE_AVG ? 2 : 1;
    }
    shape->bytes = (uint32_t)(sizeof(int64_t) + shape->accumulators * sizeof(double));
}

uint32_t slices_find(const struct slices_shape *shape, const char *slices, uint32_t count, int64_t start, bool *found)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slice_start(slices + (size_t)middle * shape->bytes) < start)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < count && slice_start(slices + (size_t)low * shape->bytes) == start;
    return low;
}

void slice_begin(const struct slices_shape *shape, char *slice, int64_t start, const double *numbers)
{
    memcpy(slice, &start, sizeof start);
    double *accumulators = slice_accumulators(slice);
    for (uint32_t i = 0; i < shape->aggregates; i++) {
        accumulators[shape->first[i]] = shape->kinds[i] == AGGREGATE_COUNT ? 1 : numbers[i];
        if (shape->kinds[i] == AGGREGATE_AVG)
            accumulators[shape->first[i] + 1] = 1;
    }
}

static void accumulate(double *into, uint8_t kind, const double *more)
{
    switch (kind) {
    case AGGREGATE_MIN: *into = *more < *into ? *more : *into; break;
    case AGGREGATE_MAX: *into = *into < *more ? *more : *into; break;
    case AGGREGATE_AVG: *into += *more, into[1] += more[1]; break;
    default: *into += *more;
    }
}

void slice_add(const struct slices_shape *shape, char *slice, const double *numbers)
{
    double *accumulators = slice_accumulators(slice);
    for (uint32_t i = 0; i < shape->aggregates; i++) {
        double one[2] = { shape->kinds[i] == AGGREGATE_COUNT ? 1 : numbers[i], 1 };
        accumulate(&accumulators[shape->first[i]], shape->kinds[i], one);
    }
}

bool slices_any(const struct slices_shape *shape, const char *slices, uint32_t count, int64_t start, int64_t end)
{
    bool found;
    uint32_t at = slices_find(shape, slices, count, start, &found);
    return at < count && slice_start(slices + (size_t)at * shape->bytes) < end;
}

bool slices_result(const struct slices_shape *shape, const char *slices, uint32_t count, int64_t start, int64_t end, double *results)
{
    double total[AGGREGATES_MAX * 2];
    bool found, any = false;
    for (uint32_t at = slices_find(shape, slices, count, start, &found); at < count; at++) {
        char *slice = (char *)(uintptr_t)slices + (size_t)at * shape->bytes;
        if (slice_start(slice) >= end)
            break;
        const double *more = slice_accumulators(slice);
        for (uint32_t i = 0; any && i < shape->aggregates; i++)
            accumulate(&total[shape->first[i]], shape->kinds[i], &more[shape->first[i]]);
        if (!any)
            memcpy(total, more, shape->accumulators * sizeof total[0]);
        any = true;
    }
    for (uint32_t i = 0; any && i < shape->aggregates; i++)
        results[i] = shape->kinds[i] == AGGREGATE_AVG ? total[shape->first[i]] / total[shape->first[i] + 1] : total[shape->first[i]];
    return any;
}
