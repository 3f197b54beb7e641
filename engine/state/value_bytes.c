/* What grows is given half as much again, so that growing step by step is not copying all the time. */
#include "state/value_bytes.h"

#include "state/keyed_state_internal.h"
#include "state/payload.h"

#include <assert.h>
#include <string.h>

char *value_bytes_resize(struct keyed_state *state, struct entry *entry, uint32_t slot, uint32_t bytes)
{
    assert(!state->config.undo);
    uint32_t before;
    char *old = value_bytes(entry, slot, &before);
    struct cell cell = { .tag = bytes == 0 ? CELL_ABSENT : CELL_STRING, .length = bytes };
    state_touch(state, 0, entry); /* before they are changed in place */
    if (bytes > 0) {
        bool fits = old != NULL && payload_capacity(old) >= bytes;
        cell.payload = fits ? old : payload_new(old == NULL ? bytes : bytes + bytes / 2);
        if (!fits && old != NULL)
            memcpy(cell.payload, old, before);
    }
    state_slot_set(state, 0, entry, slot, cell);
    return bytes == 0 ? NULL : cell.payload;
}
