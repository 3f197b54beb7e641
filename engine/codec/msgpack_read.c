/*
 * Reading, in one pass and without trees: a token is a head that was checked
 * against the bytes that are left. A nested table is read and written again in
 * canonical form, since what comes from outside may not have it.
 */
#include "codec/msgpack.h"

#include "base/error.h"
#include "codec/batch.h"
#include "codec/bytes.h"
#include "codec/msgpack_token.h"
#include "codec/packed.h"
#include "codec/row.h"

#include <math.h>

const struct token_form token_forms[32] = {
    { TOKEN_NIL, 0 }, { UINT8_MAX, 0 }, { TOKEN_FALSE, 0 }, { TOKEN_TRUE, 0 },
    { TOKEN_STRING, 1 }, { TOKEN_STRING, 2 }, { TOKEN_STRING, 4 },      /* bin */
    { TOKEN_EXT, 1 }, { TOKEN_EXT, 2 }, { TOKEN_EXT, 4 },
    { TOKEN_FLOAT, 4 }, { TOKEN_DOUBLE, 8 },
    { TOKEN_NATURAL, 1 }, { TOKEN_NATURAL, 2 }, { TOKEN_NATURAL, 4 }, { TOKEN_NATURAL, 8 },
    { TOKEN_NEGATIVE, 1 }, { TOKEN_NEGATIVE, 2 }, { TOKEN_NEGATIVE, 4 }, { TOKEN_NEGATIVE, 8 },
    { TOKEN_EXT, 0 }, { TOKEN_EXT, 0 }, { TOKEN_EXT, 0 }, { TOKEN_EXT, 0 }, { TOKEN_EXT, 0 }, /* 1, 2, 4, 8, 16 bytes */
    { TOKEN_STRING, 1 }, { TOKEN_STRING, 2 }, { TOKEN_STRING, 4 },
    { TOKEN_LIST, 2 }, { TOKEN_LIST, 4 }, { TOKEN_MAP, 2 }, { TOKEN_MAP, 4 },
};

static bool fits(const struct token *token, size_t left)
{
    switch (token->kind) {
    case TOKEN_STRING: case TOKEN_EXT: case TOKEN_LIST: return token->bits <= left;
    case TOKEN_MAP: return token->bits <= left / 2;
    default: return true;
    }
}

enum token_result token_read_wide(struct slice *in, struct token *token)
{
    uint8_t head = (uint8_t)in->data[0];
    struct token_form form = token_forms[head & 0x1f];
    size_t left = in->bytes - 1;
    if (form.kind == UINT8_MAX)
        return TOKEN_INVALID;
    if (left < form.operand_bytes)
        return TOKEN_CUT_SHORT;
    token->kind = (enum token_kind)form.kind;
    token->bits = token_operand(in->data + 1, form.operand_bytes);
    if (form.kind == TOKEN_NEGATIVE && form.operand_bytes < 8) {
        uint32_t unused = 64 - 8 * form.operand_bytes;
        token->bits = (uint64_t)((int64_t)(token->bits << unused) >> unused);
    } else if (form.kind == TOKEN_EXT) {
        token->bits = (form.operand_bytes == 0 ? 1u << (head - 0xd4) : token->bits) + 1;
    }
    left -= form.operand_bytes;
    if (!fits(token, left))
        return TOKEN_CUT_SHORT;
    *in = slice_of(in->data + 1 + form.operand_bytes, left);
    return TOKEN_WHOLE;
}

int token_fail(enum token_result result)
{
    if (result == TOKEN_INVALID)
        return error_set(ERROR_FORMAT, "not msgpack: the byte 0xc1 begins nothing");
    return error_set(ERROR_FORMAT, "a msgpack value is cut short");
}

static int deeper(int depth)
{
    if (depth >= MSGPACK_DEPTH_MAX)
        return error_set(ERROR_FORMAT, "tables are nested deeper than %d", MSGPACK_DEPTH_MAX);
    return depth + 1;
}

static void slice_take(struct slice *in, size_t bytes)
{
    *in = slice_of(in->data + bytes, in->bytes - bytes);
}

static int copy_value(struct slice *in, struct buffer *out, int depth);

static int copy_list(struct slice *in, uint64_t count, struct buffer *out, int depth)
{
    depth = deeper(depth);
    int status = depth < 0 ? depth : 0;
    msgpack_write_array(out, (uint32_t)count);
    for (uint64_t i = 0; i < count && status == 0; i++)
        status = copy_value(in, out, depth);
    return status;
}

/* What no Lua table has as a key: a record with it could be neither decoded nor sent on, not even as a dead letter. */
static int check_map_key(struct slice key)
{
    struct token token;
    token_read(&key, &token);
    switch (token.kind) {
    case TOKEN_NIL: return error_set(ERROR_FORMAT, "a map has nil as a key");
    case TOKEN_LIST: case TOKEN_MAP: return error_set(ERROR_FORMAT, "a map has a list or a map as a key");
    case TOKEN_DOUBLE: return isnan(token_cell(token).number) ? error_set(ERROR_FORMAT, "a map has NaN as a key") : 0;
    default: return 0;
    }
}

