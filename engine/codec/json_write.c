/*
 * Text of cells. A string is first looked through eight bytes at a time for
 * anything that is not plain ASCII; nearly none has any, and is then copied as it is.
 */
#include "codec/json.h"

#include "base/error.h"
#include "codec/bytes.h"
#include "codec/json_index.h"
#include "codec/msgpack.h"
#include "codec/msgpack_token.h"
#include "codec/number.h"
#include "codec/pieces.h"

#include <math.h>

#define ONES 0x0101010101010101u
#define HIGHS 0x8080808080808080u

/* Non-zero if a byte of the word is a control character, a quote, a backslash, or not ASCII; also sometimes where one is not. */
static inline uint64_t word_special(uint64_t word)
{
    uint64_t quote = word ^ ONES * '"', escape = word ^ ONES * '\\';
    return ((word - ONES * 0x20) | (quote - ONES) | (escape - ONES) | word) & HIGHS;
}

static inline bool byte_special(unsigned char byte)
{
    return byte < 0x20 || byte == '"' || byte == '\\' || byte >= 0x80;
}

static inline bool is_plain(struct slice text)
{
    if (text.bytes < 8) {
        bool special = false;
        for (size_t i = 0; i < text.bytes; i++)
            special |= byte_special((unsigned char)text.data[i]);
        return !special;
    }
    uint64_t special = word_special(bytes_load8(text.data + text.bytes - 8));
    for (size_t i = 0; i + 8 < text.bytes; i += 8)
        special |= word_special(bytes_load8(text.data + i));
    return special == 0;
}

static void write_escape(struct buffer *out, unsigned char byte)
{
    static const char letters[] = "btn-fr";
    static const char digits[] = "0123456789abcdef";
    if (byte == '"' || byte == '\\')
        buffer_append(out, (const char[]){ '\\', (char)byte }, 2);
    else if (byte >= '\b' && byte <= '\r' && byte != '\v')
        buffer_append(out, (const char[]){ '\\', letters[byte - '\b'] }, 2);
    else
        buffer_append(out, (const char[]){ '\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15] }, 6);
}

static int write_special_string(struct buffer *out, struct slice text)
{
    if (!json_is_utf8(text.data, text.bytes))
        return error_set(ERROR_FORMAT, "JSON cannot hold a string that is not UTF-8");
    buffer_append_byte(out, '"');
    size_t begin = 0;
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte >= 0x20 && byte != '"' && byte != '\\')
            continue;
        buffer_append(out, text.data + begin, i - begin);
        write_escape(out, byte);
        begin = i + 1;
    }
    buffer_append(out, text.data + begin, text.bytes - begin);
    buffer_append_byte(out, '"');
    return 0;
}

static int write_string(struct buffer *out, struct slice text)
{
    if (!is_plain(text))
        return write_special_string(out, text);
    char *to = buffer_reserve(out, text.bytes + 2);
    to[0] = '"';
    bytes_copy_short(to + 1, text.data, text.bytes);
    to[text.bytes + 1] = '"';
    out->bytes += text.bytes + 2;
    return 0;
}

static int write_number(struct buffer *out, struct cell cell)
{
    if (cell.tag == CELL_NUMBER && !isfinite(cell.number))
        return error_set(ERROR_FORMAT, "JSON cannot hold %s", isnan(cell.number) ? "NaN" : "an infinite number");
    out->bytes += number_write(buffer_reserve(out, NUMBER_TEXT_BYTES_MAX), cell);
    return 0;
}

static int write_scalar(struct buffer *out, struct cell cell)
{
    switch (cell.tag) {
    case CELL_TRUE: buffer_append(out, "true", 4); return 0;
    case CELL_FALSE: buffer_append(out, "false", 5); return 0;
    case CELL_NUMBER: case CELL_INT64: case CELL_UINT64: return write_number(out, cell);
    default: buffer_append(out, "null", 4); return 0;
    }
}

static int write_packed(struct buffer *out, struct slice *in, int depth);

static int write_list(struct buffer *out, struct slice *in, uint64_t count, int depth)
{
    buffer_append_byte(out, '[');
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_append_byte(out, ',');
        int status = write_packed(out, in, depth);
        if (status < 0)
            return status;
    }
    buffer_append_byte(out, ']');
    return 0;
}

