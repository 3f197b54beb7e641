/*
 * Rows of entries that hold nothing but numbers under short keys: most rows, and nearly
 * all that a sweep or a restore has to hurry for. They are what row_write() of state/row.h
 * comes to, byte for byte, written without a call for each part, and read into words and
 * doubles at once. What is not such a row in every respect, a damaged one too, is left to
 * row_write(), row_read() and row_read_value().
 *
 * Thread   any; no state inside.
 */
#pragma once

#include "state/row.h"

#include <string.h>

#define NUMBER_ROW_SLOTS_MAX 4

/* ---- Writing ---- */

/* The longest row of numbers, and what is written behind it. */
#define ROW_NUMBERS_BYTES_MAX 128

/* May a row be one of numbers? */
bool row_may_be_numbers(const struct row_layout *layout);
/* Write the rows of the first entries, up to one that holds something else or nothing; answers how many. */
uint32_t row_write_numbers(struct buffer *out, const struct row_layout *layout, struct entry *const *entries, uint32_t count);

/* ---- Reading ---- */

/* Longer than any of them: so many bytes must be there for one to be read. */
#define NUMBER_ROW_ROOM 256

struct number_row {
    uint64_t key[ENTRY_KEY_INLINED_MAX / sizeof(uint64_t)]; /* zero-padded, as a table wants it */
    uint16_t key_bytes;
    uint16_t group;
    uint32_t set;                                           /* a bit for each slot that has a number */
    double numbers[NUMBER_ROW_SLOTS_MAX];
};

static inline uint64_t number_row_bits(const uint8_t *at, uint32_t bytes)
{
    uint64_t bits;
    memcpy(&bits, at, sizeof bits);
    return __builtin_bswap64(bits) >> (64 - 8 * bytes);
}

/* Behind the number; NULL if it is none, or one that is not a double as it stands. Reads up to 9 bytes. */
static inline const uint8_t *number_row_number(const uint8_t *at, double *number)
{
    uint8_t head = *at++;
    if (head < 0x80 || head >= 0xe0) {
        *number = (int8_t)head;
        return at;
    }
    if (head == 0xcb) {
        uint64_t bits = number_row_bits(at, 8);
        memcpy(number, &bits, sizeof bits);
        return *number == *number ? at + 8 : NULL;
    }
    if (head < 0xcc || head > 0xce)
        return NULL;
    uint32_t bytes = 1u << (head - 0xcc);
    *number = (double)number_row_bits(at, bytes);
    return at + bytes;
}

static inline uint32_t number_row_slot(const struct row_layout *layout, uint8_t id)
{
    uint32_t slot = 0;
    while (slot < layout->slots && slot < NUMBER_ROW_SLOTS_MAX && (layout->slot[slot].id != id || layout->slot[slot].kind != KIND_VALUE))
        slot++;
    return slot < layout->slots ? slot : NUMBER_ROW_SLOTS_MAX;
}

/* From a value's slots up to its end. */
static inline bool number_row_slots(const uint8_t *at, const uint8_t *end, const struct row_layout *layout, struct number_row *row)
{
    row->set = 0;
    while (at != NULL && at < end) {
        uint32_t slot = number_row_slot(layout, at[0]);
        if (slot == NUMBER_ROW_SLOTS_MAX || at[1] != 0 || (row->set & 1u << slot))
            return false;
        row->set |= 1u << slot;
        at = number_row_number(at + 2, &row->numbers[slot]);
    }
    return at == end;
}

static inline uint64_t number_row_word(const uint8_t *at, uint32_t bytes)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return bytes >= 8 ? word : word & ((1ull << 8 * bytes) - 1);
}

/* Take a row off the front of `in` if it is one of this layout; false: `in` is as it was. */
static inline bool number_row_read(struct slice *in, const struct row_layout *layout, struct number_row *row)
{
    if (in->bytes < NUMBER_ROW_ROOM)
        return false;
    const uint8_t *at = (const uint8_t *)in->data;
    uint32_t key_bytes = at[0] - (uint32_t)ROW_KEY_PREFIX_BYTES;
    if (key_bytes - 1 >= ENTRY_KEY_INLINED_MAX || (at[3] << 8 | at[4]) != layout->column)
        return false;
    row->key_bytes = (uint16_t)key_bytes;
    row->group = (uint16_t)(at[1] << 8 | at[2]);
    at += 1 + ROW_KEY_PREFIX_BYTES;
    row->key[0] = number_row_word(at, key_bytes);
    row->key[1] = key_bytes <= 8 ? 0 : number_row_word(at + 8, key_bytes - 8);
    at += key_bytes;
    const uint8_t *end = at + at[0]; /* the value's length, plus one, and itself */
    if (at[0] < 2 || at[0] >= 0x80 || at[1] != ROW_VERSION || !number_row_slots(at + 2, end, layout, row))
        return false;
    in->bytes -= (size_t)((const char *)end - in->data);
    in->data = (const char *)end;
    return true;
}
