/*
 * Hints are taken in blocks: the bucket of a key is fetched when it is told, the
 * entries that the buckets point to when a block is full, and the bytes of their values
 * behind them. A block is small enough for the first level of cache.
 */
#include "state/map_hint.h"

#include "base/hash.h"
#include "state/keyed_state_internal.h"
#include "state/map_state.h"
#include "state/payload.h"

/* Below this much memory lookups find most of what they need in the caches, and telling of them costs more than they do. */
#define PAYING_BYTES (4u << 20)

bool map_hints_pay(const struct keyed_state *state, uint32_t slot)
{
    return table_bytes(&state->columns[state->child_column[slot]].table) >= PAYING_BYTES;
}

void map_hints_end(struct keyed_state *state)
{
    struct map_hints *hints = &state->hints;
    const struct entry *entries[MAP_HINTS_MAX];
    for (uint32_t i = 0; i < hints->count; i++)
        entries[i] = table_prefetch_entry(hints->items[i].table, hints->items[i].hash);
    for (uint32_t i = 0; i < hints->count; i++) {
        if (entries[i] != NULL && slot_has_payload(&entries[i]->slots[0]))
            payload_fetch(&entries[i]->slots[0]);
    }
    hints->count = 0;
}

/* Of the key in scratch. */
static void hint(struct keyed_state *state, uint32_t slot)
{
    struct map_hints *hints = &state->hints;
    if (hints->count == MAP_HINTS_MAX)
        map_hints_end(state);
    const struct table *table = &state->columns[state->child_column[slot]].table;
    uint64_t hash = hash_bytes(state->scratch.data, state->scratch.bytes);
    table_prefetch_bucket(table, hash);
    hints->items[hints->count++] = (struct map_hint){ table, hash };
}

void map_hint_number(struct keyed_state *state, struct entry *owner, uint32_t slot, double number)
{
    if (map_key_number(state, owner, number) == 0)
        hint(state, slot);
}

void map_hint_string(struct keyed_state *state, struct entry *owner, uint32_t slot, const char *text, size_t bytes)
{
    if (map_key_string(state, owner, text, bytes) == 0)
        hint(state, slot);
}
