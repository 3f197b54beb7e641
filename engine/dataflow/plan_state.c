/* What a step's keyed state is made of, for one subtask. */
#include "dataflow/plan.h"

/* First and last key group of a subtask (S43); a worker that the step has no subtask in has none, and the last one before the first. */
static void group_range(const struct plan *plan, const struct step *step, uint32_t subtask, uint16_t *first, uint16_t *last)
{
    uint64_t max = plan->max_parallelism, parallelism = plan_subtasks(plan, step);
    *first = 1;
    *last = 0;
    if (subtask >= parallelism)
        return;
    *first = (uint16_t)((subtask * max + parallelism - 1) / parallelism);
    *last = (uint16_t)(((subtask + 1) * max - 1) / parallelism);
}

/* Each buffer of rows by time has the times that its chunks span beside it, behind all states: in the order of the buffers. */
static void ranges_add(struct keyed_state_config *config)
{
    uint32_t states = config->states;
    for (uint32_t i = 0; i < states; i++) {
        if (config->state[i].timed_rows)
            config->state[config->states++].kind = KIND_DERIVED;
    }
}

void plan_state_config(const struct plan *plan, const struct step *step, uint32_t subtask, bool panes, struct keyed_state_config *config)
{
    const struct step_state *states = panes ? step->pane_states : step->states;
    *config = (struct keyed_state_config){
        .column = panes ? step->pane_column : step->column, .states = panes ? step->pane_state_count : step->state_count,
        .subtask = subtask, .max_parallelism = plan->max_parallelism, .name_spaces = panes,
    };
    group_range(plan, step, subtask, &config->group_first, &config->group_last);
    for (uint32_t i = 0; i < config->states; i++) {
        config->state[i].id = states[i].id;
        config->state[i].kind = states[i].kind;
        config->state[i].hidden = states[i].hidden;
        config->state[i].row_bytes = states[i].row_bytes;
        config->state[i].timed_rows = states[i].type == STATE_TIMED_ROWS;
    }
    ranges_add(config);
}
