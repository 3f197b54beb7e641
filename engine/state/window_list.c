#include "state/window_list.h"

#include "base/error.h"
#include "codec/msgpack.h"
#include "state/keyed_state_internal.h"
#include "state/list_state.h"

#define PARTS 3
_Static_assert(PARTS <= LIST_CELLS_MAX, "an element has room");

int window_list_add(struct keyed_state *state, struct entry *owner, uint32_t slot, const struct cell *value, const char *bytes, int64_t time, uint32_t input)
{
    struct buffer *element = &state->element;
    buffer_clear(element);
    msgpack_write_array(element, PARTS);
    msgpack_write_cell(element, *value, bytes);
    msgpack_write_int(element, time);
    msgpack_write_int(element, input);
    return list_add_encoded(state, owner, slot, buffer_slice(element), 1);
}

static int element_read(struct slice *in, struct arena *arena, struct cell *element)
{
    uint32_t parts;
    int status = msgpack_read_array(in, &parts);
    if (status == 0 && parts != PARTS)
        return error_set(ERROR_CORRUPT, "state: an element of a window with %u parts", parts);
    if (status == 0)
        status = msgpack_read_cell(in, arena, &element[0]);
    for (int part = 1; part < PARTS && status == 0; part++) {
        element[part] = (struct cell){ .tag = CELL_INT64 };
        status = msgpack_read_int(in, &element[part].integer);
    }
    return status;
}

int window_list_get(struct keyed_state *state, struct entry *owner, uint32_t slot, struct arena *arena, struct cell *list)
{
    static const struct list_form form = { .cells = PARTS, .read = element_read };
    return list_read(state, owner, slot, &form, arena, list);
}

/* The elements at `kept` of those that are encoded one after the other. */
static int pick(struct slice elements, const uint32_t *kept, uint32_t count, struct buffer *picked)
{
    for (uint32_t at = 0, next = 0; next < count; at++) {
        struct slice rest = elements;
        int status = msgpack_skip(&rest);
        if (status < 0)
            return status;
        if (at == kept[next]) {
            buffer_append(picked, elements.data, elements.bytes - rest.bytes);
            next++;
        }
        elements = rest;
    }
    return 0;
}

/* These are all that the list has from now on. */
static int replace(struct keyed_state *state, struct entry *owner, uint32_t slot, struct slice elements, uint32_t count)
{
    int status = list_state_clear(state, owner, slot);
    return status < 0 ? status : list_add_encoded(state, owner, slot, elements, count);
}

int window_list_keep(struct keyed_state *state, struct entry *owner, uint32_t slot, const uint32_t *kept, uint32_t count)
{
    struct buffer all = { 0 }, picked = { 0 };
    int status = list_encoded(state, owner, slot, &all);
    if (status == 0)
        status = pick(buffer_slice(&all), kept, count, &picked);
    if (status == 0)
        status = replace(state, owner, slot, buffer_slice(&picked), count);
    buffer_deinit(&all);
    buffer_deinit(&picked);
    return status;
}

int window_list_keep_last(struct keyed_state *state, struct entry *owner, uint32_t slot, uint32_t count)
{
    uint32_t there = list_state_count(owner, slot);
    if (there <= count)
        return 0;
    struct buffer all = { 0 };
    int status = list_encoded(state, owner, slot, &all);
    struct slice rest = buffer_slice(&all);
    for (uint32_t i = count; i < there && status == 0; i++)
        status = msgpack_skip(&rest);
    if (status == 0)
        status = replace(state, owner, slot, rest, count);
    buffer_deinit(&all);
    return status;
}
