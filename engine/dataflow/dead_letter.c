/*
 * Records that a step in C could not take. A dead letter is a row of the step's
 * name, what was wrong, the record, and its time or place in the input.
 */
#include "dataflow/worker_internal.h"

#include "base/log.h"
#include "codec/msgpack.h"
#include "codec/shape.h"

#define WARNED_RECORDS 10
#define BYTES_KEPT_MAX 65536

static void warn(struct operator *op, const char *where, const char *error)
{
    uint64_t errors = atomic_load_explicit(&op->errors, memory_order_relaxed);
    if (errors <= WARNED_RECORDS)
        log_warn("step \"%s\", subtask %u: %s%s%s", op->step->name, op->worker->subtask, where, *where ? ": " : "", error);
    if (errors == WARNED_RECORDS)
        log_warn("step \"%s\": further bad records are counted, not logged", op->step->name);
}

static struct cell string_cell(struct arena *arena, struct slice text)
{
    return (struct cell){ .tag = CELL_STRING, .length = (uint32_t)text.bytes, .offset = arena_append(arena, text.data, text.bytes) };
}

static struct cell packed_record(struct arena *arena, const struct batch *batch, int32_t index)
{
    struct cell value = batch->values[index];
    if (value.tag != CELL_ROW)
        return cell_copy(value, batch->arena.bytes, arena);
    struct buffer packed;
    buffer_init(&packed);
    msgpack_write_cell(&packed, value, batch->arena.bytes);
    struct cell cell = { .tag = CELL_PACKED, .length = (uint32_t)packed.bytes, .offset = arena_append(arena, packed.data, packed.bytes) };
    buffer_deinit(&packed);
    return cell;
}

/* Fields in byte order; the last one, "where", only for bytes that are no record. */
static void letter_add(struct operator *op, struct cell record, struct cell where, struct cell error, struct cell step, int64_t time)
{
    struct batch *out = operator_output(op, op->step->dead_port);
    struct slice with_where[] = { slice_of_text("error"), slice_of_text("record"), slice_of_text("step"), slice_of_text("where") };
    uint32_t count = where.tag == CELL_ABSENT ? 3 : 4;
    uint32_t shape = shape_intern(with_where, count);
    uint64_t row = arena_allocate(&out->arena, count * sizeof(struct cell));
    struct cell *fields = arena_at(&out->arena, row);
    fields[0] = error;
    fields[1] = record;
    fields[2] = step;
    if (count == 4)
        fields[3] = where;
    out->values[out->count] = (struct cell){ .tag = CELL_ROW, .length = shape, .offset = row };
    out->times[out->count++] = time;
}

int operator_bad_record(struct operator *op, const struct batch *batch, int32_t index, const char *error)
{
    counter_add(&op->errors, 1);
    warn(op, "", error);
    if (op->step->policy != POLICY_DEAD_LETTER)
        return 0;
    struct arena *arena = &operator_output(op, op->step->dead_port)->arena;
    struct cell record = packed_record(arena, batch, index);
    struct cell text = string_cell(arena, slice_of_text(error)), step = string_cell(arena, slice_of_text(op->step->name));
    letter_add(op, record, (struct cell){ 0 }, text, step, batch->times[index]);
    return 0;
}

int operator_bad_bytes(struct operator *op, const char *where, struct slice bytes, const char *error)
{
    counter_add(&op->errors, 1);
    warn(op, where, error);
    if (op->step->policy != POLICY_DEAD_LETTER)
        return 0;
    struct arena *arena = &operator_output(op, op->step->dead_port)->arena;
    struct slice kept = slice_of(bytes.data, bytes.bytes < BYTES_KEPT_MAX ? bytes.bytes : BYTES_KEPT_MAX);
    struct cell record = string_cell(arena, kept), place = string_cell(arena, slice_of_text(where));
    struct cell text = string_cell(arena, slice_of_text(error)), step = string_cell(arena, slice_of_text(op->step->name));
    letter_add(op, record, place, text, step, TIME_NONE);
    return 0;
}
