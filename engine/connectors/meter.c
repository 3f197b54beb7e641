/*
 * The sink that measures: how late records come, and how long it waits for them.
 *
 * A record is a number, the moment at which it was due, in nanoseconds of the
 * monotonic clock (mt.random_keys with `due`): its delay goes into a histogram
 * whose cells are at most 1/64 wide. Beside that, the longest time between two
 * writes is kept for every checkpoint, from its barrier to the next one, or for each
 * time of a given length; and the longest while a checkpoint was under way, which is
 * what it may have stalled: at other times there is nothing of it.
 *
 * What was seen is written when the sink is closed, as one line of JSON, into
 * `path`.<subtask>: the moment of the first write, delays as pairs of nanoseconds
 * and how often, gaps as nanoseconds.
 */
#include "dataflow/sink.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_BITS 6
#define CELLS ((64 - CELL_BITS + 1) << CELL_BITS)

struct sink {
    struct buffer path;
    uint64_t warm_up_ns, every_ns, records;
    bool delays;
    uint64_t first_ns, last_ns;   /* 0: nothing was written yet */
    bool under_way, completed;    /* a checkpoint is, from its barrier to the first write behind its end */
    uint64_t gap_ns, stall_ns;    /* the longest since the last barrier; of those while its checkpoint was under way */
    uint64_t counted_ns;          /* with every_ns: the moment that gap_ns is counted from */
    struct buffer gaps, stalls;   /* uint64_t each */
    uint64_t cells[CELLS];
};

static const struct option_spec meter_options[] = {
    { "path", OPTION_TEXT, true, NULL, "The file for what was measured; \".0\" and so on is added for each subtask." },
    { "delays", OPTION_BOOL, false, "true", "Records are numbers, the nanosecond at which each was due; false: they may be anything, only gaps are measured." },
    { "warm_up", OPTION_DURATION, false, "0", "Neither delays nor gaps of so long after the first record are counted." },
    { "every", OPTION_DURATION, false, "0", "The longest gap of each so long, instead of that from barrier to barrier." },
    { NULL, 0, false, NULL, NULL },
};

static int sink_open(struct sink **sink, const struct options *options, const struct format_vtab *format,
                     const struct sink_context *context)
{
    (void)format;
    struct sink *fresh = memory_new_zeroed(1, sizeof *fresh);
    fresh->warm_up_ns = (uint64_t)options_integer(options, "warm_up") * 1000000u;
    fresh->every_ns = (uint64_t)options_integer(options, "every") * 1000000u;
    fresh->delays = options_bool(options, "delays");
    buffer_append_format(&fresh->path, "%s.%" PRIu32, options_text(options, "path"), context->subtask);
    *sink = fresh;
    return 0;
}

/* Below 64 a cell for each number, above that 64 cells for each power of two. */
static uint32_t cell_of(uint64_t ns)
{
    if (ns < 1u << CELL_BITS)
        return (uint32_t)ns;
    uint32_t power = 63u - (uint32_t)__builtin_clzll(ns);
    return ((power - CELL_BITS + 1) << CELL_BITS) + (uint32_t)((ns >> (power - CELL_BITS)) & ((1u << CELL_BITS) - 1));
}

/* The least number of a cell. */
static uint64_t least_of(uint32_t cell)
{
    if (cell < 1u << CELL_BITS)
        return cell;
    uint32_t power = (cell >> CELL_BITS) + CELL_BITS - 1;
    return ((uint64_t)1 << power) + ((uint64_t)(cell & ((1u << CELL_BITS) - 1)) << (power - CELL_BITS));
}

static int delays_count(struct sink *sink, const struct batch *batch, int32_t from, int32_t to, uint64_t now_ns, int32_t *failed)
{
    for (int32_t i = from; i < to; i++) {
        if (batch->values[i].tag != CELL_NUMBER) {
            *failed = i;
            return error_set(ERROR_ARGUMENT, "mt.meter takes numbers: the nanosecond at which the record was due");
        }
        double due_ns = batch->values[i].number;
        sink->cells[cell_of(due_ns < (double)now_ns ? now_ns - (uint64_t)(due_ns < 0 ? 0 : due_ns) : 0)]++;
    }
    return 0;
}

static void gap_done(struct sink *sink)
{
    if (sink->gap_ns > 0)
        buffer_append(&sink->gaps, &sink->gap_ns, sizeof sink->gap_ns);
    sink->gap_ns = 0;
}

