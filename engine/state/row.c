#include "state/row.h"

#include "base/error.h"
#include "codec/msgpack.h"
#include "codec/packed_number.h"
#include "state/list_head.h"
#include "state/payload.h"
#include "state/row_numbers.h"

bool row_is_empty(const struct row_layout *layout, const struct entry *entry)
{
    for (uint32_t i = 0; i < layout->slots; i++) {
        const struct cell *slot = &entry->slots[i];
        if (slot->tag == CELL_ABSENT || !row_slot_is_written(&layout->slot[i]))
            continue;
        if (layout->slot[i].kind == KIND_VALUE || slot->length > 0)
            return false;
    }
    return true;
}

void varint_write(struct buffer *out, uint64_t number)
{
    uint8_t *target = (uint8_t *)buffer_reserve(out, 10);
    size_t used = 0;
    while (number >= 0x80) {
        target[used++] = (uint8_t)(number | 0x80);
        number >>= 7;
    }
    target[used++] = (uint8_t)number;
    out->bytes += used;
}

int varint_read(struct slice *in, uint64_t *number)
{
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 64 && in->bytes > 0; shift += 7) {
        uint8_t byte = (uint8_t)*in->data;
        in->data++;
        in->bytes--;
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *number = result;
            return 0;
        }
    }
    return error_set(ERROR_CORRUPT, "state row: a length is cut short");
}

static char *put_uint16(char *target, uint16_t number)
{
    target[0] = (char)(number >> 8);
    target[1] = (char)number;
    return target + 2;
}

void row_write_key(struct buffer *out, const struct row_layout *layout, const struct entry *entry)
{
    char *target = buffer_reserve(out, ROW_KEY_PREFIX_BYTES + entry->key_bytes + 16u);
    target = put_uint16(target, entry->group);
    target = put_uint16(target, layout->column);
    if (entry->key_bytes <= ENTRY_KEY_INLINED_MAX)
        memcpy(target, entry->key.inlined, ENTRY_KEY_INLINED_MAX);
    else
        memcpy(target, entry->key.pointer, entry->key_bytes);
    out->bytes += ROW_KEY_PREFIX_BYTES + entry->key_bytes;
}

static void write_number(struct buffer *out, double number)
{
    out->bytes += packed_put_number((uint8_t *)buffer_reserve(out, PACKED_NUMBER_ROOM), number);
}

static void write_list(struct buffer *out, const struct cell *head)
{
    msgpack_write_array(out, 2);
    msgpack_write_uint(out, list_head_count(head));
    if (head->tag == SLOT_LIST)
        msgpack_write_uint(out, head->natural);
    else
        msgpack_write_string(out, list_head_elements(head));
}

static void write_slot(struct buffer *out, const struct row_slot *kind, const struct cell *slot)
{
    varint_write(out, kind->id);
    varint_write(out, 0);
    if (kind->kind == KIND_MAP) {
        msgpack_write_uint(out, slot->length);
    } else if (kind->kind == KIND_LIST) {
        write_list(out, slot);
    } else if (slot->tag == CELL_NUMBER) {
        write_number(out, slot->number);
    } else {
        const char *bytes;
        struct cell cell = slot_cell(slot, &bytes);
        msgpack_write_cell(out, cell, bytes);
    }
}

void row_write_value(struct buffer *out, const struct row_layout *layout, const struct entry *entry)
{
    buffer_append_byte(out, ROW_VERSION);
    for (uint32_t i = 0; i < layout->slots; i++) {
        if (entry->slots[i].tag != CELL_ABSENT && row_slot_is_written(&layout->slot[i]))
            write_slot(out, &layout->slot[i], &entry->slots[i]);
    }
}

