#include "state/list_state.h"

#include "base/error.h"
#include "base/hash.h"
#include "codec/msgpack.h"
#include "state/keyed_state_internal.h"
#include "state/payload.h"


/* Key of a chunk: the user's key, then its index (4 bytes, big endian), so that chunks lie in order. */
int list_chunk_find(struct keyed_state *state, struct entry *owner, uint32_t slot, uint32_t index, bool make, struct entry **chunk)
{
    struct buffer *key = &state->scratch;
    buffer_clear(key);
    buffer_append(key, entry_key(owner), owner->key_bytes);
    char suffix[4] = { (char)(index >> 24), (char)(index >> 16), (char)(index >> 8), (char)index };
    buffer_append(key, suffix, sizeof suffix);
    if (key->bytes > ENTRY_KEY_BYTES_MAX)
        return error_set(ERROR_TOO_LARGE, "key of %zu bytes with a list", key->bytes);
    memset(buffer_reserve(key, 16), 0, 16);
    uint32_t column = state->child_column[slot];
    uint64_t hash = hash_bytes(key->data, key->bytes);
    int status = state_load(state, column, key->data, (uint32_t)key->bytes, hash, owner->group, chunk);
    bool made;
    if (status == 0 && *chunk == NULL && make)
        *chunk = table_find_or_make(&state->columns[column].table, state->scratch.data, (uint32_t)key->bytes, hash, owner->group, &made);
    return status;
}

/* A chunk that the head speaks of: it is there, with bytes, or the rows are corrupt. */
static int chunk_of(struct keyed_state *state, struct entry *owner, uint32_t slot, uint32_t index, struct entry **chunk)
{
    int status = list_chunk_find(state, owner, slot, index, false, chunk);
    if (status == 0 && (*chunk == NULL || (*chunk)->slots[0].tag != CELL_STRING))
        return error_set(ERROR_CORRUPT, "state: a list without its chunk %u", index);
    return status;
}

static void head_set(struct keyed_state *state, struct entry *owner, uint32_t slot, uint32_t count, uint64_t chunks)
{
    state_slot_set(state, 0, owner, slot, (struct cell){ .tag = SLOT_LIST, .length = count, .natural = chunks });
}

int list_state_add(struct keyed_state *state, struct entry *owner, uint32_t slot, const struct cell *value, const char *bytes)
{
    struct buffer element;
    buffer_init(&element);
    msgpack_write_cell(&element, *value, bytes);
    uint64_t chunks = list_state_count(owner, slot) == 0 ? 0 : owner->slots[slot].natural;
    struct entry *chunk;
    int status = list_chunk_find(state, owner, slot, chunks == 0 ? 0 : (uint32_t)chunks - 1, true, &chunk);
    if (status == 0 && chunks > 0 && chunk->slots[0].length + element.bytes > LIST_CHUNK_BYTES)
        status = list_chunk_find(state, owner, slot, (uint32_t)chunks++, true, &chunk);
    if (status == 0) {
        state_slot_append(state, state->child_column[slot], chunk, 0, buffer_slice(&element));
        head_set(state, owner, slot, list_state_count(owner, slot) + 1, chunks == 0 ? 1 : chunks);
    }
    buffer_deinit(&element);
    return status;
}

int list_state_clear(struct keyed_state *state, struct entry *owner, uint32_t slot)
{
    if (list_state_count(owner, slot) == 0)
        return 0;
    uint64_t chunks = owner->slots[slot].natural;
    for (uint32_t i = 0; i < chunks; i++) {
        struct entry *chunk;
        int status = chunk_of(state, owner, slot, i, &chunk);
        if (status < 0)
            return status;
        state_slot_set(state, state->child_column[slot], chunk, 0, (struct cell){ .tag = CELL_ABSENT });
    }
    state_slot_set(state, 0, owner, slot, (struct cell){ .tag = CELL_ABSENT });
    return 0;
}

uint32_t list_state_count(const struct entry *owner, uint32_t slot)
{
    return owner->slots[slot].tag == CELL_ABSENT ? 0 : owner->slots[slot].length;
}

int list_state_next(struct keyed_state *state, struct entry *owner, uint32_t slot, struct list_cursor *cursor, struct arena *arena, struct cell *value)
{
    if (list_state_count(owner, slot) == 0)
        return 0;
    while (cursor->chunk < owner->slots[slot].natural) {
        struct entry *chunk;
        int status = chunk_of(state, owner, slot, cursor->chunk, &chunk);
        if (status < 0)
            return status;
        if (cursor->offset < chunk->slots[0].length) {
            struct slice rest = slice_of(chunk->slots[0].payload + cursor->offset, chunk->slots[0].length - cursor->offset);
            size_t before = rest.bytes;
            status = msgpack_read_cell(&rest, arena, value);
            cursor->offset += (uint32_t)(before - rest.bytes);
            return status < 0 ? status : 1;
        }
        cursor->chunk++;
        cursor->offset = 0;
    }
    return 0;
}
