#include "state/list_state.h"

#include "base/error.h"
#include "base/hash.h"
#include "codec/msgpack.h"
#include "state/keyed_state_internal.h"
#include "state/payload.h"

#define KEPT_BYTES_MAX (1u << 20)

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

/* The last chunk, made if there is none; `index` is its number. */
static int chunk_last(struct keyed_state *state, struct entry *owner, uint32_t slot, uint32_t *index, struct entry **chunk)
{
    uint64_t chunks = list_state_count(owner, slot) == 0 ? 0 : owner->slots[slot].natural;
    *index = chunks == 0 ? 0 : (uint32_t)chunks - 1;
    return list_chunk_find(state, owner, slot, *index, true, chunk);
}

/* A place in the list: state->elements are on their way to the end of that chunk. */
struct list_end { struct entry *chunk; uint32_t index; };

static bool is_full(const struct keyed_state *state, const struct list_end *end, size_t more)
{
    size_t there = (end->chunk->slots[0].tag == CELL_STRING ? end->chunk->slots[0].length : 0) + state->elements.bytes;
    return there > 0 && there + more > LIST_CHUNK_BYTES;
}

static void end_write(struct keyed_state *state, uint32_t column, struct list_end *end)
{
    if (state->elements.bytes > 0)
        state_slot_append(state, column, end->chunk, 0, buffer_slice(&state->elements));
    buffer_clear(&state->elements);
}

static int end_append(struct keyed_state *state, struct entry *owner, uint32_t slot, struct list_end *end, struct slice element)
{
    int status = 0;
    if (is_full(state, end, element.bytes)) {
        end_write(state, state->child_column[slot], end);
        status = list_chunk_find(state, owner, slot, ++end->index, true, &end->chunk);
    }
    if (status == 0)
        buffer_append_slice(&state->elements, element);
    return status;
}

/* The buffers stay for the next elements, but not those of huge ones. */
static void buffers_keep(struct keyed_state *state)
{
    if (state->element.capacity + state->elements.capacity <= KEPT_BYTES_MAX)
        return;
    buffer_deinit(&state->element);
    buffer_deinit(&state->elements);
}

/* Elements have gone to the end, or failed to. */
static int list_added(struct keyed_state *state, struct entry *owner, uint32_t slot, struct list_end *end, uint32_t count, int status)
{
    if (status == 0 && count > 0) {
        end_write(state, state->child_column[slot], end);
        head_set(state, owner, slot, list_state_count(owner, slot) + count, (uint64_t)end->index + 1);
    }
    buffers_keep(state);
    return status;
}

int list_state_add(struct keyed_state *state, struct entry *owner, uint32_t slot, const struct cell *values, uint32_t count, const char *bytes)
{
    struct list_end end = { 0 };
    buffer_clear(&state->elements);
    int status = count == 0 ? 0 : chunk_last(state, owner, slot, &end.index, &end.chunk);
    for (uint32_t i = 0; i < count && status == 0; i++) {
        buffer_clear(&state->element);
        msgpack_write_cell(&state->element, values[i], bytes);
        status = end_append(state, owner, slot, &end, buffer_slice(&state->element));
    }
    return list_added(state, owner, slot, &end, count, status);
}

/* One by one, since they may need another chunk. */
static int append_each(struct keyed_state *state, struct entry *owner, uint32_t slot, struct list_end *end, struct slice elements, uint32_t count)
{
    int status = 0;
    for (uint32_t i = 0; i < count && status == 0; i++) {
        struct slice rest = elements;
        status = msgpack_skip(&rest);
        if (status == 0)
            status = end_append(state, owner, slot, end, slice_of(elements.data, elements.bytes - rest.bytes));
        elements = rest;
    }
    return status;
}

