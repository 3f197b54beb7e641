/*
 * How an entry is written where it lasts: a row of the store, of a delta, of a
 * base.
 *
 *   key    key group (2, big endian) · column (2, big endian) · key bytes
 *   value  format version (1) · for each slot that is set: its id (varint) ·
 *          flags (varint; bit 0: a write time of 8 bytes follows) · the value in msgpack
 *          (a map's head: its count; a list's head: [elements, chunks], of a short
 *          list [elements, their bytes])
 *   in a delta or base: varint length of the key · key · varint (length of the value + 1; 0: removed) · value
 *
 * Thread   any; no state inside.
 */
#pragma once

#include "base/buffer.h"
#include "state/entry.h"

#define ROW_VERSION 1
#define ROW_KEY_PREFIX_BYTES 4

enum slot_kind {
    KIND_VALUE = 0,
    KIND_MAP = 1,
    KIND_LIST = 2,
    KIND_LINK = 3,      /* not written */
    KIND_DERIVED = 4,   /* a value that its owner makes anew from others: not written, and gone with the cache */
};

/* The slots of a table's entries: what is written of them, under which id. */
struct row_layout {
    uint16_t column;
    uint16_t slots;
    struct row_slot { uint16_t id; uint16_t kind; } slot[32];
};

static inline bool row_slot_is_written(const struct row_slot *slot)
{
    return slot->kind != KIND_LINK && slot->kind != KIND_DERIVED;
}

/* May it have a payload of its own? */
static inline bool row_slot_takes_payload(const struct row_slot *slot)
{
    return slot->kind == KIND_VALUE || slot->kind == KIND_DERIVED || slot->kind == KIND_LIST;
}

/* Nothing is set: the row does not exist. */
bool row_is_empty(const struct row_layout *layout, const struct entry *entry);

void row_write_key(struct buffer *out, const struct row_layout *layout, const struct entry *entry);
void row_write_value(struct buffer *out, const struct row_layout *layout, const struct entry *entry);
/* Key and value as one row of a delta or base; a tombstone for an empty one. */
void row_write(struct buffer *out, const struct row_layout *layout, const struct entry *entry);

/* Take one row off the front of `in`. */
struct row { uint16_t group, column; struct slice key; struct slice value; bool removed; };
int row_read(struct slice *in, struct row *row);

/* Fill an entry's slots (which are absent) from a row's value; ids that the layout does not know are stepped over. */
int row_read_value(struct slice value, const struct row_layout *layout, struct entry *entry);

void varint_write(struct buffer *out, uint64_t number);
int varint_read(struct slice *in, uint64_t *number);
