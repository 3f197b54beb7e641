/* What a step does by time: windows and their aggregates, time stamps, watermarks. */
#include "dataflow/plan.h"

#include "base/error.h"
#include "base/memory.h"

int plan_set_window(struct plan *plan, int step, const struct step_window *window)
{
    struct step *target = &plan->steps[step];
    target->keyed = target->timers = true;
    target->window = *window;
    if (window->kind != WINDOW_TUMBLING && window->kind != WINDOW_SLIDING)
        return 0;
    const struct window_shape *shape = &window->shape;
    int status = window_shape_check(shape);
    if (status < 0)
        return error_wrap(status, "step '%s'", target->name);
    long long windows = shape->size / shape->slide + (shape->size % shape->slide > 0);
    if (windows > WINDOWS_PER_RECORD_MAX)
        return error_set(ERROR_ARGUMENT, "step '%s': a record would be in %lld windows (at most %d)", target->name, windows, WINDOWS_PER_RECORD_MAX);
    return 0;
}

int plan_set_watermarks(struct plan *plan, int step, double max_out_of_orderness, double idle_timeout, double emit, bool punctuated_alone)
{
    struct step_assign *assign = &plan->steps[step].assign;
    assign->set = true;
    assign->watermarks = (struct assigner_config){
        .max_out_of_orderness = (int64_t)max_out_of_orderness, .punctuated_alone = punctuated_alone, .emit = (int64_t)emit,
        .idle_timeout = idle_timeout > 0 ? (int64_t)idle_timeout : INT64_MAX,
    };
    return 0;
}

int plan_set_timestamps(struct plan *plan, int step, const char *field, int unit, const char *format)
{
    struct step_assign *assign = &plan->steps[step].assign;
    assign->field = memory_copy_text(field);
    assign->unit = unit;
    assign->format = memory_copy_text(format);
    return 0;
}

int plan_add_aggregate(struct plan *plan, int step, int kind, const char *field, const char *name)
{
    struct step *target = &plan->steps[step];
    if (target->aggregate_count == AGGREGATES_MAX)
        return error_set(ERROR_ARGUMENT, "step '%s' has more than %d aggregates", target->name, AGGREGATES_MAX);
    target->aggregates[target->aggregate_count++] = (struct step_aggregate){ (uint8_t)kind, memory_copy_text(field), memory_copy_text(name) };
    return 0;
}

int plan_set_late_port(struct plan *plan, int step, int port)
{
    plan->steps[step].late_port = port;
    return 0;
}
