/* Written by way of msgpack, token by token, and slowly: this is for failures. */
#include "codec/json_show.h"

#include "base/text.h"
#include "codec/json.h"
#include "codec/json_index.h"
#include "codec/msgpack.h"
#include "codec/msgpack_token.h"

#include <math.h>

static void show_string(struct buffer *out, struct slice text)
{
    struct buffer clean = { 0 };
    if (!json_is_utf8(text.data, text.bytes)) {
        text_append_printable(&clean, text);
        text = buffer_slice(&clean);
    }
    json_write_cell(out, (struct cell){ .tag = CELL_STRING, .length = (uint32_t)text.bytes }, text.data);
    buffer_deinit(&clean);
}

static void show_scalar(struct buffer *out, struct cell cell, bool valid)
{
    if (cell.tag != CELL_NUMBER || isfinite(cell.number)) {
        json_write_cell(out, cell, NULL);
        return;
    }
    const char *text = isnan(cell.number) ? "NaN" : cell.number > 0 ? "Infinity" : "-Infinity";
    buffer_append_format(out, valid ? "\"%s\"" : "%s", text);
}

static bool show_packed(struct buffer *out, struct slice *in, int depth, bool valid);

static bool show_list(struct buffer *out, struct slice *in, uint64_t count, int depth, bool valid)
{
    bool whole = true;
    buffer_append_byte(out, '[');
    for (uint64_t i = 0; i < count && whole; i++) {
        if (i > 0)
            buffer_append_byte(out, ',');
        whole = show_packed(out, in, depth, valid);
    }
    buffer_append_byte(out, ']');
    return whole;
}

static bool show_key(struct buffer *out, struct slice *in, int depth)
{
    struct buffer key = { 0 };
    bool whole = show_packed(&key, in, depth, false);
    if (key.bytes > 0 && *key.data == '"')
        buffer_append_slice(out, buffer_slice(&key));
    else
        show_string(out, buffer_slice(&key));
    buffer_deinit(&key);
    return whole;
}

static bool show_map(struct buffer *out, struct slice *in, uint64_t count, int depth, bool valid)
{
    bool whole = true;
    buffer_append_byte(out, '{');
    for (uint64_t i = 0; i < count && whole; i++) {
        if (i > 0)
            buffer_append_byte(out, ',');
        whole = show_key(out, in, depth);
        buffer_append_byte(out, ':');
        if (whole)
            whole = show_packed(out, in, depth, valid);
        else
            buffer_append_format(out, "null");
    }
    buffer_append_byte(out, '}');
    return whole;
}

/* False where the bytes are damaged, or go deeper than any value: what follows has no meaning. */
static bool show_packed(struct buffer *out, struct slice *in, int depth, bool valid)
{
    struct token token;
    if (depth > MSGPACK_DEPTH_MAX || token_read(in, &token) != TOKEN_WHOLE) {
        buffer_append_format(out, "\"(unreadable)\"");
        return false;
    }
    if (token.kind == TOKEN_LIST)
        return show_list(out, in, token.bits, depth + 1, valid);
    if (token.kind == TOKEN_MAP)
        return show_map(out, in, token.bits, depth + 1, valid);
    if (token.kind != TOKEN_STRING && token.kind != TOKEN_EXT) {
        show_scalar(out, token_cell(token), valid);
        return true;
    }
    size_t bytes = (size_t)token.bits;
    if (token.kind == TOKEN_STRING)
        show_string(out, slice_of(in->data, bytes));
    else
        buffer_append_format(out, "\"(a msgpack extension)\"");
    *in = slice_of(in->data + bytes, in->bytes - bytes);
    return true;
}

void json_show_cell(struct buffer *out, struct cell cell, const char *bytes, bool valid)
{
    if (json_write_cell(out, cell, bytes) == 0)
        return;
    struct buffer packed = { 0 };
    msgpack_write_cell(&packed, cell, bytes);
    struct slice in = buffer_slice(&packed);
    show_packed(out, &in, 0, valid);
    buffer_deinit(&packed);
}