static void stall_count(struct sink *sink, uint64_t gap_ns)
{
    if (!sink->under_way)
        return;
    if (gap_ns > sink->stall_ns)
        sink->stall_ns = gap_ns;
    if (sink->completed && sink->stall_ns > 0)
        buffer_append(&sink->stalls, &sink->stall_ns, sizeof sink->stall_ns);
    sink->under_way = !sink->completed;
}

static void gap_count(struct sink *sink, uint64_t now_ns, bool counts)
{
    uint64_t gap_ns = counts && sink->last_ns > 0 ? now_ns - sink->last_ns : 0;
    if (gap_ns > sink->gap_ns)
        sink->gap_ns = gap_ns;
    sink->last_ns = now_ns;
    stall_count(sink, gap_ns);
    if (sink->every_ns == 0 || now_ns - sink->counted_ns < sink->every_ns)
        return;
    gap_done(sink);
    sink->counted_ns = now_ns;
}

static int sink_write(struct sink *sink, const struct batch *batch, int32_t from, int32_t to, int32_t *failed)
{
    uint64_t now_ns = clock_monotonic_ns();
    if (sink->first_ns == 0)
        sink->first_ns = now_ns;
    bool counts = now_ns - sink->first_ns >= sink->warm_up_ns;
    gap_count(sink, now_ns, counts);
    sink->records += (uint64_t)(to - from);
    return counts && sink->delays ? delays_count(sink, batch, from, to, now_ns, failed) : 0;
}

static int sink_prepare(struct sink *sink, uint64_t checkpoint, enum prepare_kind kind, struct buffer *committable)
{
    (void)checkpoint, (void)kind, (void)committable;
    if (sink->every_ns == 0)
        gap_done(sink);
    sink->stall_ns = 0;
    sink->under_way = true;
    sink->completed = false;
    return 0;
}

static int sink_commit(struct sink *sink, uint64_t checkpoint)
{
    (void)checkpoint;
    sink->completed = true;
    return 0;
}

static void numbers_append(const struct buffer *numbers, struct buffer *json)
{
    for (size_t at = 0; at < numbers->bytes; at += sizeof(uint64_t)) {
        uint64_t number;
        memcpy(&number, numbers->data + at, sizeof number);
        buffer_append_format(json, "%s%" PRIu64, at == 0 ? "" : ",", number);
    }
}

static void results_append(const struct sink *sink, struct buffer *json)
{
    const char *comma = "";
    buffer_append_format(json, "{\"first_ns\":%" PRIu64 ",\"records\":%" PRIu64 ",\"delays\":[", sink->first_ns, sink->records);
    for (uint32_t i = 0; i < CELLS; i++) {
        if (sink->cells[i] == 0)
            continue;
        buffer_append_format(json, "%s[%" PRIu64 ",%" PRIu64 "]", comma, least_of(i), sink->cells[i]);
        comma = ",";
    }
    buffer_append_format(json, "],\"gaps\":[");
    numbers_append(&sink->gaps, json);
    buffer_append_format(json, "],\"stalls\":[");
    numbers_append(&sink->stalls, json);
    buffer_append_format(json, "]}\n");
}

static void sink_counts(struct sink *sink, uint64_t *records, uint64_t *bytes)
{
    *records = sink->records;
    *bytes = 0;
}

/* What cannot be written is said, and nothing more can be done: the job is over. */
static void sink_close(struct sink *sink)
{
    struct buffer json = { 0 };
    results_append(sink, &json);
    FILE *file = fopen(sink->path.data, "w");
    if (file == NULL || fwrite(json.data, 1, json.bytes, file) != json.bytes || fclose(file) != 0)
        fprintf(stderr, "moontide: meter: cannot write %s: %s\n", sink->path.data, strerror(errno));
    buffer_deinit(&json);
    buffer_deinit(&sink->gaps);
    buffer_deinit(&sink->stalls);
    buffer_deinit(&sink->path);
    free(sink);
}

const struct sink_vtab meter_sink = {
    .name = "meter",
    .help = "Measures how long after they were due records come, and how long it waits for them.",
    .options = meter_options,
    .guarantee = SINK_AT_LEAST_ONCE,
    .open = sink_open,
    .write = sink_write,
    .prepare = sink_prepare,
    .commit = sink_commit,
    .counts = sink_counts,
    .close = sink_close,
};
