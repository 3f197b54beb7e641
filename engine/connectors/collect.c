/*
 * The sink whose results a test or the prompt reads: the file sink, in msgpack,
 * below the job's data directory, so that results survive a kill like any other.
 */
#include "base/error.h"
#include "connectors/file/file_sink.h"
#include "connectors/file/part.h"

static const struct option_spec collect_options[] = {
    { "name", OPTION_TEXT, false, "results", "What the results are called; they lie in <data>/collect/<name>/." },
    { NULL, 0, false, NULL, NULL },
};

/* The options of the file sink that collects, to be freed by the caller. */
static int file_options(const struct options *options, const struct sink_context *context, struct options **own)
{
    const char *name = options_text(options, "name");
    if (!part_prefix_valid(name))
        return error_set(ERROR_ARGUMENT, "option 'name' must be 1 to %d letters, digits, '.', '_' and '-', not beginning with a dot, not '%s'",
                         PART_PREFIX_MAX, name);
    struct buffer path;
    buffer_init(&path);
    buffer_append_format(&path, "%s/collect/%s", context->data, name);
    *own = options_new();
    int status = options_set(*own, file_sink.options, "dir", NULL, path.data);
    if (status == 0)
        status = options_complete(*own, file_sink.options);
    if (status < 0)
        options_free(*own);
    buffer_deinit(&path);
    return status;
}

static int sink_recover(const struct options *options, const struct format_vtab *format, const struct sink_context *context,
                        const struct slice *committables, uint32_t count, bool older)
{
    (void)format;
    struct options *own;
    int status = file_options(options, context, &own);
    if (status < 0)
        return status;
    status = file_sink.recover(own, format_find("msgpack"), context, committables, count, older);
    options_free(own);
    return status;
}

static int sink_open(struct sink **sink, const struct options *options, const struct format_vtab *format,
                     const struct sink_context *context)
{
    (void)format;
    struct options *own;
    int status = file_options(options, context, &own);
    if (status < 0)
        return status;
    status = file_sink.open(sink, own, format_find("msgpack"), context);
    options_free(own);
    return status;
}

/* An object of the file sink does the rest itself. */
static int sink_write(struct sink *sink, const struct batch *batch, int32_t from, int32_t to, int32_t *failed)
{
    return file_sink.write(sink, batch, from, to, failed);
}

static int sink_prepare(struct sink *sink, uint64_t checkpoint, enum prepare_kind kind, struct buffer *committable)
{
    return file_sink.prepare(sink, checkpoint, kind, committable);
}

static int sink_commit(struct sink *sink, uint64_t checkpoint)
{
    return file_sink.commit(sink, checkpoint);
}

static void sink_counts(struct sink *sink, uint64_t *records, uint64_t *bytes)
{
    file_sink.counts(sink, records, bytes);
}

static void sink_close(struct sink *sink)
{
    file_sink.close(sink);
}

const struct sink_vtab collect_sink = {
    .name = "collect",
    .help = "Keeps results for tests and the prompt, exactly once.",
    .options = collect_options,
    .guarantee = SINK_EXACTLY_ONCE,
    .recover = sink_recover,
    .open = sink_open,
    .write = sink_write,
    .prepare = sink_prepare,
    .commit = sink_commit,
    .counts = sink_counts,
    .close = sink_close,
};
