/* The state of STEP_AGGREGATE. */
#include "dataflow/plan.h"

#include "base/buffer.h"
#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void plan_slices(const struct step *step, struct slices_shape *shape)
{
    uint8_t kinds[AGGREGATES_MAX];
    for (uint32_t i = 0; i < step->aggregate_count; i++)
        kinds[i] = step->aggregates[i].kind;
    slices_shape_init(shape, &step->window.shape, kinds, step->aggregate_count);
}

/* Slices mean nothing to other windows or aggregates: what they are is part of the state's name. */
static uint64_t slices_hash(const struct step *step)
{
    const struct window_shape *windows = &step->window.shape;
    struct buffer text;
    buffer_init(&text);
    int64_t numbers[] = { step->window.kind, windows->size, windows->slide, windows->offset, step->window.domain };
    buffer_append(&text, numbers, sizeof numbers);
    for (uint32_t i = 0; i < step->aggregate_count; i++) {
        buffer_append(&text, &step->aggregates[i].kind, 1);
        buffer_append(&text, step->aggregates[i].field, strlen(step->aggregates[i].field) + 1);
    }
    uint64_t hash = hash_bytes(text.data, text.bytes);
    buffer_deinit(&text);
    return hash;
}

int plan_slices_add(struct plan *plan, struct step *step)
{
    static const char *const forms[] = { "#slices-%016" PRIx64, "#newest-%016" PRIx64 };
    bool sessions = step->window.kind == WINDOW_SESSION;
    struct slices_shape shape;
    plan_slices(step, &shape);
    for (int i = 0; i < (sessions ? 1 : 2); i++) {
        char name[32];
        snprintf(name, sizeof name, forms[i], slices_hash(step));
        int slot = plan_add_state(plan, (int)step->id, name, STATE_VALUE);
        if (slot < 0)
            return slot;
        step->states[slot].row_bytes = sessions ? shape.bytes + SESSION_HEAD_BYTES : shape.bytes;
    }
    return 0;
}
