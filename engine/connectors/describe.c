#include "connectors/describe.h"

#include "codec/format.h"
#include "connectors/connectors.h"

#include <assert.h>

struct entry {
    const char *name; /* NULL: behind the last one */
    const char *help;
    const struct option_spec *options;
    bool has_format;
};

static struct entry source_entry(const struct source_vtab *source)
{
    if (source == NULL)
        return (struct entry){ 0 };
    return (struct entry){ source->name, source->help, source->options, source->has_format };
}

static struct entry sink_entry(const struct sink_vtab *sink)
{
    if (sink == NULL)
        return (struct entry){ 0 };
    return (struct entry){ sink->name, sink->help, sink->options, sink->has_format };
}

static struct entry format_entry(const struct format_vtab *format)
{
    if (format == NULL)
        return (struct entry){ 0 };
    return (struct entry){ format->name, "", format->options, false };
}

static struct entry entry_at(int kind, int index)
{
    switch (kind) {
    case CONNECTOR_SOURCE: return source_entry(source_all()[index]);
    case CONNECTOR_SINK: return sink_entry(sink_all()[index]);
    default: assert(kind == CONNECTOR_FORMAT); return format_entry(format_all()[index]);
    }
}

int connector_count(int kind)
{
    int count = 0;
    while (entry_at(kind, count).name != NULL)
        count++;
    return count;
}

const char *connector_name(int kind, int index)
{
    return entry_at(kind, index).name;
}

const char *connector_help(int kind, int index)
{
    return entry_at(kind, index).help;
}

const struct option_spec *connector_options(int kind, int index)
{
    return entry_at(kind, index).options;
}

bool connector_has_format(int kind, int index)
{
    return entry_at(kind, index).has_format;
}

bool connector_replayable(int index)
{
    return source_all()[index]->replayable;
}

bool connector_exactly_once(int index)
{
    return sink_all()[index]->guarantee == SINK_EXACTLY_ONCE;
}

static int decoder_try(const struct format_vtab *format, const struct options *options)
{
    struct decoder *decoder;
    int status = format->decoder_open(options, &decoder);
    if (status == 0)
        format->decoder_close(decoder);
    return status;
}

static int encoder_try(const struct format_vtab *format, const struct options *options)
{
    struct encoder *encoder;
    int status = format->encoder_open(options, &encoder);
    if (status == 0)
        format->encoder_close(encoder);
    return status;
}

int connector_format_check(int kind, int format, const struct options *options)
{
    return kind == CONNECTOR_SOURCE ? decoder_try(format_all()[format], options) : encoder_try(format_all()[format], options);
}