static int write_key(struct buffer *out, struct slice *in)
{
    struct slice text;
    if (msgpack_read_string(in, &text) == 0)
        return write_string(out, text);
    struct token token;
    enum token_result result = token_read(in, &token);
    if (result != TOKEN_WHOLE)
        return token_fail(result);
    if (token.kind < TOKEN_NATURAL || token.kind > TOKEN_DOUBLE)
        return error_set(ERROR_FORMAT, "JSON cannot hold a key that is neither a string nor a number");
    buffer_append_byte(out, '"');
    int status = write_number(out, token_cell(token));
    buffer_append_byte(out, '"');
    return status;
}

static int write_map(struct buffer *out, struct slice *in, uint64_t count, int depth)
{
    buffer_append_byte(out, '{');
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_append_byte(out, ',');
        int status = write_key(out, in);
        buffer_append_byte(out, ':');
        if (status == 0)
            status = write_packed(out, in, depth);
        if (status < 0)
            return status;
    }
    buffer_append_byte(out, '}');
    return 0;
}

static int write_packed(struct buffer *out, struct slice *in, int depth)
{
    struct token token;
    enum token_result result = token_read(in, &token);
    if (result != TOKEN_WHOLE)
        return token_fail(result);
    if (token.kind < TOKEN_STRING)
        return write_scalar(out, token_cell(token));
    if (token.kind == TOKEN_STRING) {
        struct slice text = slice_of(in->data, token.bits);
        *in = slice_of(in->data + token.bits, in->bytes - token.bits);
        return write_string(out, text);
    }
    if (token.kind == TOKEN_EXT || depth == MSGPACK_DEPTH_MAX)
        return error_set(ERROR_FORMAT, "JSON is not written for %s", token.kind == TOKEN_EXT ? "msgpack extension types" : "tables nested this deep");
    return token.kind == TOKEN_LIST ? write_list(out, in, token.bits, depth + 1) : write_map(out, in, token.bits, depth + 1);
}

/* The pieces `{"first":`, `,"second":`, ..., and `}`. */
static void pieces_make(const struct shape *shape, struct pieces *pieces)
{
    buffer_append_byte(&pieces->text, '{');
    for (uint32_t i = 0; i < shape->count && pieces->status == 0; i++) {
        if (i > 0)
            buffer_append_byte(&pieces->text, ',');
        pieces->status = write_string(&pieces->text, shape->names[i]);
        buffer_append_byte(&pieces->text, ':');
        pieces->ends[i] = (uint32_t)pieces->text.bytes;
    }
    buffer_append_byte(&pieces->text, '}');
}

static struct pieces_table names = { .make = pieces_make };

static int write_value(struct buffer *out, struct cell cell, const char *bytes);

static int write_row(struct buffer *out, struct cell cell, const char *bytes)
{
    const struct shape *shape = shape_get(cell.length);
    const struct pieces *pieces = pieces_of(&names, shape);
    const struct cell *fields = (const struct cell *)(const void *)(bytes + cell.offset);
    if (pieces->status < 0)
        return error_set(pieces->status, "JSON cannot hold a field name that is not UTF-8");
    uint32_t begin = 0;
    for (uint32_t i = 0; i < shape->count; i++) {
        bytes_append_short(out, pieces->text.data + begin, pieces->ends[i] - begin);
        int status = write_value(out, fields[i], bytes);
        if (status < 0)
            return error_wrap(status, "field '%.*s'", (int)shape->names[i].bytes, shape->names[i].data);
        begin = pieces->ends[i];
    }
    buffer_append(out, pieces->text.data + begin, pieces->text.bytes - begin);
    return 0;
}

static int write_value(struct buffer *out, struct cell cell, const char *bytes)
{
    if (cell.tag < CELL_STRING)
        return write_scalar(out, cell);
    if (cell.tag == CELL_ROW)
        return write_row(out, cell, bytes);
    struct slice text = slice_of(bytes + cell.offset, cell.length);
    return cell.tag == CELL_STRING ? write_string(out, text) : write_packed(out, &text, 0);
}

int json_write_cell(struct buffer *out, struct cell cell, const char *bytes)
{
    size_t start = out->bytes;
    int status = write_value(out, cell, bytes);
    if (status < 0)
        out->bytes = start;
    return status;
}