static int copy_map_key(struct slice *in, struct packed_map *map, struct buffer *out, int depth)
{
    size_t key = out->bytes;
    int status = copy_value(in, out, depth);
    packed_map_key(map, out, key);
    return status < 0 ? status : check_map_key(slice_of(out->data + key, out->bytes - key));
}

static int copy_map(struct slice *in, uint64_t count, struct buffer *out, int depth)
{
    depth = deeper(depth);
    int status = depth < 0 ? depth : 0;
    struct packed_map map = packed_map_begin(out);
    for (uint64_t i = 0; i < count && status == 0; i++) {
        status = copy_map_key(in, &map, out, depth);
        if (status == 0)
            status = copy_value(in, out, depth);
    }
    return status < 0 ? status : packed_map_end(&map, out, PACKED_REFUSE);
}

/* One value, in canonical form. */
static int copy_value(struct slice *in, struct buffer *out, int depth)
{
    struct token token;
    enum token_result result = token_read(in, &token);
    if (result != TOKEN_WHOLE)
        return token_fail(result);
    switch (token.kind) {
    case TOKEN_STRING:
        msgpack_write_string(out, slice_of(in->data, token.bits));
        slice_take(in, token.bits);
        return 0;
    case TOKEN_LIST: return copy_list(in, token.bits, out, depth);
    case TOKEN_MAP: return copy_map(in, token.bits, out, depth);
    case TOKEN_EXT: return error_set(ERROR_FORMAT, "msgpack extension types are not read");
    default: msgpack_write_cell(out, token_cell(token), NULL); return 0;
    }
}

static int read_packed(struct slice *in, struct arena *arena, struct cell *cell, int depth)
{
    struct buffer out = packed_lend(arena);
    size_t start = out.bytes;
    int status = copy_value(in, &out, depth);
    *cell = (struct cell){ .tag = CELL_PACKED, .length = (uint32_t)(out.bytes - start), .offset = start };
    packed_return(arena, &out);
    return status;
}

/* A value that is no row: `before` is `in` at its head. */
static int read_flat(struct token token, struct slice before, struct slice *in, struct arena *arena, struct cell *cell, int depth)
{
    if (token.kind < TOKEN_STRING) {
        *cell = token_cell(token);
        return 0;
    }
    if (token.kind != TOKEN_STRING) {
        *in = before;
        return read_packed(in, arena, cell, depth);
    }
    bytes_copy_short(bytes_room(arena, token.bits), in->data, token.bits);
    *cell = (struct cell){ .tag = CELL_STRING, .length = (uint32_t)token.bits, .offset = arena->used };
    arena->used += token.bits;
    slice_take(in, token.bits);
    return 0;
}

/* 0, a negative code, or 1: not all keys are strings. */
static int read_field(struct slice *in, struct arena *arena, struct row_fields *fields)
{
    struct token token;
    enum token_result result = token_read(in, &token);
    if (result != TOKEN_WHOLE)
        return token_fail(result);
    if (token.kind != TOKEN_STRING)
        return 1;
    fields->names[fields->count] = slice_of(in->data, token.bits);
    slice_take(in, token.bits);
    struct slice before = *in;
    result = token_read(in, &token);
    if (result != TOKEN_WHOLE)
        return token_fail(result);
    return read_flat(token, before, in, arena, &fields->values[fields->count++], 1);
}

/* 0, a negative code, or 1: this map cannot be a row. */
static int read_row(struct slice *in, uint64_t count, struct arena *arena, struct cell *cell)
{
    struct row_fields fields;
    fields.count = 0;
    if (count > SHAPE_FIELDS_MAX)
        return 1;
    int status = 0;
    for (uint64_t i = 0; i < count && status == 0; i++)
        status = read_field(in, arena, &fields);
    if (status != 0)
        return status;
    enum row_result result = row_make(&fields, arena, cell);
    if (result == ROW_REPEATED)
        return error_set(ERROR_FORMAT, "a map has the same key twice");
    return result == ROW_WITHOUT_SHAPE ? 1 : 0;
}

static int read_value(struct slice *in, struct arena *arena, struct cell *cell)
{
    struct slice before = *in;
    size_t used = arena->used;
    struct token token;
    enum token_result result = token_read(in, &token);
    if (result != TOKEN_WHOLE)
        return token_fail(result);
    if (token.kind != TOKEN_MAP)
        return read_flat(token, before, in, arena, cell, 0);
    int status = read_row(in, token.bits, arena, cell);
    if (status <= 0)
        return status;
    *in = before;
    arena->used = used;
    return read_packed(in, arena, cell, 0);
}

int msgpack_read_cell(struct slice *in, struct arena *arena, struct cell *cell)
{
    struct slice before = *in;
    size_t used = arena->used;
    int status = read_value(in, arena, cell);
    if (status == 0 && before.bytes - in->bytes > RECORD_BYTES_MAX)
        status = error_set(ERROR_TOO_LARGE, "a value of more than %d bytes", RECORD_BYTES_MAX);
    if (status < 0) {
        *in = before;
        arena->used = used;
    }
    return status;
}
