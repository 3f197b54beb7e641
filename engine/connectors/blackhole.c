/*
 * The sink that takes everything and keeps nothing: the baseline of
 * measurements, and the one to copy for a new connector. To write one:
 *
 *   1. copy this file, fill in the option table and the functions (the contract of
 *      each is in dataflow/sink.h, of a source in dataflow/source.h);
 *   2. add its table to connectors.c, two lines;
 *   3. prove it in spec/engine/connectors/<name>_spec.lua.
 *
 * Help, the checks of options and the Lua constructor come from the option table.
 */
#include "dataflow/sink.h"

#include "base/memory.h"

#include <stdlib.h>

struct sink {
    uint64_t records;
};

static const struct option_spec blackhole_options[] = {
    { NULL, 0, false, NULL, NULL },
};

static int sink_open(struct sink **sink, const struct options *options, const struct format_vtab *format,
                     const struct sink_context *context)
{
    (void)options, (void)format, (void)context;
    *sink = memory_new_zeroed(1, sizeof **sink);
    return 0;
}

static int sink_write(struct sink *sink, const struct batch *batch, int32_t from, int32_t to, int32_t *failed)
{
    (void)batch, (void)failed;
    sink->records += (uint64_t)(to - from);
    return 0;
}

static void sink_counts(struct sink *sink, uint64_t *records, uint64_t *bytes)
{
    *records = sink->records;
    *bytes = 0;
}

static void sink_close(struct sink *sink)
{
    free(sink);
}

const struct sink_vtab blackhole_sink = {
    .name = "blackhole",
    .help = "Takes everything, keeps nothing, counts.",
    .options = blackhole_options,
    .guarantee = SINK_AT_LEAST_ONCE,
    .open = sink_open,
    .write = sink_write,
    .counts = sink_counts,
    .close = sink_close,
};