/* The value's length stands before it: one byte is left for it, and the value moved where it needs more. */
static void close_value(struct buffer *out, size_t start)
{
    uint64_t length = out->bytes - start - 1 + 1;
    if (length < 0x80) {
        out->data[start] = (char)length;
        return;
    }
    struct buffer prefix;
    buffer_init(&prefix);
    varint_write(&prefix, length);
    buffer_reserve(out, prefix.bytes);
    memmove(out->data + start + prefix.bytes, out->data + start + 1, (size_t)length - 1);
    memcpy(out->data + start, prefix.data, prefix.bytes);
    out->bytes += prefix.bytes - 1;
    buffer_deinit(&prefix);
}

void row_write(struct buffer *out, const struct row_layout *layout, const struct entry *entry)
{
    struct entry *only = (struct entry *)(uintptr_t)entry;
    if (row_write_numbers(out, layout, &only, 1) == 1)
        return;
    varint_write(out, ROW_KEY_PREFIX_BYTES + entry->key_bytes);
    row_write_key(out, layout, entry);
    if (row_is_empty(layout, entry)) {
        buffer_append_byte(out, 0);
        return;
    }
    size_t start = out->bytes;
    buffer_append_byte(out, 0);
    row_write_value(out, layout, entry);
    close_value(out, start);
}

/* Nearly every length, id and flag is one byte. */
static inline int short_read(struct slice *in, uint64_t *number)
{
    if (in->bytes == 0 || (uint8_t)*in->data >= 0x80)
        return varint_read(in, number);
    *number = (uint8_t)*in->data;
    in->data++;
    in->bytes--;
    return 0;
}

static int take(struct slice *in, uint64_t bytes, struct slice *taken)
{
    if (bytes > in->bytes)
        return error_set(ERROR_CORRUPT, "state row: cut short");
    *taken = slice_of(in->data, bytes);
    in->data += bytes;
    in->bytes -= bytes;
    return 0;
}

static uint16_t get_uint16(const char *data)
{
    return (uint16_t)((uint8_t)data[0] << 8 | (uint8_t)data[1]);
}

int row_read(struct slice *in, struct row *row)
{
    uint64_t length;
    struct slice key = { 0 };
    if (short_read(in, &length) < 0 || take(in, length, &key) < 0)
        return ERROR_CORRUPT;
    if (key.bytes <= ROW_KEY_PREFIX_BYTES || key.bytes > ROW_KEY_PREFIX_BYTES + ENTRY_KEY_BYTES_MAX)
        return error_set(ERROR_CORRUPT, "state row: a key of %zu bytes", key.bytes);
    row->group = get_uint16(key.data);
    row->column = get_uint16(key.data + 2);
    row->key = slice_of(key.data + ROW_KEY_PREFIX_BYTES, key.bytes - ROW_KEY_PREFIX_BYTES);
    if (short_read(in, &length) < 0)
        return ERROR_CORRUPT;
    row->removed = length == 0;
    return row->removed ? 0 : take(in, length - 1, &row->value);
}

static int read_cell(struct slice *in, struct cell *slot)
{
    struct arena arena;
    arena_init(&arena);
    struct cell cell;
    int status = msgpack_read_cell(in, &arena, &cell);
    if (status == 0)
        *slot = payload_store(cell, arena.bytes, NULL);
    arena_deinit(&arena);
    return status;
}

/* Most values are small integers or doubles: no arena for them. */
static int read_value(struct slice *in, struct cell *slot)
{
    uint8_t first = in->bytes > 0 ? (uint8_t)*in->data : 0xc1;
    double number;
    int64_t integer;
    if (first == 0xcb) {
        if (msgpack_read_double(in, &number) < 0)
            return ERROR_FORMAT;
        *slot = cell_of_number(number);
    } else if (first < 0x80) {
        *slot = cell_of_number(first);
        in->data++;
        in->bytes--;
    } else if (first >= 0xcc && first <= 0xd3 && first != 0xcf) {
        if (msgpack_read_int(in, &integer) < 0)
            return ERROR_FORMAT;
        *slot = cell_of_int64(integer);
    } else {
        return read_cell(in, slot);
    }
    return 0;
}

