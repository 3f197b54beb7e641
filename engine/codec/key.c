/* Keys: which values may be one, and their canonical bytes (L4). */
#include "codec/key.h"

#include "base/error.h"
#include "base/hash.h"
#include "codec/msgpack.h"
#include "codec/msgpack_token.h"

static int write_string(struct slice *in, uint64_t bytes, struct buffer *out)
{
    msgpack_write_string(out, slice_of(in->data, bytes));
    *in = slice_of(in->data + bytes, in->bytes - bytes);
    return 0;
}

static int write_scalar(struct buffer *out, struct cell cell)
{
    if (cell.tag == CELL_NUMBER && cell.number != cell.number)
        return error_set(ERROR_ARGUMENT, "a key cannot be NaN");
    if (cell.tag == CELL_NULL || cell.tag == CELL_ABSENT)
        return error_set(ERROR_ARGUMENT, "a key cannot be %s", cell.tag == CELL_NULL ? "null" : "nil");
    msgpack_write_cell(out, cell, NULL);
    return 0;
}

static int write_element(struct slice *in, struct buffer *out)
{
    struct token token;
    enum token_result result = token_read(in, &token);
    if (result != TOKEN_WHOLE)
        return token_fail(result);
    if (token.kind == TOKEN_STRING)
        return write_string(in, token.bits, out);
    if (token.kind > TOKEN_STRING)
        return error_set(ERROR_ARGUMENT, "a key cannot be a list with tables in it");
    return write_scalar(out, token_cell(token));
}

static int write_list(struct buffer *out, struct slice packed)
{
    struct token token;
    enum token_result result = token_read(&packed, &token);
    if (result != TOKEN_WHOLE)
        return token_fail(result);
    if (token.kind != TOKEN_LIST)
        return error_set(ERROR_ARGUMENT, "a key cannot be a map");
    int status = 0;
    msgpack_write_array(out, (uint32_t)token.bits);
    for (uint64_t i = 0; i < token.bits && status == 0; i++)
        status = write_element(&packed, out);
    return status;
}

static int write_key(struct buffer *out, struct cell cell, const char *bytes)
{
    switch (cell.tag) {
    case CELL_STRING: msgpack_write_string(out, slice_of(bytes + cell.offset, cell.length)); return 0;
    case CELL_PACKED: return write_list(out, slice_of(bytes + cell.offset, cell.length));
    case CELL_ROW: return error_set(ERROR_ARGUMENT, "a key cannot be a map");
    default: return write_scalar(out, cell);
    }
}

int msgpack_write_key(struct buffer *out, struct cell cell, const char *bytes)
{
    size_t start = out->bytes;
    int status = write_key(out, cell, bytes);
    if (status < 0)
        out->bytes = start;
    return status;
}

uint64_t key_hash(struct slice key)
{
    return hash_bytes(key.data, key.bytes);
}

uint32_t key_of_number(uint8_t *out, double number)
{
    return key_write_number(out, number);
}
