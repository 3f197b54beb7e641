/*
 * What a key's entry holds of a list: nothing (CELL_ABSENT), a head that counts elements
 * which lie in chunks (SLOT_LIST), or, of a short list, the elements themselves:
 * CELL_STRING, whose payload is their count (4 bytes) and their msgpack values.
 *
 * Thread   any; no state inside.
 */
#pragma once

#include "base/slice.h"
#include "state/entry.h"
#include "state/payload.h"

#include <string.h>

/* Of the elements of a short list, together. They are written whenever anything in their key's row is. */
#define LIST_SHORT_BYTES 256
#define LIST_COUNT_BYTES sizeof(uint32_t)

static inline bool list_head_is_short(const struct cell *head)
{
    return head->tag == CELL_STRING;
}

static inline uint32_t list_head_count(const struct cell *head)
{
    uint32_t count = head->tag == CELL_ABSENT ? 0 : head->length;
    if (list_head_is_short(head))
        memcpy(&count, head->payload, sizeof count);
    return count;
}

/* The elements of a short list. */
static inline struct slice list_head_elements(const struct cell *head)
{
    return slice_of(head->payload + LIST_COUNT_BYTES, head->length - LIST_COUNT_BYTES);
}

/* The head of a short list, with a payload of its own. */
static inline struct cell list_head_new(uint32_t count, struct slice elements)
{
    char *payload = payload_new(LIST_COUNT_BYTES + elements.bytes);
    memcpy(payload, &count, LIST_COUNT_BYTES);
    memcpy(payload + LIST_COUNT_BYTES, elements.data, elements.bytes);
    return (struct cell){ .tag = CELL_STRING, .length = (uint32_t)(LIST_COUNT_BYTES + elements.bytes), .payload = payload };
}
