/*
 * The floor under the rows of event time: the same records (key, time, value) in plain C
 * loops over arrays, in order, as one writes them by hand who knows that keys are dense and
 * that no record is late.
 *
 * usage: bench_time_floor windows KEYS SIZE SLIDE SECONDS    count, sum and max of each key's windows
 *        bench_time_floor sessions KEYS GAP SECONDS          the same of its sessions
 *        bench_time_floor timers KEYS DELAY SECONDS          a queue of what is due so much later
 *        bench_time_floor interval KEYS REACH PER_MS SECONDS odd values meet even ones of their key that are so near
 * Times are milliseconds; there are PER_MS records in each, or 100.
 */
#include "base/clock.h"
#include "connectors/random_keys.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 1024
#define PER_MS 100

struct figures { double count, sum, max; int64_t last; };
struct due { int64_t time; uint64_t key; };
struct kept { int64_t time; double value; uint64_t before; /* of its key and side */ };

struct floor {
    struct random_keys *generator;
    uint64_t keys, made;
    int64_t size, slide, now;       /* of sessions and timers: size is the gap or delay */
    uint64_t slices;                /* of a window */
    struct figures *figures;        /* by slice and key */
    double *values;
    struct due *queue;
    uint64_t queued, fired, queue_mask;
    uint64_t per_ms;
    struct kept *kept;
    uint64_t *last[2];              /* by side and key: which was kept last; 0: none */
    double checksum;
};

static void add(struct figures *figures, double value)
{
    figures->count++;
    figures->sum += value;
    figures->max = value > figures->max ? value : figures->max;
}

static void emit(struct floor *floor, const struct figures *figures)
{
    floor->checksum += figures->count + figures->sum + figures->max;
}

static struct figures *slice_of_time(struct floor *floor, int64_t time)
{
    return &floor->figures[(uint64_t)(time / floor->slide) % floor->slices * floor->keys];
}

static void windows_end(struct floor *floor)
{
    for (uint64_t key = 0; key < floor->keys; key++) {
        struct figures total = { 0 };
        for (uint64_t slice = 0; slice < floor->slices; slice++) {
            const struct figures *part = &floor->figures[slice * floor->keys + key];
            total.count += part->count;
            total.sum += part->sum;
            total.max = part->max > total.max ? part->max : total.max;
        }
        if (total.count > 0)
            emit(floor, &total);
    }
}

static void windows_one(struct floor *floor, uint64_t key, int64_t time, double value)
{
    while (time >= floor->now + floor->slide) {
        windows_end(floor);
        floor->now += floor->slide;
        memset(slice_of_time(floor, floor->now), 0, floor->keys * sizeof(struct figures));
    }
    add(&slice_of_time(floor, floor->now)[key], value);
}

static void sessions_one(struct floor *floor, uint64_t key, int64_t time, double value)
{
    struct figures *figures = &floor->figures[key];
    if (figures->count > 0 && time - figures->last > floor->size) {
        emit(floor, figures);
        *figures = (struct figures){ 0 };
    }
    figures->last = time;
    add(figures, value);
}

static void timers_one(struct floor *floor, uint64_t key, int64_t time, double value)
{
    while (floor->fired < floor->queued && floor->queue[floor->fired & floor->queue_mask].time <= time) {
        double *kept = &floor->values[floor->queue[floor->fired++ & floor->queue_mask].key];
        floor->checksum += *kept;
        *kept = 0;
    }
    floor->values[key] = value;
    floor->queue[floor->queued++ & floor->queue_mask] = (struct due){ time + floor->size, key };
}

/* Numbers of what is kept go on for ever; what is so old that another lies in its place is out of reach. */
static void interval_one(struct floor *floor, uint64_t key, int64_t time, double value)
{
    int side = (uint64_t)value & 1;
    const struct kept *other;
    for (uint64_t at = floor->last[!side][key]; at != 0 && floor->queued - at < floor->queue_mask; at = other->before) {
        other = &floor->kept[at & floor->queue_mask];
        if (other->time < time - floor->size)
            break;
        floor->checksum += value + other->value;
    }
    floor->queued++;
    floor->kept[floor->queued & floor->queue_mask] = (struct kept){ time, value, floor->last[side][key] };
    floor->last[side][key] = floor->queued;
}

