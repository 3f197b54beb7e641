/*
 * Writing. The packer's callback is known where msgpack-c's functions are
 * expanded, so the compiler turns each of them into plain stores. The names of a
 * shape are encoded once and then copied: `map head + first name`, `second name`,
 * and so on, one piece before each value.
 */
#include "codec/msgpack.h"

#include "codec/bytes.h"
#include "codec/pieces.h"

#include <msgpack/pack.h>

static inline int packer_append(void *out, const char *data, size_t bytes)
{
    buffer_append(out, data, bytes);
    return 0;
}

static inline msgpack_packer packer_of(struct buffer *out)
{
    return (msgpack_packer){ out, packer_append };
}

void msgpack_write_nil(struct buffer *out)
{
    msgpack_packer packer = packer_of(out);
    msgpack_pack_nil(&packer);
}

void msgpack_write_bool(struct buffer *out, bool truth)
{
    msgpack_packer packer = packer_of(out);
    if (truth)
        msgpack_pack_true(&packer);
    else
        msgpack_pack_false(&packer);
}

void msgpack_write_uint(struct buffer *out, uint64_t natural)
{
    msgpack_packer packer = packer_of(out);
    msgpack_pack_uint64(&packer, natural);
}

void msgpack_write_int(struct buffer *out, int64_t integer)
{
    msgpack_packer packer = packer_of(out);
    if (integer >= 0)
        msgpack_pack_uint64(&packer, (uint64_t)integer);
    else
        msgpack_pack_int64(&packer, integer);
}

void msgpack_write_double(struct buffer *out, double number)
{
    bool in_range = number >= -(double)CELL_INTEGER_MAX && number <= (double)CELL_INTEGER_MAX;
    if (in_range && (double)(int64_t)number == number) {
        msgpack_write_int(out, (int64_t)number);
        return;
    }
    msgpack_packer packer = packer_of(out);
    /* One NaN, whatever its bits: the bytes follow from the value. */
    msgpack_pack_double(&packer, number == number ? number : __builtin_nan(""));
}

void msgpack_write_string(struct buffer *out, struct slice text)
{
    msgpack_packer packer = packer_of(out);
    msgpack_pack_str(&packer, text.bytes);
    /* The body is no business of the packer's: it would copy the bytes with a call. */
    bytes_append_short(out, text.data, text.bytes);
}

void msgpack_write_array(struct buffer *out, uint32_t count)
{
    msgpack_packer packer = packer_of(out);
    msgpack_pack_array(&packer, count);
}

void msgpack_write_map(struct buffer *out, uint32_t count)
{
    msgpack_packer packer = packer_of(out);
    msgpack_pack_map(&packer, count);
}

static void pieces_make(const struct shape *shape, struct pieces *pieces)
{
    msgpack_write_map(&pieces->text, shape->count);
    for (uint32_t i = 0; i < shape->count; i++) {
        msgpack_write_string(&pieces->text, shape->names[i]);
        pieces->ends[i] = (uint32_t)pieces->text.bytes;
    }
}

static struct pieces_table names = { .make = pieces_make };

static void write_row(struct buffer *out, struct cell cell, const char *bytes)
{
    const struct shape *shape = shape_get(cell.length);
    const struct pieces *pieces = pieces_of(&names, shape);
    const struct cell *fields = (const struct cell *)(const void *)(bytes + cell.offset);
    if (shape->count == 0)
        buffer_append_slice(out, buffer_slice(&pieces->text));
    for (uint32_t i = 0, begin = 0; i < shape->count; i++) {
        bytes_append_short(out, pieces->text.data + begin, pieces->ends[i] - begin);
        msgpack_write_cell(out, fields[i], bytes);
        begin = pieces->ends[i];
    }
}

void msgpack_write_cell(struct buffer *out, struct cell cell, const char *bytes)
{
    switch (cell.tag) {
    case CELL_FALSE: case CELL_TRUE: msgpack_write_bool(out, cell.tag == CELL_TRUE); break;
    case CELL_NUMBER: msgpack_write_double(out, cell.number); break;
    case CELL_INT64: msgpack_write_int(out, cell.integer); break;
    case CELL_UINT64: msgpack_write_uint(out, cell.natural); break;
    case CELL_STRING: msgpack_write_string(out, slice_of(bytes + cell.offset, cell.length)); break;
    case CELL_ROW: write_row(out, cell, bytes); break;
    case CELL_PACKED: buffer_append(out, bytes + cell.offset, cell.length); break;
    default: msgpack_write_nil(out);
    }
}
