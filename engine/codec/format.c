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

int encoder_open_stateless(const struct options *options, struct encoder **encoder)
{
    (void)options;
    *encoder = NULL;
    return 0;
}

void encoder_close_stateless(struct encoder *encoder)
{
    (void)encoder;
}

int encode_each(const struct batch *batch, int32_t from, int32_t to, struct buffer *out, int32_t *failed,
                int (*write)(struct cell cell, const char *bytes, struct buffer *out))
{
    for (int32_t i = from; i < to; i++) {
        int status = write(batch->values[i], batch->arena.bytes, out);
        if (status < 0) {
            *failed = i;
            return status;
        }
    }
    return 0;
}