typedef void one_record(struct floor *floor, uint64_t key, int64_t time, double value);

static void run(struct floor *floor, one_record *work, double seconds)
{
    static double keys[BATCH];
    uint64_t end_ns = clock_monotonic_ns() + (uint64_t)(seconds * 1e9);
    while (clock_monotonic_ns() < end_ns) {
        for (int i = 0; i < 64; i++) {
            random_keys_fill(floor->generator, floor->made, 1, keys, BATCH);
            for (int k = 0; k < BATCH; k++, floor->made++)
                work(floor, (uint64_t)keys[k] - 1, (int64_t)(floor->made / floor->per_ms), (double)floor->made);
        }
    }
}

static void *array(uint64_t count, size_t bytes)
{
    void *items = calloc(count, bytes);
    if (items == NULL) {
        fprintf(stderr, "bench_time_floor: no memory\n");
        exit(1);
    }
    return items;
}

static one_record *prepare(struct floor *floor, int count, char **arguments)
{
    bool windows = count == 6 && strcmp(arguments[1], "windows") == 0, interval = count == 6 && strcmp(arguments[1], "interval") == 0;
    if (!windows && !interval && count != 5)
        return NULL;
    floor->per_ms = interval ? strtoull(arguments[4], NULL, 10) : PER_MS;
    floor->keys = strtoull(arguments[2], NULL, 10);
    floor->size = strtoll(arguments[3], NULL, 10);
    floor->slide = windows ? strtoll(arguments[4], NULL, 10) : floor->size;
    floor->slices = (uint64_t)(floor->size / floor->slide);
    floor->generator = random_keys_new(floor->keys, 0, 1);
    floor->figures = array(floor->keys * floor->slices, sizeof floor->figures[0]);
    floor->values = array(floor->keys, sizeof floor->values[0]);
    for (floor->queue_mask = 1; floor->queue_mask < (uint64_t)floor->size * floor->per_ms * 2;)
        floor->queue_mask *= 2;
    floor->queue = array(floor->queue_mask, sizeof floor->queue[0]);
    floor->kept = array(floor->queue_mask--, sizeof floor->kept[0]);
    for (int side = 0; side < 2; side++)
        floor->last[side] = array(floor->keys, sizeof floor->last[side][0]);
    if (interval)
        return interval_one;
    return windows ? windows_one : strcmp(arguments[1], "sessions") == 0 ? sessions_one : strcmp(arguments[1], "timers") == 0 ? timers_one : NULL;
}

int main(int count, char **arguments)
{
    static struct floor floor;
    one_record *work = prepare(&floor, count, arguments);
    if (work == NULL) {
        fprintf(stderr, "usage: bench_time_floor windows KEYS SIZE SLIDE SECONDS | sessions KEYS GAP SECONDS | timers KEYS DELAY SECONDS | "
                        "interval KEYS REACH PER_MS SECONDS\n");
        return 2;
    }
    uint64_t begin_ns = clock_monotonic_ns(), begin_cpu_ns = clock_process_cpu_ns();
    run(&floor, work, strtod(arguments[count - 1], NULL));
    double seconds = (double)(clock_monotonic_ns() - begin_ns) / 1e9, cpu_seconds = (double)(clock_process_cpu_ns() - begin_cpu_ns) / 1e9;
    printf("{\"records\":%" PRIu64 ",\"seconds\":%.6f,\"cpu_seconds\":%.6f,\"checksum\":%.0f}\n", floor.made, seconds, cpu_seconds, floor.checksum);
    random_keys_free(floor.generator);
    free(floor.figures);
    free(floor.values);
    free(floor.queue);
    free(floor.kept);
    free(floor.last[0]);
    free(floor.last[1]);
    return 0;
}
