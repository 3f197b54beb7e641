#include "codec/format.h"

extern const struct format_vtab format_json, format_csv, format_lines, format_msgpack;

static const struct format_vtab *const formats[] = { &format_json, &format_csv, &format_lines, &format_msgpack, NULL };

const struct format_vtab *const *format_all(void)
{
    return formats;
}

const struct format_vtab *format_find(const char *name)
{
    for (const struct format_vtab *const *format = formats; *format != NULL; format++) {
        if (strcmp((*format)->name, name) == 0)
            return *format;
    }
    return NULL;
}