static int refuse_list(uint64_t count, uint64_t more, const char *what)
{
    return error_set(ERROR_FORMAT, "a list of %llu elements in %llu %s", (unsigned long long)count, (unsigned long long)more, what);
}

/* As its first byte says: no attempt to read what is there as something else, whose error would take longer than the list. */
static bool is_string(struct slice in)
{
    uint8_t first = in.bytes > 0 ? (uint8_t)*in.data : 0;
    return (first >= 0xa0 && first <= 0xbf) || (first >= 0xd9 && first <= 0xdb);
}

static int read_list(struct slice *in, struct cell *slot)
{
    uint64_t count, chunks;
    uint32_t parts;
    if (msgpack_read_array(in, &parts) < 0 || parts != 2 || msgpack_read_uint(in, &count) < 0)
        return error_set(ERROR_FORMAT, "not the head of a list");
    struct slice elements;
    if (!is_string(*in)) {
        if (msgpack_read_uint(in, &chunks) < 0)
            return error_set(ERROR_FORMAT, "not the head of a list");
        if (count > UINT32_MAX || chunks > count || (chunks == 0) != (count == 0)) /* no chunk is empty */
            return refuse_list(count, chunks, "chunks");
        *slot = (struct cell){ .tag = SLOT_LIST, .length = (uint32_t)count, .natural = chunks };
        return 0;
    }
    if (msgpack_read_string(in, &elements) < 0)
        return error_set(ERROR_FORMAT, "not the head of a list");
    if (count == 0 || count > elements.bytes || elements.bytes > LIST_SHORT_BYTES) /* none has less than a byte */
        return refuse_list(count, elements.bytes, "bytes");
    *slot = list_head_new((uint32_t)count, elements);
    return 0;
}

static int read_slot(struct slice *in, uint32_t kind, struct cell *slot)
{
    if (kind == KIND_VALUE)
        return read_value(in, slot);
    if (kind == KIND_LIST)
        return read_list(in, slot);
    uint64_t count;
    if (msgpack_read_uint(in, &count) < 0)
        return ERROR_FORMAT;
    if (count > UINT32_MAX)
        return error_set(ERROR_FORMAT, "a map of %llu entries", (unsigned long long)count);
    *slot = (struct cell){ .tag = SLOT_MAP_PARTIAL, .length = (uint32_t)count };
    return 0;
}

static int slot_of_id(const struct row_layout *layout, uint64_t id)
{
    for (uint32_t i = 0; i < layout->slots; i++) {
        if (layout->slot[i].id == id && row_slot_is_written(&layout->slot[i]))
            return (int)i;
    }
    return -1;
}

static int read_one(struct slice *in, const struct row_layout *layout, struct entry *entry)
{
    uint64_t id, flags;
    struct slice time;
    if (short_read(in, &id) < 0 || short_read(in, &flags) < 0)
        return ERROR_CORRUPT;
    if (flags > 1 || ((flags & 1) && take(in, 8, &time) < 0))
        return error_set(ERROR_CORRUPT, "state row: unknown flags %llu", (unsigned long long)flags);
    int slot = slot_of_id(layout, id);
    if (slot < 0)
        return msgpack_skip(in);
    if (entry->slots[slot].tag != CELL_ABSENT)
        return error_set(ERROR_CORRUPT, "state row: slot %d twice", slot);
    return read_slot(in, layout->slot[slot].kind, &entry->slots[slot]);
}

int row_read_value(struct slice value, const struct row_layout *layout, struct entry *entry)
{
    if (value.bytes < 1 || *value.data != ROW_VERSION)
        return error_set(ERROR_CORRUPT, "state row: unknown format version");
    value.data++;
    value.bytes--;
    int status = 0;
    while (status == 0 && value.bytes > 0)
        status = read_one(&value, layout, entry);
    return status < 0 ? error_wrap(ERROR_CORRUPT, "state row") : 0;
}
