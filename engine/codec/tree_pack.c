/* Writing. */
#include "codec/tree.h"

#include "base/error.h"
#include "codec/msgpack.h"
#include "codec/packed.h"
#include "codec/packed_number.h"
#include "codec/row.h"

static int pack_node(struct buffer *out, struct cell node, const char *bytes);

static const struct cell *cells_of(struct cell node, const char *bytes)
{
    return (const struct cell *)(const void *)(bytes + node.offset);
}

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

static int pack_row(struct buffer *out, struct cell node, const char *bytes)
{
    const struct shape *shape = shape_get(node.length);
    uint8_t order[SHAPE_FIELDS_MAX];
    order_by_length(shape, order);
    msgpack_write_map(out, shape->count);
    int status = 0;
    for (uint32_t i = 0; i < shape->count && status == 0; i++) {
        msgpack_write_string(out, shape->names[order[i]]);
        status = pack_node(out, cells_of(node, bytes)[order[i]], bytes);
    }
    return status;
}

static int pack_list(struct buffer *out, struct cell node, const char *bytes)
{
    msgpack_write_array(out, node.length);
    int status = 0;
    for (uint32_t i = 0; i < node.length && status == 0; i++)
        status = pack_node(out, cells_of(node, bytes)[i], bytes);
    return status;
}

static void pack_numbers(struct buffer *out, struct cell node, const char *bytes)
{
    const double *numbers = (const double *)(const void *)(bytes + node.offset);
    msgpack_write_array(out, node.length);
    uint8_t *at = (uint8_t *)buffer_reserve(out, (size_t)node.length * PACKED_NUMBER_BYTES_MAX + PACKED_NUMBER_ROOM);
    for (uint32_t i = 0; i < node.length; i++)
        at += packed_put_number(at, numbers[i]);
    out->bytes = (size_t)((char *)at - out->data);
}

static int pack_map(struct buffer *out, struct cell node, const char *bytes)
{
    struct packed_map map = packed_map_begin(out);
    for (uint32_t i = 0; i < node.length; i++) {
        const struct cell *pair = cells_of(node, bytes) + (size_t)i * 2;
        size_t key = out->bytes;
        msgpack_write_cell(out, pair[0], bytes);
        packed_map_key(&map, out, key);
        int status = pack_node(out, pair[1], bytes);
        if (status < 0)
            return status;
    }
    if (packed_map_end(&map, out, PACKED_REFUSE) < 0)
        return error_set(ERROR_FORMAT, "a table has the same key twice");
    return 0;
}

static int pack_node(struct buffer *out, struct cell node, const char *bytes)
{
    switch (node.tag) {
    case CELL_ROW: return pack_row(out, node, bytes);
    case TREE_LIST: return pack_list(out, node, bytes);
    case TREE_MAP: return pack_map(out, node, bytes);
    case TREE_NUMBERS: pack_numbers(out, node, bytes); return 0;
    default: msgpack_write_cell(out, node, bytes); return 0;
    }
}

int tree_pack(struct arena *out, const struct cell *root, const char *bytes)
{
    size_t used = out->used;
    struct buffer buffer = packed_lend(out);
    int status = pack_node(&buffer, *root, bytes);
    if (status < 0)
        buffer.bytes = used;
    packed_return(out, &buffer);
    return status;
}

/* A node as the field of a record. */
static int read_field(struct arena *out, const struct cell *node, const char *bytes, struct cell *field)
{
    *field = *node;
    if (node->tag == CELL_STRING) {
        field->offset = arena_append(out, bytes + node->offset, node->length);
    } else if (node->tag == CELL_ROW || node->tag >= TREE_LIST) {
        size_t start = out->used;
        int status = tree_pack(out, node, bytes);
        *field = (struct cell){ .tag = CELL_PACKED, .length = (uint32_t)(out->used - start), .offset = start };
        return status;
    }
    return 0;
}

/* 0, a negative code, or 1: it can be none. */
static int read_row(struct arena *out, const struct cell *root, const char *bytes, struct cell *row)
{
    struct row_fields fields;
    if (root->tag != TREE_MAP || root->length > SHAPE_FIELDS_MAX)
        return 1;
    for (fields.count = 0; fields.count < root->length; fields.count++) {
        const struct cell *pair = cells_of(*root, bytes) + (size_t)fields.count * 2;
        if (pair->tag != CELL_STRING)
            return 1;
        fields.names[fields.count] = slice_of(bytes + pair->offset, pair->length);
        int status = read_field(out, pair + 1, bytes, &fields.values[fields.count]);
        if (status < 0)
            return status;
    }
    return row_make(&fields, out, row) == ROW_MADE ? 0 : 1;
}

int tree_record(struct arena *out, const struct cell *root, const char *bytes, struct cell *record)
{
    size_t start = out->used;
    int status = read_row(out, root, bytes, record);
    if (status == 0)
        return 0;
    out->used = start;
    if (status > 0)
        status = tree_pack(out, root, bytes);
    *record = (struct cell){ .tag = CELL_PACKED, .length = (uint32_t)(out->used - start), .offset = start };
    return status;
}
