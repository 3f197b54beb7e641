/*
 * One pass over the index of tokens. Between a string's opening quote and the next
 * token there is nothing but the string and white space, so its end is found by
 * stepping back from the next token, not by looking through the string.
 */
#include "codec/json.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/batch.h"
#include "codec/bytes.h"
#include "codec/json_index.h"
#include "codec/json_string.h"
#include "codec/json_walk.h"
#include "codec/msgpack.h"
#include "codec/number.h"
#include "codec/packed.h"
#include "codec/row.h"

#include <stdlib.h>

static int syntax_error(const struct json_walk *walk, const char *expected)
{
    uint32_t at = *walk->at;
    if (at >= walk->end)
        return error_set(ERROR_FORMAT, "not JSON: %s expected, but the text ends", expected);
    uint32_t left = walk->end - at;
    return error_set(ERROR_FORMAT, "not JSON: %s expected, found '%.*s'", expected, (int)(left < 16 ? left : 16), walk->text + at);
}

static inline bool is_space(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* May `byte` stand behind a number or a word? */
static inline bool is_delimiter(char byte)
{
    return byte == ',' || byte == '}' || byte == ']' || is_space(byte) || byte == ':';
}

/* The byte of the next token; 0 where the document has ended. */
static inline char token(const struct json_walk *walk)
{
    return *walk->at < walk->end ? walk->text[*walk->at] : 0;
}

static inline bool take(struct json_walk *walk, char wanted)
{
    if (token(walk) != wanted)
        return false;
    walk->at++;
    return true;
}

/* The text between the quotes of the string at the front, which is known to be one. */
static inline struct slice take_string(struct json_walk *walk)
{
    uint32_t open = walk->at[0];
    uint32_t close = walk->at[1] - 1;
    while (is_space(walk->text[close]))
        close--;
    walk->at++;
    return slice_of(walk->text + open + 1, close - open - 1);
}

static inline bool is_plain(struct slice text)
{
    return !bytes_contain(text.data, text.bytes, '\\');
}

static int read_string(struct json_walk *walk, struct cell *cell)
{
    struct slice raw = take_string(walk);
    struct arena *arena = walk->arena;
    char *to = bytes_room(arena, raw.bytes);
    int64_t bytes = (int64_t)raw.bytes;
    if (is_plain(raw))
        bytes_copy(to, raw.data, raw.bytes);
    else
        bytes = json_unescape(raw.data, (uint32_t)raw.bytes, to);
    if (bytes < 0)
        return (int)bytes;
    *cell = (struct cell){ .tag = CELL_STRING, .length = (uint32_t)bytes, .offset = arena->used };
    arena->used += (size_t)bytes;
    return 0;
}

static int read_number(struct json_walk *walk, struct cell *cell)
{
    const char *end = number_read(walk->text + *walk->at, cell);
    if (end == NULL || !is_delimiter(*end))
        return syntax_error(walk, "a number");
    walk->at++;
    return 0;
}

static int read_word(struct json_walk *walk, const char *word, uint32_t tag, struct cell *cell)
{
    const char *at = walk->text + *walk->at;
    size_t bytes = strlen(word);
    if (walk->end - *walk->at < bytes || memcmp(at, word, bytes) != 0 || !is_delimiter(at[bytes]))
        return syntax_error(walk, "a value");
    *cell = (struct cell){ .tag = tag };
    walk->at++;
    return 0;
}

/* A value that is no string, object or list. */
static int read_scalar(struct json_walk *walk, struct cell *cell)
{
    switch (token(walk)) {
    case 't': return read_word(walk, "true", CELL_TRUE, cell);
    case 'f': return read_word(walk, "false", CELL_FALSE, cell);
    case 'n': return read_word(walk, "null", CELL_NULL, cell);
    case '-': case '0': case '1': case '2': case '3': case '4':
    case '5': case '6': case '7': case '8': case '9': return read_number(walk, cell);
    default: return syntax_error(walk, "a value");
    }
}

static int pack_value(struct json_walk *walk, struct buffer *out, int depth);

static int pack_string(struct json_walk *walk, struct buffer *out)
{
    struct slice raw = take_string(walk);
    if (is_plain(raw)) {
        msgpack_write_string(out, raw);
        return 0;
    }
    char *plain = memory_new(raw.bytes);
    int64_t bytes = json_unescape(raw.data, (uint32_t)raw.bytes, plain);
    if (bytes >= 0)
        msgpack_write_string(out, slice_of(plain, (size_t)bytes));
    free(plain);
    return bytes < 0 ? (int)bytes : 0;
}

static int pack_list(struct json_walk *walk, struct buffer *out, int depth)
{
    size_t start = out->bytes;
    uint32_t count = 0;
    bool more = !take(walk, ']');
    while (more) {
        int status = pack_value(walk, out, depth);
        if (status < 0)
            return status;
        count++;
        more = take(walk, ',');
        if (!more && !take(walk, ']'))
            return syntax_error(walk, "',' or ']'");
    }
    packed_list_end(out, start, count);
    return 0;
}

static int pack_field(struct json_walk *walk, struct packed_map *map, struct buffer *out, int depth)
{
    if (token(walk) != '"')
        return syntax_error(walk, "a name");
    size_t key = out->bytes;
    int status = pack_string(walk, out);
    if (status < 0)
        return status;
    packed_map_key(map, out, key);
    return take(walk, ':') ? pack_value(walk, out, depth) : syntax_error(walk, "':'");
}

static int pack_map(struct json_walk *walk, struct buffer *out, int depth)
{
    struct packed_map map = packed_map_begin(out);
    bool more = !take(walk, '}');
    while (more) {
        int status = pack_field(walk, &map, out, depth);
        if (status < 0)
            return status;
        more = take(walk, ',');
        if (!more && !take(walk, '}'))
            return syntax_error(walk, "',' or '}'");
    }
    return packed_map_end(&map, out, PACKED_LAST_WINS);
}

static int pack_value(struct json_walk *walk, struct buffer *out, int depth)
{
    char first = token(walk);
    if (first == '"')
        return pack_string(walk, out);
    if (first == '{' || first == '[') {
        if (depth >= MSGPACK_DEPTH_MAX)
            return error_set(ERROR_FORMAT, "objects are nested deeper than %d", MSGPACK_DEPTH_MAX);
        walk->at++;
        return first == '{' ? pack_map(walk, out, depth + 1) : pack_list(walk, out, depth + 1);
    }
    struct cell cell;
    int status = read_scalar(walk, &cell);
    if (status == 0)
        msgpack_write_cell(out, cell, NULL);
    return status;
}

static int read_packed(struct json_walk *walk, struct cell *cell, int depth)
{
    struct buffer out = packed_lend(walk->arena);
    size_t start = out.bytes;
    int status = pack_value(walk, &out, depth);
    *cell = (struct cell){ .tag = CELL_PACKED, .length = (uint32_t)(out.bytes - start), .offset = start };
    packed_return(walk->arena, &out);
    return status;
}

/* Any value but an object that may become a row. */
static inline int read_flat(struct json_walk *walk, struct cell *cell, int depth)
{
    char first = token(walk);
    if (first == '"')
        return read_string(walk, cell);
    return first == '{' || first == '[' ? read_packed(walk, cell, depth) : read_scalar(walk, cell);
}

/* An object that may become a row. A name with escapes lives in `space` until the row is made. */
struct object {
    struct row_fields fields;
    char *space, *free;
};

static int unescape_name(const struct json_walk *walk, struct object *object, struct slice *name)
{
    /* All names together are shorter than the rest of the document: the space never moves. */
    if (object->space == NULL)
        object->free = object->space = memory_new((size_t)(walk->text + walk->end - name->data));
    int64_t bytes = json_unescape(name->data, (uint32_t)name->bytes, object->free);
    if (bytes < 0)
        return (int)bytes;
    *name = slice_of(object->free, (size_t)bytes);
    object->free += bytes;
    return 0;
}

static int read_field(struct json_walk *walk, struct object *object)
{
    if (token(walk) != '"')
        return syntax_error(walk, "a name");
    struct slice *name = &object->fields.names[object->fields.count];
    *name = take_string(walk);
    int status = is_plain(*name) ? 0 : unescape_name(walk, object, name);
    if (status < 0)
        return status;
    if (!take(walk, ':'))
        return syntax_error(walk, "':'");
    return read_flat(walk, &object->fields.values[object->fields.count++], 1);
}

/* 0, a negative code, or 1: there are more fields than a row has. */
static int read_fields(struct json_walk *walk, struct object *object)
{
    bool more = !take(walk, '}');
    while (more) {
        if (object->fields.count == SHAPE_FIELDS_MAX)
            return 1;
        int status = read_field(walk, object);
        if (status < 0)
            return status;
        more = take(walk, ',');
        if (!more && !take(walk, '}'))
            return syntax_error(walk, "',' or '}'");
    }
    return 0;
}

static int read_object(struct json_walk *walk, struct cell *cell)
{
    struct json_walk before = *walk;
    size_t used = walk->arena->used;
    struct object object;
    object.fields.count = 0;
    object.space = NULL;
    walk->at++;
    int status = read_fields(walk, &object);
    if (status == 0)
        status = row_make(&object.fields, walk->arena, cell) == ROW_WITHOUT_SHAPE ? 1 : 0;
    if (object.space != NULL)
        free(object.space);
    if (status <= 0)
        return status;
    *walk = before;
    walk->arena->used = used;
    return read_packed(walk, cell, 0);
}

int json_walk_document(struct json_walk *walk, struct cell *cell)
{
    int status = token(walk) == '{' ? read_object(walk, cell) : read_flat(walk, cell, 0);
    if (status == 0 && *walk->at < walk->end)
        return syntax_error(walk, "the end of the document");
    return status;
}

static int read_text(struct json_index *index, const struct buffer *text, size_t bytes, struct arena *arena, struct cell *cell)
{
    const uint32_t *positions = json_index_scan(index, text->data, bytes);
    if (positions == NULL)
        return ERROR_FORMAT;
    size_t used = arena->used;
    struct json_walk walk = { text->data, positions, (uint32_t)bytes, arena };
    int status = json_walk_document(&walk, cell);
    if (status < 0)
        arena->used = used;
    return status;
}

int json_read(struct slice text, struct arena *arena, struct cell *cell)
{
    if (text.bytes > RECORD_BYTES_MAX)
        return error_set(ERROR_TOO_LARGE, "a JSON document of more than %d bytes", RECORD_BYTES_MAX);
    struct json_index *index = json_index_new();
    struct buffer padded;
    buffer_init(&padded);
    buffer_append_slice(&padded, text);
    buffer_append_byte(&padded, '\n');
    memset(buffer_reserve(&padded, BYTES_CHUNK), 0, BYTES_CHUNK);
    int status = read_text(index, &padded, text.bytes, arena, cell);
    buffer_deinit(&padded);
    json_index_free(index);
    return status;
}
