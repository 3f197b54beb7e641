/*
 * The bytes of a slot that is more than a scalar: one heap block with its
 * capacity before it, so that a value of the same size is written in place.
 *
 * Owner    the slot; payload_free() when it is overwritten.
 */
#pragma once

#include "base/fetch.h"
#include "codec/cell.h"

#include <stdbool.h>
#include <stddef.h>

static inline bool slot_has_payload(const struct cell *slot)
{
    return slot->tag >= CELL_STRING && slot->tag <= CELL_PACKED;
}

/* Heap bytes that a slot holds. */
size_t payload_bytes(const struct cell *slot);

/* Have the processor fetch the bytes of a slot that has some: those of a small value, with what lies before them. */
static inline void payload_fetch(const struct cell *slot)
{
    fetch_line(slot->payload - 8);
    fetch_line(slot->payload + 48);
}

/*
 * A slot with the value of `cell`, whose bytes count from `bytes`. `reuse` is a payload
 * that may be overwritten if it is large enough (then it is taken), or NULL.
 */
struct cell payload_store(struct cell cell, const char *bytes, char *reuse);

/* Empty payload of this capacity. */
char *payload_new(size_t capacity);
size_t payload_capacity(const char *payload);
void payload_free(char *payload);

/* The cell of a slot such that its offsets count from *bytes: what encoders take. */
static inline struct cell slot_cell(const struct cell *slot, const char **bytes)
{
    struct cell cell = *slot;
    *bytes = NULL;
    if (slot_has_payload(slot)) {
        *bytes = slot->payload;
        cell.offset = 0;
    }
    return cell;
}
