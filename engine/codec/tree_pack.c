/*
 * Writing. The pairs of a map come in no order: they are packed one after the
 * other and then put in the order of their keys' bytes.
 */
#include "codec/tree.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/bytes.h"
#include "codec/msgpack.h"
#include "codec/packed.h"
#include "codec/packed_number.h"
#include "codec/row.h"

#include <stdlib.h>

#define PAIRS_KEPT 32
#define PAIRS_FEW 16
#define BODY_KEPT 1024

/* A packed key and value, `at` bytes behind the first one. */
struct pair { size_t at, bytes; struct slice key; };

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
    char *at = buffer_reserve(out, (size_t)node.length * PACKED_NUMBER_BYTES_MAX);
    for (uint32_t i = 0; i < node.length; i++)
        at = packed_put_number(at, numbers[i]);
    out->bytes = (size_t)(at - out->data);
}

static int compare_keys(const void *left, const void *right)
{
    struct slice a = ((const struct pair *)left)->key, b = ((const struct pair *)right)->key;
    int first = (uint8_t)a.data[0] - (uint8_t)b.data[0]; /* of short texts the length */
    return first != 0 ? first : slice_compare(a, b);
}

static void sort_pairs(struct pair *pairs, uint32_t count)
{
    if (count > PAIRS_FEW) {
        qsort(pairs, count, sizeof *pairs, compare_keys);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        struct pair pair = pairs[i];
        uint32_t to = i;
        for (; to > 0 && compare_keys(&pairs[to - 1], &pair) > 0; to--)
            pairs[to] = pairs[to - 1];
        pairs[to] = pair;
    }
}

static int write_pairs(struct buffer *out, const struct pair *pairs, uint32_t count)
{
    msgpack_write_map(out, count);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && slice_equal(pairs[i - 1].key, pairs[i].key))
            return error_set(ERROR_FORMAT, "a table has the same key twice");
        bytes_append_short(out, pairs[i].key.data, pairs[i].bytes);
    }
    return 0;
}

/* The pairs from `start` on again, with their head and in their order. */
static int put_in_order(struct buffer *out, size_t start, struct pair *pairs, uint32_t count)
{
    char kept[BODY_KEPT];
    size_t bytes = out->bytes - start;
    char *body = bytes <= sizeof kept ? kept : memory_new(bytes);
    memcpy(body, out->data + start, bytes);
    out->bytes = start;
    for (uint32_t i = 0; i < count; i++)
        pairs[i].key.data = body + pairs[i].at;
    sort_pairs(pairs, count);
    int status = write_pairs(out, pairs, count);
    if (body != kept)
        free(body);
    return status;
}

static int pack_pairs(struct buffer *out, struct cell node, const char *bytes, struct pair *pairs)
{
    size_t start = out->bytes;
    for (uint32_t i = 0; i < node.length; i++) {
        const struct cell *cells = cells_of(node, bytes) + (size_t)i * 2;
        size_t key = out->bytes;
        msgpack_write_cell(out, cells[0], bytes);
        size_t value = out->bytes;
        int status = pack_node(out, cells[1], bytes);
        if (status < 0)
            return status;
        pairs[i] = (struct pair){ .at = key - start, .bytes = out->bytes - key, .key.bytes = value - key };
    }
    return put_in_order(out, start, pairs, node.length);
}

static int pack_map(struct buffer *out, struct cell node, const char *bytes)
{
    struct pair kept[PAIRS_KEPT];
    struct pair *pairs = node.length <= PAIRS_KEPT ? kept : memory_new(node.length * sizeof *pairs);
    int status = pack_pairs(out, node, bytes, pairs);
    if (pairs != kept)
        free(pairs);
    return status;
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
