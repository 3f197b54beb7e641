#include "dataflow/call_visit.h"

#include "base/memory.h"
#include "codec/batch_key.h"
#include "state/key_list.h"
#include "state/map_state.h"

#include <stdlib.h>

struct call_visit {
    struct call cell;
    struct key_list keys;
    uint32_t next;
    struct batch *batch;
    struct entry *entries[BATCH_RECORDS_MAX];
};

struct call_visit *call_visit_new(struct call *call)
{
    struct call_visit *visit = memory_new_zeroed(1, sizeof *visit);
    visit->cell.state = call->state;
    visit->cell.view = call->view;
    visit->cell.step_instance = call->step_instance;
    arena_init(&visit->cell.scratch);
    arena_grow(&visit->cell.scratch, 1024);
    visit->batch = batch_take();
    key_list_init(&visit->keys);
    return visit;
}

void call_visit_free(struct call_visit *visit)
{
    key_list_deinit(&visit->keys);
    batch_drop(visit->batch);
    arena_deinit(&visit->cell.scratch);
    free(visit);
}

struct call *call_visit_cell(struct call_visit *visit)
{
    return &visit->cell;
}

int call_visit_begin(struct call_visit *visit, uint32_t slot)
{
    key_list_deinit(&visit->keys);
    key_list_init(&visit->keys);
    visit->next = 0;
    visit->cell.entries = NULL;
    return key_list_fill(&visit->keys, visit->cell.state, slot);
}

int call_visit_next(struct call_visit *visit)
{
    struct batch *batch = visit->batch;
    map_iterations_end(visit->cell.state);
    batch_clear(batch);
    visit->cell.entries = NULL;
    while (visit->next < visit->keys.count && !batch_full(batch)) {
        struct slice key = visit->keys.keys[visit->next++];
        int status = batch_key_set(batch, batch->count++, key.data, key.bytes);
        if (status < 0)
            return status;
    }
    bool undoable = visit->cell.view->undo_count > 0;
    int status = undoable ? keyed_state_resolve_more(visit->cell.state, batch, visit->entries) : keyed_state_resolve(visit->cell.state, batch, visit->entries);
    if (status < 0)
        return status;
    visit->cell.index = 0;
    visit->cell.count = batch->count;
    visit->cell.bytes = batch->arena.bytes;
    visit->cell.keys = batch->keys;
    visit->cell.entries = batch->count == 0 ? NULL : visit->entries; /* behind the last one nothing is reached */
    return batch->count;
}
