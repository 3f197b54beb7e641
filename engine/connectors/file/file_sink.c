#include "connectors/file/file_sink.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/error.h"
#include "base/memory.h"
#include "connectors/file/committable.h"
#include "connectors/file/part_writer.h"
#include "connectors/file/recover.h"

#include <stdlib.h>

#define WRITE_BYTES (256 * 1024)

/* A part that has no final name yet. */
struct closed_part {
    struct part part;
    uint64_t checkpoint;     /* the first that knows it as closed; 0: none so far */
};

struct sink {
    const struct format_vtab *format;
    struct encoder *encoder;
    struct part_writer writer;
    struct closed_part *closed;
    uint32_t closed_count, closed_capacity;
    struct part marked;      /* the parts before it are published; its counter is 0 as long as there are none */
    uint64_t roll_bytes, roll_interval_ns;
    uint64_t records, bytes;
};

static const struct option_spec file_sink_options[] = {
    { "dir", OPTION_TEXT, true, NULL, "The folder; it is made, and holds nothing else that does not begin with a dot." },
    { "roll_size", OPTION_SIZE, false, "134217728", "A part that has this size is closed and another begun." },
    { "roll_interval", OPTION_DURATION, false, "60000", "A part that is this old is closed and another begun." },
    { "prefix", OPTION_TEXT, false, "part", "What the names of the parts begin with." },
    { NULL, 0, false, NULL, NULL },
};

static int options_check(const struct options *options)
{
    const char *prefix = options_text(options, "prefix");
    if (!part_prefix_valid(prefix))
        return error_set(ERROR_ARGUMENT, "option 'prefix' must be 1 to %d letters, digits, '.', '_' and '-', not beginning with a dot, not '%s'",
                         PART_PREFIX_MAX, prefix);
    if (options_text(options, "dir")[0] == 0)
        return error_set(ERROR_ARGUMENT, "option 'dir' is empty");
    if (options_integer(options, "roll_size") < 1)
        return error_set(ERROR_ARGUMENT, "option 'roll_size' must be at least 1 byte");
    if (options_integer(options, "roll_interval") < 0)
        return error_set(ERROR_ARGUMENT, "option 'roll_interval' cannot be negative");
    return 0;
}

static int sink_recover(const struct options *options, const struct format_vtab *format, const struct sink_context *context,
                        const struct slice *committables, uint32_t count, bool older)
{
    (void)format;
    int status = options_check(options);
    if (status < 0)
        return status;
    return file_sink_recover(options_text(options, "dir"), options_text(options, "prefix"), context, committables, count, older);
}

static struct part first_part(const struct options *options, const struct format_vtab *format, const struct sink_context *context)
{
    struct part part = { .run = context->run_id, .subtask = context->subtask };
    strcpy(part.prefix, options_text(options, "prefix"));
    const char *extension = format->file_extension;
    if (extension != NULL && part_extension_valid(extension))
        strcpy(part.extension, extension);
    return part;
}

static int sink_open(struct sink **sink, const struct options *options, const struct format_vtab *format,
                     const struct sink_context *context)
{
    struct encoder *encoder;
    int status = options_check(options);
    if (status == 0)
        status = format->encoder_open(options, &encoder);
    if (status < 0)
        return status;
    struct sink *fresh = memory_new_zeroed(1, sizeof *fresh);
    struct part part = first_part(options, format, context);
    status = part_writer_open(&fresh->writer, options_text(options, "dir"), &part);
    if (status < 0) {
        format->encoder_close(encoder);
        free(fresh);
        return status;
    }
    fresh->format = format;
    fresh->encoder = encoder;
    fresh->roll_bytes = (uint64_t)options_integer(options, "roll_size");
    fresh->roll_interval_ns = (uint64_t)options_integer(options, "roll_interval") * 1000000u;
    *sink = fresh;
    return 0;
}

static bool roll_due(const struct sink *sink)
{
    const struct part_writer *writer = &sink->writer;
    if (!writer->active)
        return false;
    return part_writer_bytes(writer) >= sink->roll_bytes || clock_monotonic_ns() - writer->begun_ns >= sink->roll_interval_ns;
}

/* Close the open part: durable, and waiting for the checkpoint after which it gets its name. */
static int part_close(struct sink *sink)
{
    int status = part_writer_sync(&sink->writer);
    if (status < 0)
        return status;
    if (sink->closed_count == sink->closed_capacity) {
        sink->closed_capacity = sink->closed_capacity * 2 + 8;
        sink->closed = memory_resize(sink->closed, sink->closed_capacity * sizeof sink->closed[0]);
    }
    sink->closed[sink->closed_count++] = (struct closed_part){ .part = sink->writer.part };
    part_writer_end(&sink->writer);
    return 0;
}

/* What begins a file is made from the first records of it. */
static int part_begin(struct sink *sink, const struct batch *batch, int32_t from, int32_t to)
{
    part_writer_begin(&sink->writer);
    if (sink->format->encode_begin_file == NULL)
        return 0;
    struct batch rest = *batch;
    rest.values += from;
    rest.times += from;
    rest.keys += from;
    rest.count = to - from;
    return sink->format->encode_begin_file(sink->encoder, &rest, &sink->writer.pending);
}

/* The part as it was before this call of write(). */
static void unwrite(struct sink *sink, bool active, size_t pending_bytes)
{
    sink->writer.active = active;
    sink->writer.pending.bytes = pending_bytes;
}

