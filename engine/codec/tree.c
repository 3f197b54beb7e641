#include "codec/tree.h"

#include "base/error.h"
#include "codec/msgpack.h"
#include "codec/msgpack_token.h"
#include "codec/packed.h"
#include "codec/row.h"

#define SHAPES_PLENTY (SHAPES_MAX / 4)

static void pack_node(struct buffer *out, struct cell node, const char *bytes);

/* The canonical order of packed keys is that of their encoded bytes: shorter ones first. A shape has its names in byte order. */
static void order_by_length(const struct shape *shape, uint8_t *order)
{
    for (uint32_t i = 0; i < shape->count; i++) {
        uint32_t at = i;
        for (; at > 0 && shape->names[order[at - 1]].bytes > shape->names[i].bytes; at--)
            order[at] = order[at - 1];
        order[at] = (uint8_t)i;
    }
}

static void pack_row(struct buffer *out, const struct shape *shape, const struct cell *fields, const char *bytes)
{
    uint8_t order[SHAPE_FIELDS_MAX];
    order_by_length(shape, order);
    msgpack_write_map(out, shape->count);
    for (uint32_t i = 0; i < shape->count; i++) {
        msgpack_write_string(out, shape->names[order[i]]);
        pack_node(out, fields[order[i]], bytes);
    }
}

static const struct cell *children_of(struct cell node, const char *bytes)
{
    return (const struct cell *)(const void *)(bytes + node.offset);
}

static void pack_node(struct buffer *out, struct cell node, const char *bytes)
{
    switch (node.tag) {
    case CELL_ROW:
        pack_row(out, shape_get(node.length), children_of(node, bytes), bytes);
        break;
    case TREE_LIST:
        msgpack_write_array(out, node.length);
        for (uint32_t i = 0; i < node.length; i++)
            pack_node(out, children_of(node, bytes)[i], bytes);
        break;
    case TREE_PACKED:
        buffer_append(out, bytes + node.offset, node.length);
        break;
    default:
        msgpack_write_cell(out, node, bytes);
    }
}

void tree_pack(struct arena *out, const struct cell *root, const char *bytes)
{
    struct buffer buffer = packed_lend(out);
    pack_node(&buffer, *root, bytes);
    packed_return(out, &buffer);
}

static int unpack_node(struct slice *in, struct arena *arena, struct cell *node, int depth);

static int unpack_list(struct slice *in, uint32_t count, struct arena *arena, struct cell *node, int depth)
{
    uint64_t offset = arena_allocate(arena, count * sizeof *node);
    for (uint32_t i = 0; i < count; i++) {
        struct cell child; /* the arena may move meanwhile */
        int status = unpack_node(in, arena, &child, depth);
        if (status < 0)
            return status;
        ((struct cell *)arena_at(arena, offset))[i] = child;
    }
    *node = (struct cell){ .tag = TREE_LIST, .length = count, .offset = offset };
    return 0;
}

/* 0, a negative code, or 1: not all keys are strings. */
static int unpack_field(struct slice *in, struct arena *arena, struct row_fields *fields, int depth)
{
    struct token token;
    enum token_result result = token_read(in, &token);
    if (result != TOKEN_WHOLE)
        return token_fail(result);
    if (token.kind != TOKEN_STRING)
        return 1;
    fields->names[fields->count] = slice_of(in->data, token.bits);
    *in = slice_of(in->data + token.bits, in->bytes - token.bits);
    return unpack_node(in, arena, &fields->values[fields->count++], depth);
}

/* 0, a negative code, or 1: this map cannot be a row. */
static int unpack_row(struct slice *in, uint64_t count, struct arena *arena, struct cell *node, int depth)
{
    struct row_fields fields;
    fields.count = 0;
    if (count > SHAPE_FIELDS_MAX || shape_count() > SHAPES_PLENTY)
        return 1;
    for (uint64_t i = 0; i < count; i++) {
        int status = unpack_field(in, arena, &fields, depth);
        if (status != 0)
            return status;
    }
    return row_make(&fields, arena, node) == ROW_WITHOUT_SHAPE ? 1 : 0;
}

static int unpack_map(struct slice before, struct slice *in, uint64_t count, struct arena *arena, struct cell *node, int depth)
{
    int status = unpack_row(in, count, arena, node, depth);
    if (status <= 0)
        return status;
    *in = before;
    status = msgpack_skip(in);
    if (status < 0)
        return status;
    size_t bytes = (size_t)(in->data - before.data);
    *node = (struct cell){ .tag = TREE_PACKED, .length = (uint32_t)bytes, .offset = arena_append(arena, before.data, bytes) };
    return 0;
}

static int unpack_node(struct slice *in, struct arena *arena, struct cell *node, int depth)
{
    struct slice before = *in;
    struct token token;
    enum token_result result = token_read(in, &token);
    if (result != TOKEN_WHOLE)
        return token_fail(result);
    if (token.kind >= TOKEN_LIST && depth >= MSGPACK_DEPTH_MAX)
        return error_set(ERROR_TOO_LARGE, "tables are nested deeper than %d", MSGPACK_DEPTH_MAX);
    switch (token.kind) {
    case TOKEN_STRING:
        *node = (struct cell){ .tag = CELL_STRING, .length = (uint32_t)token.bits, .offset = arena_append(arena, in->data, token.bits) };
        *in = slice_of(in->data + token.bits, in->bytes - token.bits);
        return 0;
    case TOKEN_LIST: return unpack_list(in, (uint32_t)token.bits, arena, node, depth + 1);
    case TOKEN_MAP: return unpack_map(before, in, token.bits, arena, node, depth + 1);
    case TOKEN_EXT: return error_set(ERROR_FORMAT, "msgpack extension types are not read");
    default: *node = token_cell(token); return 0;
    }
}

int tree_unpack(const char *packed, uint64_t length, struct arena *arena, struct cell *root)
{
    struct slice in = slice_of(packed, length);
    return unpack_node(&in, arena, root, 0);
}
