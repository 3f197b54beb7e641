#include "time/slices.h"

#include "time/instant.h"
#include "time/slice_numbers.h"

#include <string.h>

#define NEAR_SLICES 4

struct slice { int64_t start; uint64_t attempt; uint8_t kept[AGGREGATES_MAX]; union slice_number numbers[]; };
_Static_assert(sizeof(struct slice) == SLICE_HEAD_BYTES, "slices are looked into by others");

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
    shape->bytes = (uint32_t)(sizeof(struct slice) + shape->accumulators * sizeof(union slice_number));
}

static struct slice *slice_at(const char *slice)
{
    return (struct slice *)(uintptr_t)slice;
}

uint32_t slices_find(const struct slices_shape *shape, const char *slices, uint32_t count, int64_t start, bool *found)
{
    /* Records and windows that end mostly mean one of the newest slices, windows that begin the oldest: no need to search. */
    uint32_t low = 0, high = count, near = count < NEAR_SLICES ? 0 : count - NEAR_SLICES;
    *found = false;
    while (high > near && slice_start(slices + (size_t)(high - 1) * shape->bytes) >= start)
        high--;
    if (high > near || high == 0 || slice_start(slices) >= start)
        high = high > near ? high : 0, low = high;
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

void slice_begin(const struct slices_shape *shape, char *bytes, int64_t start, const struct cell *numbers)
{
    struct slice *slice = slice_at(bytes);
    *slice = (struct slice){ .start = start, .attempt = shape->attempt };
    for (uint32_t i = 0; i < shape->aggregates; i++) {
        union slice_number *number = &slice->numbers[shape->first[i]];
        switch (shape->kinds[i]) {
        case AGGREGATE_COUNT: number->real = 1; break;
        case AGGREGATE_AVG: number[0].real = slice_number_real(&numbers[i]), number[1].real = 1; break;
        default: slice->kept[i] = slice_number_set(number, &numbers[i]);
        }
    }
}

/* One number more of an aggregate whose numbers are doubles. */
static inline void add_real(uint8_t kind, union slice_number *number, double more)
{
    switch (kind) {
    case AGGREGATE_COUNT: number->real += 1; break;
    case AGGREGATE_SUM: number->real += more; break;
    case AGGREGATE_MIN: number->real = more < number->real ? more : number->real; break;
    case AGGREGATE_MAX: number->real = number->real < more ? more : number->real; break;
    default: number[0].real += more, number[1].real += 1;
    }
}

static bool all_real(const struct slices_shape *shape, const struct slice *slice, const struct cell *numbers)
{
    bool wide = slice_is_wide((const char *)slice);
    for (uint32_t i = 0; i < shape->aggregates; i++)
        wide |= shape->kinds[i] != AGGREGATE_COUNT && numbers[i].tag != CELL_NUMBER;
    return !wide;
}

/* All numbers are tried before one is changed. */
static int add_wide(const struct slices_shape *shape, struct slice *slice, const struct cell *numbers)
{
    union slice_number fresh[AGGREGATES_MAX];
    uint8_t kept[AGGREGATES_MAX];
    for (uint32_t i = 0; i < shape->aggregates; i++) {
        if (shape->kinds[i] == AGGREGATE_COUNT || shape->kinds[i] == AGGREGATE_AVG)
            continue;
        union slice_number more;
        uint8_t more_kept = slice_number_set(&more, &numbers[i]);
        fresh[i] = slice->numbers[shape->first[i]];
        kept[i] = slice->kept[i];
        int status = slice_number_combine(shape->kinds[i], &fresh[i], &kept[i], more, more_kept);
        if (status < 0)
            return status;
    }
    for (uint32_t i = 0; i < shape->aggregates; i++) {
        union slice_number *number = &slice->numbers[shape->first[i]];
        if (shape->kinds[i] == AGGREGATE_COUNT || shape->kinds[i] == AGGREGATE_AVG)
            add_real(shape->kinds[i], number, slice_number_real(&numbers[i]));
        else
            *number = fresh[i], slice->kept[i] = kept[i];
    }
    return 0;
}

int slice_add(const struct slices_shape *shape, char *bytes, const struct cell *numbers)
{
    struct slice *slice = slice_at(bytes);
    if (!all_real(shape, slice, numbers))
        return add_wide(shape, slice, numbers);
    for (uint32_t i = 0; i < shape->aggregates; i++)
        add_real(shape->kinds[i], &slice->numbers[shape->first[i]], numbers[i].number);
    return 0;
}

int slice_join(const struct slices_shape *shape, char *bytes, const char *other_bytes)
{
    struct slice *slice = slice_at(bytes);
    const struct slice *other = slice_at(other_bytes);
    for (uint32_t i = 0; i < shape->aggregates; i++) {
        union slice_number *number = &slice->numbers[shape->first[i]];
        const union slice_number *more = &other->numbers[shape->first[i]];
        uint8_t kind = shape->kinds[i] == AGGREGATE_MIN || shape->kinds[i] == AGGREGATE_MAX ? shape->kinds[i] : AGGREGATE_SUM;
        int status = slice_number_combine(kind, number, &slice->kept[i], *more, other->kept[i]);
        if (status < 0)
            return status;
        if (shape->kinds[i] == AGGREGATE_AVG)
            number[1].real += more[1].real;
    }
    return 0;
}

/* One accumulator of slices that are `stride` numbers apart, all of them doubles. */
static double fold_real(uint8_t kind, const union slice_number *numbers, uint32_t count, size_t stride)
{
    double total = numbers->real;
    switch (kind) {
    case AGGREGATE_MIN:
        for (uint32_t i = 1; i < count; i++)
            total = numbers[i * stride].real < total ? numbers[i * stride].real : total;
        return total;
    case AGGREGATE_MAX:
        for (uint32_t i = 1; i < count; i++)
            total = total < numbers[i * stride].real ? numbers[i * stride].real : total;
        return total;
    default:
        for (uint32_t i = 1; i < count; i++)
            total += numbers[i * stride].real;
        return total;
    }
}

static int fold_wide(const struct slices_shape *shape, const char *slices, uint32_t count, uint32_t aggregate, struct cell *result)
{
    uint32_t first = shape->first[aggregate];
    union slice_number total = slice_at(slices)->numbers[first];
    uint8_t kept = slice_at(slices)->kept[aggregate];
    for (uint32_t i = 1; i < count; i++) {
        const struct slice *slice = slice_at(slices + (size_t)i * shape->bytes);
        int status = slice_number_combine(shape->kinds[aggregate], &total, &kept, slice->numbers[first], slice->kept[aggregate]);
        if (status < 0)
            return status;
    }
    *result = slice_number_cell(total, kept);
    return 0;
}

static bool is_wide(const struct slices_shape *shape, const char *slices, uint32_t count)
{
    bool wide = false;
    for (uint32_t i = 0; i < count; i++)
        wide |= slice_is_wide(slices + (size_t)i * shape->bytes);
    return wide;
}

int slices_result(const struct slices_shape *shape, const char *slices, uint32_t count, int64_t start, int64_t end, struct cell *results)
{
    bool found;
    uint32_t from = slices_find(shape, slices, count, start, &found);
    uint32_t to = end == TIME_END ? count : slices_find(shape, slices, count, end, &found);
    if (from == to)
        return 0;
    slices += (size_t)from * shape->bytes;
    bool wide = is_wide(shape, slices, to - from);
    for (uint32_t i = 0; i < shape->aggregates; i++) {
        const union slice_number *numbers = &slice_at(slices)->numbers[shape->first[i]];
        size_t stride = shape->bytes / sizeof *numbers;
        int status = 0;
        if (wide && shape->kinds[i] != AGGREGATE_COUNT && shape->kinds[i] != AGGREGATE_AVG)
            status = fold_wide(shape, slices, to - from, i, &results[i]);
        else
            results[i] = cell_of_number(fold_real(shape->kinds[i], numbers, to - from, stride));
        if (status < 0)
            return status;
        if (shape->kinds[i] == AGGREGATE_AVG)
            results[i] = cell_of_number(results[i].number / fold_real(AGGREGATE_SUM, numbers + 1, to - from, stride));
    }
    return 1;
}
