#include "state/payload.h"

#include "base/memory.h"
#include "codec/shape.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 8

char *payload_new(size_t capacity)
{
    size_t rounded = (capacity + 15) & ~(size_t)15;
    char *block = memory_new(HEADER_BYTES + rounded);
    *(uint64_t *)(void *)block = rounded;
    return block + HEADER_BYTES;
}

size_t payload_capacity(const char *payload)
{
    return *(const uint64_t *)(const void *)(payload - HEADER_BYTES);
}

void payload_free(char *payload)
{
    if (payload != NULL)
        free(payload - HEADER_BYTES);
}

size_t payload_bytes(const struct cell *slot)
{
    return slot_has_payload(slot) ? payload_capacity(slot->payload) + HEADER_BYTES + 8 : 0;
}

static size_t row_bytes(const struct cell *fields, uint32_t count)
{
    size_t bytes = count * sizeof(struct cell);
    for (uint32_t i = 0; i < count; i++)
        bytes += fields[i].tag >= CELL_STRING ? fields[i].length : 0;
    return bytes;
}

static void row_fill(char *payload, const struct cell *fields, uint32_t count, const char *bytes)
{
    struct cell *target = (struct cell *)(void *)payload;
    size_t used = count * sizeof(struct cell);
    for (uint32_t i = 0; i < count; i++) {
        target[i] = fields[i];
        if (fields[i].tag < CELL_STRING)
            continue;
        memcpy(payload + used, bytes + fields[i].offset, fields[i].length);
        target[i].offset = used;
        used += fields[i].length;
    }
}

static char *room(size_t bytes, char *reuse)
{
    return reuse != NULL && payload_capacity(reuse) >= bytes ? reuse : payload_new(bytes);
}

struct cell payload_store(struct cell cell, const char *bytes, char *reuse)
{
    if (cell.tag < CELL_STRING)
        return cell;
    if (cell.tag == CELL_ROW) {
        uint32_t count = shape_get(cell.length)->count;
        const struct cell *fields = (const struct cell *)(const void *)(bytes + cell.offset);
        char *payload = room(row_bytes(fields, count), reuse);
        row_fill(payload, fields, count, bytes);
        cell.payload = payload;
        return cell;
    }
    char *payload = room(cell.length, reuse);
    memcpy(payload, bytes + cell.offset, cell.length);
    cell.payload = payload;
    return cell;
}
