/*
 * Records that a step in C could not take. A dead letter is a row of the step's
 * name, what was wrong, the record, and its time or place in the input.
 */
#include "dataflow/worker_internal.h"

#include "base/log.h"
#include "codec/msgpack.h"
#include "codec/shape.h"

#include <string.h>

#define WARNED_RECORDS 10
#define BYTES_KEPT_MAX 65536

static void warn(struct operator *op, const char *name, const char *where, const char *error)
{
    uint64_t errors = atomic_load_explicit(&op->errors, memory_order_relaxed);
    if (errors <= WARNED_RECORDS)
        log_warn("step \"%s\", subtask %u: %s%s%s", name, op->worker->subtask, where, *where ? ": " : "", error);
    if (errors == WARNED_RECORDS)
        log_warn("step \"%s\": further bad records are counted, not logged", name);
}

/* Whoever drives a step by hand sees by himself what it dropped. */
void worker_count_error(struct worker *worker, int step, const char *name, const char *error)
{
    counter_add(&worker->ops[step].errors, 1);
    if (!worker->by_hand)
        warn(&worker->ops[step], name, "", error);
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

/* Cells of the letter's arena; absent ones are left out: the key but of a keyed step, the place but of bytes that are no record. */
struct letter { struct cell error, key, record, step, where; };

static void letter_add(struct operator *op, const struct letter *letter, int64_t time)
{
    static const char *const names[] = { "error", "key", "record", "step", "where" }; /* in byte order */
    const struct cell cells[] = { letter->error, letter->key, letter->record, letter->step, letter->where };
    struct batch *out = operator_output(op, op->step->dead_port);
    struct slice given[5];
    struct cell fields[5];
    uint32_t count = 0;
    for (int i = 0; i < 5; i++) {
        if (cells[i].tag == CELL_ABSENT)
            continue;
        given[count] = slice_of_text(names[i]);
        fields[count++] = cells[i];
    }
    uint32_t shape = shape_intern(given, count);
    uint64_t row = arena_allocate(&out->arena, count * sizeof(struct cell));
    memcpy(arena_at(&out->arena, row), fields, count * sizeof(struct cell));
    out->values[out->count] = (struct cell){ .tag = CELL_ROW, .length = shape, .offset = row };
    out->times[out->count++] = time;
}

static int key_read(struct arena *arena, const struct batch *batch, int32_t index, struct cell *key)
{
    struct slice bytes = slice_of(arena_at(&batch->arena, batch->keys[index].offset), batch->keys[index].bytes);
    return msgpack_read_cell(&bytes, arena, key);
}

int operator_bad_record(struct operator *op, const struct batch *batch, int32_t index, const char *error)
{
    counter_add(&op->errors, 1);
    warn(op, op->step->name, "", error);
    if (op->step->policy != POLICY_DEAD_LETTER)
        return 0;
    struct arena *arena = &operator_output(op, op->step->dead_port)->arena;
    struct letter letter = { .record = packed_record(arena, batch, index) };
    int status = op->step->keyed && batch->keyed ? key_read(arena, batch, index, &letter.key) : 0;
    if (status < 0)
        return status;
    letter.error = string_cell(arena, slice_of_text(error));
    letter.step = string_cell(arena, slice_of_text(op->step->name));
    letter_add(op, &letter, batch->times[index]);
    return 0;
}

int operator_bad_bytes(struct operator *op, const char *where, struct slice bytes, const char *error)
{
    counter_add(&op->errors, 1);
    warn(op, op->step->name, where, error);
    if (op->step->policy != POLICY_DEAD_LETTER)
        return 0;
    struct arena *arena = &operator_output(op, op->step->dead_port)->arena;
    struct slice kept = slice_of(bytes.data, bytes.bytes < BYTES_KEPT_MAX ? bytes.bytes : BYTES_KEPT_MAX);
    struct letter letter = { .record = string_cell(arena, kept), .where = string_cell(arena, slice_of_text(where)) };
    letter.error = string_cell(arena, slice_of_text(error));
    letter.step = string_cell(arena, slice_of_text(op->step->name));
    letter_add(op, &letter, TIME_NONE);
    return 0;
}
