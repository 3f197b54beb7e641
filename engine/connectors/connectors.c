#include "connectors/connectors.h"

extern const struct source_vtab sequence_source, random_keys_source, file_source, stdin_source;
extern const struct sink_vtab blackhole_sink, collect_sink, file_sink, meter_sink, stdout_sink;

static const struct source_vtab *const sources[] = {
    &file_source,
    &random_keys_source,
    &sequence_source,
    &stdin_source,
    NULL,
};

static const struct sink_vtab *const sinks[] = {
    &blackhole_sink,
    &collect_sink,
    &file_sink,
    &meter_sink,
    &stdout_sink,
    NULL,
};

const struct source_vtab *source_find(const char *name)
{
    for (size_t i = 0; sources[i] != NULL; i++) {
        if (strcmp(sources[i]->name, name) == 0)
            return sources[i];
    }
    return NULL;
}

const struct sink_vtab *sink_find(const char *name)
{
    for (size_t i = 0; sinks[i] != NULL; i++) {
        if (strcmp(sinks[i]->name, name) == 0)
            return sinks[i];
    }
    return NULL;
}

const struct source_vtab *const *source_all(void)
{
    return sources;
}

const struct sink_vtab *const *sink_all(void)
{
    return sinks;
}

static void name_append(void *self, struct slice name)
{
    buffer_append_slice(self, name);
    buffer_append_byte(self, 0);
}

int source_split_names(const struct source_vtab *vtab, struct source *source, struct buffer *names)
{
    struct split_list list = { name_append, names };
    return vtab->discover(source, &list);
}
