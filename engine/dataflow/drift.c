#include "dataflow/drift.h"

#include "base/memory.h"
#include "time/alignment.h"

#include <stdlib.h>

#define NO_MEMBER UINT32_MAX

/* Of one step: its members of the group, or the assigners behind a source. */
struct drift_step {
    uint32_t first_member;       /* that of subtask 0; NO_MEMBER: it is no assigner of the group */
    uint32_t *behind, behind_count;
};

struct drift {
    struct alignment *alignment;
    struct drift_step *steps;
    uint32_t step_count;
};

int drift_set_max(struct plan *plan, int step, double max_drift)
{
    struct step_assign *assign = &plan->steps[step].assign;
    assign->drifts = true;
    assign->max_drift = (int64_t)max_drift;
    return 0;
}

static uint32_t number_members(const struct plan *plan, struct drift *drift)
{
    uint32_t members = 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        drift->steps[i].first_member = plan->steps[i].assign.drifts ? members : NO_MEMBER;
        members += plan->steps[i].assign.drifts ? plan->parallelism : 0;
    }
    return members;
}

static void behind_add(struct drift_step *source, uint32_t assigner)
{
    source->behind = memory_resize(source->behind, (source->behind_count + 1) * sizeof source->behind[0]);
    source->behind[source->behind_count++] = assigner;
}

static void find_behind(const struct plan *plan, struct drift_step *source, const struct step *from)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        if (plan->steps[i].assign.drifts && plan_reaches(plan, from, &plan->steps[i]))
            behind_add(source, i);
    }
}

struct drift *drift_new(const struct plan *plan)
{
    if (plan->by_hand)
        return NULL;
    struct drift *drift = memory_new_zeroed(1, sizeof *drift);
    drift->step_count = plan->count;
    drift->steps = memory_new_zeroed(plan->count + 1, sizeof drift->steps[0]);
    uint32_t members = number_members(plan, drift);
    if (members == 0) {
        drift_free(drift);
        return NULL;
    }
    drift->alignment = alignment_new(members);
    for (uint32_t i = 0; i < plan->count; i++) {
        if (plan->steps[i].input_count == 0)
            find_behind(plan, &drift->steps[i], &plan->steps[i]);
    }
    return drift;
}

void drift_free(struct drift *drift)
{
    if (drift == NULL)
        return;
    for (uint32_t i = 0; i < drift->step_count; i++)
        free(drift->steps[i].behind);
    alignment_free(drift->alignment);
    free(drift->steps);
    free(drift);
}

static bool is_member(const struct operator *op)
{
    return op->worker->dataflow->drift != NULL && op->step->assign.drifts;
}

static uint32_t member_of(const struct operator *op)
{
    return op->worker->dataflow->drift->steps[op->step->id].first_member + op->worker->subtask;
}

void drift_publish(const struct operator *op, int64_t watermark)
{
    if (is_member(op))
        alignment_publish(op->worker->dataflow->drift->alignment, member_of(op), watermark);
}

void drift_leave(const struct operator *op)
{
    if (is_member(op))
        alignment_leave(op->worker->dataflow->drift->alignment, member_of(op));
}

bool drift_is_ahead(const struct operator *op)
{
    return is_member(op) && alignment_pauses(op->worker->dataflow->drift->alignment, member_of(op), op->step->assign.max_drift);
}

bool drift_holds_back(const struct operator *source)
{
    const struct drift *drift = source->worker->dataflow->drift;
    if (drift == NULL)
        return false;
    const struct drift_step *step = &drift->steps[source->step->id];
    bool ahead = step->behind_count > 0;
    for (uint32_t i = 0; ahead && i < step->behind_count; i++)
        ahead = drift_is_ahead(&source->worker->ops[step->behind[i]]);
    return ahead;
}
