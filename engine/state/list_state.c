#include "state/list_state.h"

#include "base/error.h"
#include "base/hash.h"
#include "codec/msgpack.h"
#include "state/keyed_state_internal.h"
#include "state/list_head.h"

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

/* A place in chunks: state->elements are on their way to the end of that chunk. */
struct list_end { struct entry *chunk; uint32_t index; };

static size_t end_bytes(const struct keyed_state *state, const struct list_end *end)
{
    return (end->chunk->slots[0].tag == CELL_STRING ? end->chunk->slots[0].length : 0) + state->elements.bytes;
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
    size_t there = end_bytes(state, end);
    if (there > 0 && there + element.bytes > LIST_CHUNK_BYTES) {
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

static int refuse_count(uint32_t count)
{
    return error_set(ERROR_CORRUPT, "state: a list says it has %u elements, and has not", count);
}

/* One by one, since they may need more chunks. There are `count`, or the row that they come from is corrupt. */
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
    return status == 0 && elements.bytes > 0 ? refuse_count(count) : status;
}

static int add_to_chunks(struct keyed_state *state, struct entry *owner, uint32_t slot, struct slice elements, uint32_t count)
{
    struct list_end end = { 0 };
    buffer_clear(&state->elements);
    int status = chunk_last(state, owner, slot, &end.index, &end.chunk);
    if (status < 0)
        return status;
    if (end_bytes(state, &end) + elements.bytes <= LIST_CHUNK_BYTES)
        buffer_append_slice(&state->elements, elements);
    else
        status = append_each(state, owner, slot, &end, elements, count);
    if (status < 0)
        return status;
    end_write(state, state->child_column[slot], &end);
    head_set(state, owner, slot, list_state_count(owner, slot) + count, (uint64_t)end.index + 1);
    return 0;
}

/* To a list that is short, or not there, and stays short. */
static void add_to_short(struct keyed_state *state, struct entry *owner, uint32_t slot, struct slice elements, uint32_t count)
{
    if (owner->slots[slot].tag == CELL_ABSENT) {
        state_slot_set(state, 0, owner, slot, list_head_new(count, elements));
        return;
    }
    count += list_state_count(owner, slot);
    state_slot_append(state, 0, owner, slot, elements);
    memcpy(owner->slots[slot].payload, &count, sizeof count);
}

/* A list that was short goes into chunks, with these elements behind it. */
static int lengthen(struct keyed_state *state, struct entry *owner, uint32_t slot, struct slice elements, uint32_t count)
{
    struct buffer all = { 0 };
    struct entry *first;
    int status = list_chunk_find(state, owner, slot, 0, true, &first);
    if (status < 0)
        return status; /* with the list as it was */
    count += list_state_count(owner, slot);
    buffer_append_slice(&all, list_head_elements(&owner->slots[slot]));
    buffer_append_slice(&all, elements);
    state_slot_set(state, 0, owner, slot, (struct cell){ .tag = CELL_ABSENT });
    status = add_to_chunks(state, owner, slot, buffer_slice(&all), count);
    buffer_deinit(&all);
    return status;
}

int list_add_encoded(struct keyed_state *state, struct entry *owner, uint32_t slot, struct slice elements, uint32_t count)
{
    const struct cell *head = &owner->slots[slot];
    size_t there = list_head_is_short(head) ? list_head_elements(head).bytes : 0;
    if (count == 0)
        return 0;
    if (count > UINT32_MAX - list_head_count(head))
        return error_set(ERROR_TOO_LARGE, "a list of more than %u elements", UINT32_MAX);
    if (head->tag != SLOT_LIST && there + elements.bytes <= LIST_SHORT_BYTES) {
        add_to_short(state, owner, slot, elements, count);
        return 0;
    }
    int status = there > 0 ? lengthen(state, owner, slot, elements, count) : add_to_chunks(state, owner, slot, elements, count);
    buffers_keep(state);
    return status;
}

int list_state_add(struct keyed_state *state, struct entry *owner, uint32_t slot, const struct cell *values, uint32_t count, const char *bytes)
{
    buffer_clear(&state->element);
    for (uint32_t i = 0; i < count; i++)
        msgpack_write_cell(&state->element, values[i], bytes);
    return list_add_encoded(state, owner, slot, buffer_slice(&state->element), count);
}

int list_state_clear(struct keyed_state *state, struct entry *owner, uint32_t slot)
{
    const struct cell *head = &owner->slots[slot];
    if (list_state_count(owner, slot) == 0)
        return 0;
    uint64_t chunks = list_head_is_short(head) ? 0 : head->natural;
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
    return list_head_count(&owner->slots[slot]);
}

static struct slice chunk_bytes(const struct entry *chunk)
{
    return slice_of(chunk->slots[0].payload, chunk->slots[0].length);
}

/* Bytes of all elements in chunks, or a negative code. No element has less than one, so that a head cannot speak of more. */
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

/* Elements one after the other, up to `room` of them, into the cells at `offset`; answers how many. */
static int elements_read(struct slice rest, struct arena *arena, uint64_t offset, uint32_t room, const struct list_form *form)
{
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

/* The same of all chunks. */
static int64_t chunks_read(struct keyed_state *state, struct entry *owner, uint32_t slot, struct arena *arena, uint64_t offset, const struct list_form *form)
{
    uint32_t count = list_state_count(owner, slot), read = 0;
    size_t element_bytes = form->cells * sizeof(struct cell);
    for (uint32_t i = 0; i < owner->slots[slot].natural; i++) {
        struct entry *chunk;
        int status = chunk_of(state, owner, slot, i, &chunk);
        if (status == 0)
            status = elements_read(chunk_bytes(chunk), arena, offset + read * element_bytes, count - read, form);
        if (status < 0)
            return status;
        read += (uint32_t)status;
    }
    return read;
}

int list_read(struct keyed_state *state, struct entry *owner, uint32_t slot, const struct list_form *form, struct arena *arena, struct cell *list)
{
    const struct cell *head = &owner->slots[slot];
    uint32_t count = list_head_count(head);
    bool is_short = list_head_is_short(head);
    int64_t bytes = count == 0 ? 0 : is_short ? (int64_t)head->length : elements_bytes(state, owner, slot);
    if (bytes < (int64_t)count)
        return bytes < 0 ? (int)bytes : refuse_count(count);
    uint64_t offset = arena_allocate(arena, (size_t)count * form->cells * sizeof *list);
    int64_t read = count == 0 ? 0 : is_short ? elements_read(list_head_elements(head), arena, offset, count, form)
                                         : chunks_read(state, owner, slot, arena, offset, form);
    if (read < 0)
        return (int)read;
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
    const struct cell *head = &owner->slots[slot];
    if (list_head_is_short(head))
        buffer_append_slice(elements, list_head_elements(head));
    for (uint32_t i = 0; head->tag == SLOT_LIST && i < head->natural; i++) {
        struct entry *chunk;
        int status = chunk_of(state, owner, slot, i, &chunk);
        if (status < 0)
            return status;
        buffer_append_slice(elements, chunk_bytes(chunk));
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
