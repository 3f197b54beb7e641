#include "state/row_numbers.h"

#include "codec/packed_number.h"

#define ID_MAX 0x7f

/* The slots of a layout, if all that are written may be numbers. */
struct number_slots {
    uint32_t count;
    uint8_t slot[NUMBER_ROW_SLOTS_MAX], id[NUMBER_ROW_SLOTS_MAX];
};

static bool number_slots_of(const struct row_layout *layout, struct number_slots *slots)
{
    slots->count = 0;
    for (uint32_t i = 0; i < layout->slots; i++) {
        const struct row_slot *slot = &layout->slot[i];
        if (!row_slot_is_written(slot))
            continue;
        if (slot->kind != KIND_VALUE || slot->id > ID_MAX || slots->count == NUMBER_ROW_SLOTS_MAX)
            return false;
        slots->slot[slots->count] = (uint8_t)i;
        slots->id[slots->count++] = (uint8_t)slot->id;
    }
    return true;
}

bool row_may_be_numbers(const struct row_layout *layout)
{
    struct number_slots slots;
    return number_slots_of(layout, &slots);
}

/* Length of the key and what stands before it, as one word: 5 bytes of it count. */
static inline uint64_t row_head(const struct row_layout *layout, const struct entry *entry)
{
    uint64_t key_bytes = ROW_KEY_PREFIX_BYTES + (uint64_t)entry->key_bytes;
    return key_little_endian(key_bytes | (uint64_t)__builtin_bswap16(entry->group) << 8 | (uint64_t)__builtin_bswap16(layout->column) << 24);
}

/* Behind the last byte of the row; NULL if it is no row of numbers. */
static inline uint8_t *put_row(uint8_t *at, const struct row_layout *layout, const struct number_slots *slots, const struct entry *entry)
{
    if (entry->key_bytes > ENTRY_KEY_INLINED_MAX)
        return NULL;
    uint64_t head = row_head(layout, entry);
    memcpy(at, &head, sizeof head);
    memcpy(at + 1 + ROW_KEY_PREFIX_BYTES, entry->key.inlined, ENTRY_KEY_INLINED_MAX);
    uint8_t *value = at + 1 + ROW_KEY_PREFIX_BYTES + entry->key_bytes;
    at = value + 2;
    for (uint32_t i = 0; i < slots->count; i++) {
        const struct cell *cell = &entry->slots[slots->slot[i]];
        if (cell->tag == CELL_ABSENT)
            continue;
        if (cell->tag != CELL_NUMBER)
            return NULL;
        at[0] = slots->id[i];
        at[1] = 0;
        at += 2;
        at += packed_put_number(at, cell->number);
    }
    value[0] = (uint8_t)(at - value); /* the value's length, plus one */
    value[1] = ROW_VERSION;
    return at > value + 2 ? at : NULL;
}

uint32_t row_write_numbers(struct buffer *out, const struct row_layout *layout, struct entry *const *entries, uint32_t count)
{
    struct number_slots slots;
    if (!number_slots_of(layout, &slots))
        return 0;
    uint8_t *start = (uint8_t *)buffer_reserve(out, (size_t)count * ROW_NUMBERS_BYTES_MAX), *at = start;
    uint32_t written = 0;
    for (; written < count; written++) {
        uint8_t *end = put_row(at, layout, &slots, entries[written]);
        if (end == NULL)
            break;
        at = end;
    }
    out->bytes += (size_t)(at - start);
    return written;
}