int list_add_encoded(struct keyed_state *state, struct entry *owner, uint32_t slot, struct slice elements, uint32_t count)
{
    struct list_end end = { 0 };
    buffer_clear(&state->elements);
    int status = count == 0 ? 0 : chunk_last(state, owner, slot, &end.index, &end.chunk);
    if (status == 0 && count > 0 && !is_full(state, &end, elements.bytes))
        buffer_append_slice(&state->elements, elements);
    else if (status == 0)
        status = append_each(state, owner, slot, &end, elements, count);
    return list_added(state, owner, slot, &end, count, status);
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

/* Bytes of all elements, or a negative code. No element has less than one, so that a head cannot speak of more. */
static int64_t elements_bytes(struct keyed_state *state, struct entry *owner, uint32_t slot)
{
    int64_t bytes = 0;
    for (uint32_t i = 0; i < owner->slots[slot].natural; i++) {
        struct entry *chunk;
        int status = chunk_of(state, owner, slot, i, &chunk);
        if (status < 0)
            return status;
        bytes += chunk->slots[0].length;
    }
    return bytes;
}

static int refuse_count(uint32_t count)
{
    return error_set(ERROR_CORRUPT, "state: a list says it has %u elements, its chunks have not", count);
}

/* Elements of one chunk, up to `room` of them, from the cell at `offset` on; answers how many. */
static int chunk_read(const struct entry *chunk, struct arena *arena, uint64_t offset, uint32_t room, const struct list_form *form)
{
    struct slice rest = slice_of(chunk->slots[0].payload, chunk->slots[0].length);
    uint32_t read = 0;
    for (; rest.bytes > 0 && read < room; read++) {
        struct cell element[LIST_CELLS_MAX]; /* the arena may move meanwhile */
        int status = form->read(&rest, arena, element);
        if (status < 0)
            return status;
        memcpy((struct cell *)arena_at(arena, offset) + (size_t)read * form->cells, element, form->cells * sizeof *element);
    }
    return rest.bytes > 0 ? refuse_count(room) : (int)read;
}

int list_read(struct keyed_state *state, struct entry *owner, uint32_t slot, const struct list_form *form, struct arena *arena, struct cell *list)
{
    uint32_t count = list_state_count(owner, slot), read = 0;
    int64_t bytes = count == 0 ? 0 : elements_bytes(state, owner, slot);
    if (bytes < (int64_t)count)
        return bytes < 0 ? (int)bytes : refuse_count(count);
    size_t element_bytes = form->cells * sizeof *list;
    uint64_t offset = arena_allocate(arena, count * element_bytes);
    for (uint32_t i = 0; count > 0 && i < owner->slots[slot].natural; i++) {
        struct entry *chunk;
        int status = chunk_of(state, owner, slot, i, &chunk);
        if (status == 0)
            status = chunk_read(chunk, arena, offset + read * element_bytes, count - read, form);
        if (status < 0)
            return status;
        read += (uint32_t)status;
    }
    *list = (struct cell){ .tag = CELL_ABSENT, .length = count, .offset = offset };
    return read == count ? 0 : refuse_count(count);
}

int list_state_get(struct keyed_state *state, struct entry *owner, uint32_t slot, struct arena *arena, struct cell *list)
{
    static const struct list_form plain = { .cells = 1, .read = msgpack_read_cell };
    return list_read(state, owner, slot, &plain, arena, list);
}

int list_encoded(struct keyed_state *state, struct entry *owner, uint32_t slot, struct buffer *elements)
{
    for (uint32_t i = 0; list_state_count(owner, slot) > 0 && i < owner->slots[slot].natural; i++) {
        struct entry *chunk;
        int status = chunk_of(state, owner, slot, i, &chunk);
        if (status < 0)
            return status;
        buffer_append(elements, chunk->slots[0].payload, chunk->slots[0].length);
    }
    return 0;
}

int list_state_add_from(struct keyed_state *state, struct entry *owner, uint32_t slot, struct entry *other)
{
    struct buffer elements = { 0 };
    int status = list_encoded(state, other, slot, &elements);
    if (status == 0)
        status = list_add_encoded(state, owner, slot, buffer_slice(&elements), list_state_count(other, slot));
    buffer_deinit(&elements);
    return status;
}
