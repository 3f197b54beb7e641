#include "dataflow/operators/aggregate.h"

#include "base/error.h"
#include "base/log.h"
#include "codec/msgpack.h"
#include "codec/shape.h"
#include "dataflow/report.h"
#include "time/instant.h"

#include <math.h>
#include <stdlib.h>

struct name_place { struct slice name; uint32_t place; };

static int compare_names(const void *a, const void *b)
{
    return slice_compare(((const struct name_place *)a)->name, ((const struct name_place *)b)->name);
}

int aggregate_result_shape(struct aggregator *self, const struct step *step)
{
    struct name_place names[RESULT_FIELDS + AGGREGATES_MAX] = { { slice_of_text("key"), 0 }, { slice_of_text("window_start"), 1 }, { slice_of_text("window_end"), 2 } };
    struct slice sorted[RESULT_FIELDS + AGGREGATES_MAX];
    uint32_t count = RESULT_FIELDS + step->aggregate_count;
    for (uint32_t i = 0; i < step->aggregate_count; i++)
        names[RESULT_FIELDS + i] = (struct name_place){ slice_of_text(step->aggregates[i].name), RESULT_FIELDS + i };
    qsort(names, count, sizeof names[0], compare_names);
    for (uint32_t i = 0; i < count; i++) {
        sorted[i] = names[i].name;
        self->result_places[names[i].place] = i;
        if (i > 0 && slice_equal(sorted[i - 1], sorted[i]))
            return error_set(ERROR_ARGUMENT, "two fields of the result are called '%.*s'", (int)sorted[i].bytes, sorted[i].data);
    }
    self->result_shape = shape_intern(sorted, count);
    return self->result_shape == SHAPE_NONE ? error_set(ERROR_ARGUMENT, "there are too many kinds of records") : 0;
}

/* As lua/moontide/runtime/times.lua has it. */
static struct cell time_cell(int64_t time)
{
    return cell_of_number(time == TIME_END ? HUGE_VAL : (double)time);
}

int aggregate_emit_results(struct operator *op, struct slice key, const struct window *window, const struct cell *results)
{
    struct aggregator *self = op->self;
    struct batch *out = operator_output(op, 0);
    uint32_t fields = RESULT_FIELDS + op->step->aggregate_count;
    uint64_t offset = arena_allocate(&out->arena, fields * sizeof(struct cell));
    struct cell key_cell;
    int status = msgpack_read_cell(&key, &out->arena, &key_cell); /* may move the arena */
    if (status < 0)
        return status;
    struct cell *row = arena_at(&out->arena, offset);
    row[self->result_places[0]] = key_cell;
    row[self->result_places[1]] = time_cell(window->start);
    row[self->result_places[2]] = time_cell(window->end);
    for (uint32_t i = 0; i < op->step->aggregate_count; i++)
        row[self->result_places[RESULT_FIELDS + i]] = results[i];
    out->values[out->count] = (struct cell){ .tag = CELL_ROW, .length = self->result_shape, .offset = offset };
    out->times[out->count++] = window_max_timestamp(window);
    return 0;
}

/* A window whose sum cannot be told is an error without a record. */
static int refused(struct operator *op, const struct window *window, int status)
{
    if (op->step->policy == POLICY_FAIL) {
        report_step(op, status);
        return status;
    }
    counter_add(&op->errors, 1);
    log_warn("step \"%s\", subtask %u: window from %lld: %s", op->step->name, op->worker->subtask, (long long)window->start, error_message());
    return 0;
}

int aggregate_emit(struct operator *op, const char *slices, uint32_t count, struct slice key, const struct window *window)
{
    struct aggregator *self = op->self;
    struct cell results[AGGREGATES_MAX];
    int status = slices_result(&self->slices, slices, count, window->start, window->end, results);
    if (status < 0)
        return refused(op, window, status);
    return status == 0 ? 0 : aggregate_emit_results(op, key, window, results);
}
