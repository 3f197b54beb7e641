#include "time/slice_sums.h"

#include "time/slice_numbers.h"

#include <string.h>

#define SLICES_OF_WINDOW_MIN 8 /* fewer are added as fast each time */

/* ---- Numbers ---- */

static const double *numbers_of(const char *slice)
{
    return (const double *)(const void *)(slice + SLICE_HEAD_BYTES);
}

/* `left` is of the earlier slices. Numbers that are none do not come here but in sums, where all ways lead to them. */
static void join(const struct slices_shape *shape, double *left, const double *right)
{
    for (uint32_t i = 0; i < shape->aggregates; i++) {
        double *a = &left[shape->first[i]];
        const double *b = &right[shape->first[i]];
        switch (shape->kinds[i]) {
        case AGGREGATE_MIN: *a = *b < *a ? *b : *a; break;
        case AGGREGATE_MAX: *a = *a < *b ? *b : *a; break;
        case AGGREGATE_AVG: a[0] += b[0], a[1] += b[1]; break;
        default: *a += *b;
        }
    }
}

static bool order_matters(const struct slices_shape *shape, const char *slice)
{
    const double *numbers = numbers_of(slice);
    bool matters = slice_is_wide(slice);
    for (uint32_t i = 0; i < shape->aggregates; i++) {
        bool least_or_most = shape->kinds[i] == AGGREGATE_MIN || shape->kinds[i] == AGGREGATE_MAX;
        matters |= least_or_most && numbers[shape->first[i]] != numbers[shape->first[i]];
    }
    return matters;
}

static void note(const struct slices_shape *shape, struct slice_sums *sums, const char *slice)
{
    if (order_matters(shape, slice) && slice_start(slice) > sums->unsummed)
        sums->unsummed = slice_start(slice);
}

/* ---- Sums up to the boundary ---- */

struct sum { int64_t start; double numbers[]; };

static struct sum *sum_at(const struct slices_shape *shape, struct slice_sums *sums, uint32_t place)
{
    return (struct sum *)(void *)&sums->numbers[shape->accumulators + (size_t)place * (1 + shape->accumulators)];
}

static const char *slice_at(const struct slices_shape *shape, const struct slices_view *view, uint32_t place)
{
    return place < view->count ? view->slices + (size_t)place * shape->bytes : view->newest;
}

/* The first slice that begins at `start` or later: its place, which is that of the newest one behind the others. */
static uint32_t place_from(const struct slices_shape *shape, const struct slices_view *view, int64_t start)
{
    bool found;
    uint32_t place = slices_find(shape, view->slices, view->count, start, &found);
    bool behind = place == view->count && view->newest != NULL && slice_start(view->newest) < start;
    return place + behind;
}

bool slice_sums_pay(const struct slices_shape *shape, const struct window_shape *windows)
{
    return windows->slide < windows->size && windows->size / shape->length >= SLICES_OF_WINDOW_MIN;
}

int64_t slice_sums_boundary(const struct slices_shape *shape, const struct window_shape *windows, uint32_t key, const struct window *window)
{
    int64_t shift = (int64_t)(key % (uint64_t)(windows->size / shape->length)) * shape->length;
    int64_t before = window_start(window->start, windows->offset % windows->size + shift, windows->size);
    return before == window->start ? before : before + windows->size;
}

uint32_t slice_sums_wanted(const struct slices_shape *shape, const struct slices_view *view, const struct window *window, int64_t boundary)
{
    return place_from(shape, view, boundary) - place_from(shape, view, window->start);
}

uint32_t slice_sums_bytes(const struct slices_shape *shape, uint32_t count)
{
    uint32_t numbers = shape->accumulators + count * (1 + shape->accumulators);
    return (uint32_t)(sizeof(struct slice_sums) + numbers * sizeof(double));
}

bool slice_sums_serve(const struct slice_sums *sums, const struct window *window)
{
    return window->start <= sums->boundary && sums->boundary < window->end && sums->until <= window->end;
}

void slice_sums_make(const struct slices_shape *shape, struct slice_sums *sums, const struct slices_view *view, const struct window *window,
                     int64_t boundary, uint32_t count)
{
    uint32_t from = count == 0 ? 0 : place_from(shape, view, window->start);
    size_t bytes = shape->accumulators * sizeof(double);
    *sums = (struct slice_sums){ .boundary = boundary, .until = boundary, .unsummed = INT64_MIN, .count = count };
    for (uint32_t i = count; i-- > 0;) {
        const char *slice = slice_at(shape, view, from + i);
        struct sum *sum = sum_at(shape, sums, i);
        sum->start = slice_start(slice);
        memcpy(sum->numbers, numbers_of(slice), bytes);
        if (i + 1 < count)
            join(shape, sum->numbers, sum_at(shape, sums, i + 1)->numbers);
        note(shape, sums, slice);
    }
}

/* ---- The sum from the boundary on ---- */

static void add(const struct slices_shape *shape, struct slice_sums *sums, const char *slice)
{
    if (sums->any == 0)
        memcpy(sums->numbers, numbers_of(slice), shape->accumulators * sizeof(double));
    else
        join(shape, sums->numbers, numbers_of(slice));
    sums->any++;
    note(shape, sums, slice);
}

void slice_sums_extend(const struct slices_shape *shape, struct slice_sums *sums, const struct slices_view *view, const struct window *window, bool older)
{
    uint32_t place = view->count;
    bool found;
    if (older)
        place = slices_find(shape, view->slices, view->count, sums->until, &found);
    for (; place < view->count && slice_start(slice_at(shape, view, place)) < window->end; place++)
        add(shape, sums, slice_at(shape, view, place));
    if (view->newest != NULL && slice_start(view->newest) >= sums->until && slice_start(view->newest) < window->end)
        add(shape, sums, view->newest);
    sums->until = window->end;
}

/* The sum from the first slice of a window on; NULL: none is before the boundary. Windows mostly want one behind the other. */
static const struct sum *sum_from(const struct slices_shape *shape, struct slice_sums *sums, int64_t start)
{
    while (sums->next < sums->count && sum_at(shape, sums, sums->next)->start < start)
        sums->next++;
    while (sums->next > 0 && sum_at(shape, sums, sums->next - 1)->start >= start)
        sums->next--;
    return sums->next < sums->count ? sum_at(shape, sums, sums->next) : NULL;
}

static void tell(const struct slices_shape *shape, const double *numbers, struct cell *results)
{
    for (uint32_t i = 0; i < shape->aggregates; i++) {
        const double *number = &numbers[shape->first[i]];
        results[i] = cell_of_number(shape->kinds[i] == AGGREGATE_AVG ? number[0] / number[1] : number[0]);
    }
}

int slice_sums_result(const struct slices_shape *shape, struct slice_sums *sums, const struct window *window, struct cell *results)
{
    const struct sum *before = sum_from(shape, sums, window->start);
    if (before == NULL && sums->any == 0)
        return SLICE_SUMS_NONE;
    if (sums->unsummed >= window->start)
        return SLICE_SUMS_UNTOLD;
    double total[2 * AGGREGATES_MAX];
    if (before == NULL) {
        tell(shape, sums->numbers, results);
        return SLICE_SUMS_TOLD;
    }
    memcpy(total, before->numbers, shape->accumulators * sizeof(double));
    if (sums->any > 0)
        join(shape, total, sums->numbers);
    tell(shape, total, results);
    return SLICE_SUMS_TOLD;
}
