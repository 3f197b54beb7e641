#include "connectors/describe.h"

#include "codec/format.h"
#include "connectors/connectors.h"

#include <assert.h>

static int length(const void *const *list)
{
    int count = 0;
    while (list[count] != NULL)
        count++;
    return count;
}

static const void *const *tables(int kind)
{
    switch (kind) {
    case CONNECTOR_SOURCE: return (const void *const *)source_all();
    case CONNECTOR_SINK: return (const void *const *)sink_all();
    default: assert(kind == CONNECTOR_FORMAT); return (const void *const *)format_all();
    }
}

int connector_count(int kind)
{
    return length(tables(kind));
}

const char *connector_name(int kind, int index)
{
    switch (kind) {
    case CONNECTOR_SOURCE: return source_all()[index]->name;
    case CONNECTOR_SINK: return sink_all()[index]->name;
    default: return format_all()[index]->name;
    }
}

const char *connector_help(int kind, int index)
{
    switch (kind) {
    case CONNECTOR_SOURCE: return source_all()[index]->help;
    case CONNECTOR_SINK: return sink_all()[index]->help;
    default: return "";
    }
}

const struct option_spec *connector_options(int kind, int index)
{
    switch (kind) {
    case CONNECTOR_SOURCE: return source_all()[index]->options;
    case CONNECTOR_SINK: return sink_all()[index]->options;
    default: return format_all()[index]->options;
    }
}

bool connector_has_format(int kind, int index)
{
    switch (kind) {
    case CONNECTOR_SOURCE: return source_all()[index]->has_format;
    case CONNECTOR_SINK: return sink_all()[index]->has_format;
    default: return false;
    }
}

bool connector_replayable(int index)
{
    return source_all()[index]->replayable;
}

bool connector_exactly_once(int index)
{
    return sink_all()[index]->guarantee == SINK_EXACTLY_ONCE;
}