static int sink_write(struct sink *sink, const struct batch *batch, int32_t from, int32_t to, int32_t *failed)
{
    struct part_writer *writer = &sink->writer;
    *failed = -1;
    if (from == to)
        return 0;
    int status = roll_due(sink) ? part_close(sink) : 0;
    if (status < 0)
        return status;
    bool was_active = writer->active;
    size_t pending_before = writer->pending.bytes;
    uint64_t bytes_before = part_writer_bytes(writer);
    int bad = was_active ? 0 : part_begin(sink, batch, from, to);
    int32_t taken = from;
    if (bad < 0)
        *failed = from;
    else {
        bad = sink->format->encode(sink->encoder, batch, from, to, &writer->pending, failed);
        taken = bad < 0 ? *failed : to;
    }
    if (taken == from)
        unwrite(sink, was_active, pending_before); /* a header waits for a record that follows it */
    uint64_t bytes = part_writer_bytes(writer) - bytes_before;
    status = writer->pending.bytes >= WRITE_BYTES ? part_writer_write(writer) : 0;
    if (status < 0) {
        unwrite(sink, was_active, pending_before);
        *failed = -1;
        return status;
    }
    sink->records += (uint64_t)(taken - from);
    sink->bytes += bytes;
    return bad;
}

static void committable_fill(const struct sink *sink, struct committable *committable, uint64_t *counters)
{
    const struct part *part = &sink->writer.part;
    *committable = (struct committable){
        .bound = { part->run, part->subtask, part->counter, sink->writer.written },
        .closed = counters,
        .closed_count = sink->closed_count,
    };
    memcpy(committable->prefix, part->prefix, sizeof part->prefix);
    memcpy(committable->extension, part->extension, sizeof part->extension);
    for (uint32_t i = 0; i < sink->closed_count; i++)
        counters[i] = sink->closed[i].part.counter;
}

static int sink_prepare(struct sink *sink, uint64_t checkpoint, enum prepare_kind kind, struct buffer *out)
{
    bool close_it = sink->writer.active && (kind == PREPARE_FINAL || roll_due(sink));
    int status = close_it ? part_close(sink) : part_writer_sync(&sink->writer);
    if (status < 0)
        return status;
    for (uint32_t i = 0; i < sink->closed_count; i++) {
        if (sink->closed[i].checkpoint == 0)
            sink->closed[i].checkpoint = checkpoint;
    }
    struct committable committable;
    uint64_t *counters = memory_new((sink->closed_count + 1) * sizeof counters[0]);
    committable_fill(sink, &committable, counters);
    committable_write(&committable, out);
    free(counters);
    return 0;
}

static int publish(const struct sink *sink, const struct part *part)
{
    crash_point("sink.before_rename");
    int status = part_rename(&sink->writer.folder, part, PART_HIDDEN, PART_PUBLISHED);
    /* A commit that failed half way is repeated. */
    if (status == ERROR_NOT_FOUND && part_bytes(&sink->writer.folder, part, PART_PUBLISHED) >= 0)
        status = 0;
    crash_point("sink.after_rename");
    return status;
}

/* How many parts the checkpoint knows as closed: checkpoints rise along the list. */
static uint32_t committed_count(const struct sink *sink, uint64_t checkpoint)
{
    uint32_t count = 0;
    while (count < sink->closed_count && sink->closed[count].checkpoint != 0 && sink->closed[count].checkpoint <= checkpoint)
        count++;
    return count;
}

/* Before the first of them gets its name, which is when a reader may take it away: a recovery must know that it was there. */
static int mark(struct sink *sink, const struct part *last)
{
    struct part next = *last, before = sink->marked;
    next.counter++;
    if (next.counter == before.counter)
        return 0;            /* of a commit that failed half way */
    int status = part_mark(&sink->writer.folder, &next);
    if (status < 0)
        return status;
    sink->marked = next;
    return before.counter == 0 ? 0 : part_remove(&sink->writer.folder, &before, PART_MARK);
}

static int sink_commit(struct sink *sink, uint64_t checkpoint)
{
    uint32_t count = committed_count(sink, checkpoint);
    if (count == 0)
        return 0;
    int status = mark(sink, &sink->closed[count - 1].part);
    crash_point("sink.after_mark");
    for (uint32_t i = 0; status == 0 && i < count; i++)
        status = publish(sink, &sink->closed[i].part);
    if (status < 0)
        return status;
    crash_point("sink.before_directory_sync");
    status = part_folder_sync(&sink->writer.folder);
    if (status < 0)
        return status;
    crash_point("sink.after_commit");
    sink->closed_count -= count;
    memmove(sink->closed, sink->closed + count, sink->closed_count * sizeof sink->closed[0]);
    return 0;
}

static void sink_counts(struct sink *sink, uint64_t *records, uint64_t *bytes)
{
    *records = sink->records;
    *bytes = sink->bytes;
}

static void sink_close(struct sink *sink)
{
    part_writer_close(&sink->writer);
    sink->format->encoder_close(sink->encoder);
    free(sink->closed);
    free(sink);
}

const struct sink_vtab file_sink = {
    .name = "file",
    .help = "Writes files, exactly once: one gets its final name after the checkpoint that closed it.",
    .options = file_sink_options,
    .has_format = true,
    .guarantee = SINK_EXACTLY_ONCE,
    .recover = sink_recover,
    .open = sink_open,
    .write = sink_write,
    .prepare = sink_prepare,
    .commit = sink_commit,
    .counts = sink_counts,
    .close = sink_close,
};
