/* Reading. */
#include "codec/tree.h"

#include "base/error.h"
#include "codec/msgpack.h"
#include "codec/msgpack_token.h"
#include "codec/row.h"

#define SHAPES_PLENTY (SHAPES_MAX / 4)

static int unpack_node(struct slice *in, struct arena *arena, struct cell *node, int depth);

/* False where it is no number, or none that a double holds. */
static bool take_number(struct slice *in, double *number)
{
    if (in->bytes > 0 && (int8_t)in->data[0] >= -32) { /* most of them: a byte that is the number */
        *number = (int8_t)in->data[0];
        *in = slice_of(in->data + 1, in->bytes - 1);
        return true;
    }
    struct token token;
    if (token_read(in, &token) != TOKEN_WHOLE || token.kind < TOKEN_NATURAL || token.kind > TOKEN_DOUBLE)
        return false;
    struct cell cell = token_cell(token);
    *number = cell.number;
    return cell.tag == CELL_NUMBER;
}

/* False where not all elements are numbers, with `in` and the arena as they were. */
static bool unpack_numbers(struct slice *in, uint64_t count, struct arena *arena, struct cell *node)
{
    size_t used = arena->used;
    uint64_t offset = arena_allocate(arena, count * sizeof(double));
    double *numbers = arena_at(arena, offset);
    struct slice rest = *in;
    for (uint64_t i = 0; i < count; i++) {
        if (!take_number(&rest, &numbers[i])) {
            arena->used = used;
            return false;
        }
    }
    *in = rest;
    *node = (struct cell){ .tag = TREE_NUMBERS, .length = (uint32_t)count, .offset = offset };
    return true;
}

/* The nodes from the one of index `first` on, of which there are `count` at `offset`. */
static int unpack_nodes(struct slice *in, uint64_t first, uint64_t count, struct arena *arena, uint64_t offset, int depth)
{
    for (uint64_t i = first; i < count; i++) {
        struct cell child; /* the arena may move meanwhile */
        int status = unpack_node(in, arena, &child, depth);
        if (status < 0)
            return status;
        ((struct cell *)arena_at(arena, offset))[i] = child;
    }
    return 0;
}

static int unpack_list(struct slice *in, uint64_t count, struct arena *arena, struct cell *node, int depth)
{
    if (unpack_numbers(in, count, arena, node))
        return 0;
    *node = (struct cell){ .tag = TREE_LIST, .length = (uint32_t)count, .offset = arena_allocate(arena, count * sizeof *node) };
    return unpack_nodes(in, 0, count, arena, node->offset, depth);
}

static struct cell string_node(struct arena *arena, struct slice text)
{
    return (struct cell){ .tag = CELL_STRING, .length = (uint32_t)text.bytes, .offset = arena_append(arena, text.data, text.bytes) };
}

/* 0, a negative code, or 1: the next key is no string. */
static int unpack_field(struct slice *in, struct arena *arena, struct row_fields *fields, int depth)
{
    struct slice rest = *in;
    struct token token;
    enum token_result result = token_read(&rest, &token);
    if (result != TOKEN_WHOLE)
        return token_fail(result);
    if (token.kind != TOKEN_STRING)
        return 1;
    fields->names[fields->count] = slice_of(rest.data, token.bits);
    *in = slice_of(rest.data + token.bits, rest.bytes - token.bits);
    return unpack_node(in, arena, &fields->values[fields->count++], depth);
}

/* As unpack_field(), all of them. */
static int unpack_fields(struct slice *in, uint64_t count, struct arena *arena, struct row_fields *fields, int depth)
{
    fields->count = 0;
    if (count > SHAPE_FIELDS_MAX || shape_count() > SHAPES_PLENTY)
        return 1;
    int status = 0;
    while (fields->count < count && status == 0)
        status = unpack_field(in, arena, fields, depth);
    return status;
}

/* A map that is no row, of which `fields` were read before this was known. */
static int unpack_pairs(struct slice *in, uint64_t count, const struct row_fields *fields, struct arena *arena, struct cell *node, int depth)
{
    uint64_t offset = arena_allocate(arena, count * 2 * sizeof *node);
    for (uint32_t i = 0; i < fields->count; i++) {
        struct cell key = string_node(arena, fields->names[i]);
        struct cell *pair = (struct cell *)arena_at(arena, offset) + (size_t)i * 2;
        pair[0] = key;
        pair[1] = fields->values[i];
    }
    *node = (struct cell){ .tag = TREE_MAP, .length = (uint32_t)count, .offset = offset };
    return unpack_nodes(in, fields->count * 2, count * 2, arena, offset, depth);
}

static int unpack_map(struct slice *in, uint64_t count, struct arena *arena, struct cell *node, int depth)
{
    struct row_fields fields;
    int status = unpack_fields(in, count, arena, &fields, depth);
    if (status < 0)
        return status;
    if (status == 0 && row_make(&fields, arena, node) != ROW_WITHOUT_SHAPE)
        return 0;
    return unpack_pairs(in, count, &fields, arena, node, depth);
}

static int unpack_node(struct slice *in, struct arena *arena, struct cell *node, int depth)
{
    struct token token;
    enum token_result result = token_read(in, &token);
    if (result != TOKEN_WHOLE)
        return token_fail(result);
    if (token.kind >= TOKEN_LIST && depth >= MSGPACK_DEPTH_MAX)
        return error_set(ERROR_TOO_LARGE, "tables are nested deeper than %d", MSGPACK_DEPTH_MAX);
    switch (token.kind) {
    case TOKEN_STRING:
        *node = string_node(arena, slice_of(in->data, token.bits));
        *in = slice_of(in->data + token.bits, in->bytes - token.bits);
        return 0;
    case TOKEN_LIST: return unpack_list(in, token.bits, arena, node, depth + 1);
    case TOKEN_MAP: return unpack_map(in, token.bits, arena, node, depth + 1);
    case TOKEN_EXT: return error_set(ERROR_FORMAT, "msgpack extension types are not read");
    default: *node = token_cell(token); return 0;
    }
}

int tree_unpack(const char *packed, uint64_t length, struct arena *arena, struct cell *root)
{
    struct slice in = slice_of(packed, length);
    return unpack_node(&in, arena, root, 0);
}
