/*
 * The functions of a keyed state that are done with its parts as well: first its
 * own tables, then the parts in the order in which they were attached.
 */
#include "state/keyed_state_internal.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

void keyed_state_attach(struct keyed_state *state, const struct state_part *part, void *self)
{
    assert(state->part_count < STATE_PARTS_MAX);
    state->parts[state->part_count++] = (struct attached_part){ part, self };
}

void keyed_state_detach(struct keyed_state *state, const void *self)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < state->part_count; i++) {
        if (state->parts[i].self != self)
            state->parts[kept++] = state->parts[i];
    }
    state->part_count = kept;
}

#define EACH_PART(part, state) \
    (const struct attached_part *part = (state)->parts; part < (state)->parts + (state)->part_count; part++)

/* ---- Epochs ---- */

void keyed_state_freeze(struct keyed_state *state, uint64_t checkpoint)
{
    state_freeze(state, checkpoint);
    for EACH_PART(part, state)
        part->table->freeze(part->self, checkpoint);
}

bool keyed_state_sweep(struct keyed_state *state, uint32_t entries)
{
    bool swept = state_sweep(state, entries);
    for EACH_PART(part, state)
        swept = part->table->sweep(part->self, entries) && swept;
    return swept;
}

bool keyed_state_swept(const struct keyed_state *state)
{
    bool swept = state_swept(state);
    for EACH_PART(part, state)
        swept = swept && part->table->swept(part->self);
    return swept;
}

bool keyed_state_stored(const struct keyed_state *state)
{
    bool stored = state_stored(state);
    for EACH_PART(part, state)
        stored = stored || part->table->stored(part->self);
    return stored;
}

/* ---- Bases ---- */

void keyed_state_base_begin(struct keyed_state *state, bool into_store)
{
    state_base_begin(state, into_store);
    for EACH_PART(part, state)
        part->table->base_begin(part->self, into_store);
}

static const struct attached_part *part_in_base(const struct keyed_state *state)
{
    for EACH_PART(part, state) {
        if (part->table->base_running(part->self))
            return part;
    }
    return NULL;
}

bool keyed_state_base_running(const struct keyed_state *state)
{
    return state->base_running || part_in_base(state) != NULL;
}

int keyed_state_base_step(struct keyed_state *state, uint32_t entries)
{
    const struct attached_part *part = state->base_running ? NULL : part_in_base(state);
    int status = part == NULL ? state_base_step(state, entries) : part->table->base_step(part->self, entries);
    return status == 1 && part_in_base(state) != NULL ? 0 : status;
}

/* ---- Restore ---- */

void keyed_state_restore_begin(struct keyed_state *state, bool stored)
{
    state_restore_begin(state, stored);
    for EACH_PART(part, state)
        part->table->restore_begin(part->self, stored);
}

int state_parts_restore_row(struct keyed_state *state, const struct row *row)
{
    if (row->group < state->config.group_first || row->group > state->config.group_last)
        return 0;
    for EACH_PART(part, state) {
        if (part->table->owns(part->self, row->column))
            return part->table->restore_row(part->self, row);
    }
    return 0;
}

int keyed_state_restore_done(struct keyed_state *state)
{
    int status = state_restore_done(state);
    for EACH_PART(part, state)
        status = status < 0 ? status : part->table->restore_done(part->self);
    return status;
}

/* ---- One record ---- */

void keyed_state_commit_record(struct keyed_state *state)
{
    state_commit_record(state);
    for EACH_PART(part, state)
        part->table->commit_record(part->self);
}

void keyed_state_undo(struct keyed_state *state)
{
    state_undo(state);
    for EACH_PART(part, state)
        part->table->undo(part->self);
}

/* ---- Memory and counts ---- */

void state_parts_evict(struct keyed_state *state)
{
    for EACH_PART(part, state)
        part->table->evict(part->self);
}

int keyed_state_failure(const struct keyed_state *state)
{
    int failure = state->failure;
    for EACH_PART(part, state)
        failure = failure < 0 ? failure : part->table->failure(part->self);
    return failure;
}

uint64_t keyed_state_rows(struct keyed_state *state)
{
    uint64_t rows = state_rows(state);
    for EACH_PART(part, state)
        rows += part->table->rows(part->self);
    return rows;
}

size_t keyed_state_bytes(const struct keyed_state *state)
{
    size_t bytes = state_bytes(state);
    for EACH_PART(part, state)
        bytes += part->table->bytes(part->self);
    return bytes;
}

/* ---- A keyed state as a part ---- */

static void part_freeze(void *self, uint64_t checkpoint)
{
    keyed_state_freeze(self, checkpoint);
}

static bool part_sweep(void *self, uint32_t entries)
{
    return keyed_state_sweep(self, entries);
}

static bool part_swept(const void *self)
{
    return keyed_state_swept(self);
}

static void part_base_begin(void *self, bool into_store)
{
    keyed_state_base_begin(self, into_store);
}

static int part_base_step(void *self, uint32_t entries)
{
    return keyed_state_base_step(self, entries);
}

static bool part_base_running(const void *self)
{
    return keyed_state_base_running(self);
}

static bool part_stored(const void *self)
{
    return keyed_state_stored(self);
}

static void part_restore_begin(void *self, bool stored)
{
    keyed_state_restore_begin(self, stored);
}

static bool part_owns(const void *self, uint16_t column)
{
    return state_owns(self, column);
}

static int part_restore_row(void *self, const struct row *row)
{
    return state_restore_row(self, row);
}

static int part_restore_done(void *self)
{
    return keyed_state_restore_done(self);
}

static void part_commit_record(void *self)
{
    keyed_state_commit_record(self);
}

static void part_undo(void *self)
{
    keyed_state_undo(self);
}

static void part_evict(void *self)
{
    keyed_state_evict(self);
}

static int part_failure(const void *self)
{
    return keyed_state_failure(self);
}

static uint64_t part_rows(void *self)
{
    return keyed_state_rows(self);
}

static size_t part_bytes(const void *self)
{
    return keyed_state_bytes(self);
}

static const struct state_part keyed_state_part = {
    .freeze = part_freeze, .sweep = part_sweep, .swept = part_swept,
    .base_begin = part_base_begin, .base_step = part_base_step, .base_running = part_base_running, .stored = part_stored,
    .restore_begin = part_restore_begin, .owns = part_owns, .restore_row = part_restore_row, .restore_done = part_restore_done,
    .commit_record = part_commit_record, .undo = part_undo,
    .evict = part_evict, .failure = part_failure, .rows = part_rows, .bytes = part_bytes,
};

void keyed_state_attach_state(struct keyed_state *state, struct keyed_state *part)
{
    keyed_state_attach(state, &keyed_state_part, part);
    part->attached_to = state;
}
