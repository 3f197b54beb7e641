/*
 * Records that a step in C could not take. A dead letter is a row of the step's
 * name, what was wrong, the record, and its time or place in the input.
 */
#include "dataflow/dead_letter.h"

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "codec/json.h"
#include "codec/json_show.h"
#include "codec/msgpack.h"
#include "codec/shape.h"
#include "dataflow/report.h"
#include "dataflow/worker_internal.h"

#include <stdlib.h>
#include <string.h>

#define WARNED_RECORDS 10
#define BYTES_KEPT_MAX 65536

/* Whoever drives a step by hand sees by himself what it dropped. `where` is a place in the input and `line` one in the script; "" where the error has it. */
static void warn(struct operator *op, const char *name, const char *where, const char *error, const char *line)
{
    uint64_t errors = atomic_load_explicit(&op->errors, memory_order_relaxed);
    if (errors > WARNED_RECORDS || op->worker->by_hand)
        return;
    log_warn("step \"%s\", subtask %u: %s%s%s%s%s%s", name, op->worker->subtask, where, *where ? ": " : "", error, *line ? " (" : "", line,
             *line ? ")" : "");
    if (errors == WARNED_RECORDS)
        log_warn("step \"%s\": further bad records are counted, not logged", name);
}

void worker_count_error(struct worker *worker, int step, const char *name, const char *error)
{
    counter_add(&worker->ops[step].errors, 1);
    warn(&worker->ops[step], name, "", error, "");
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

enum { LETTER_ERROR, LETTER_KEY, LETTER_RECORD, LETTER_STEP, LETTER_WHERE, LETTER_FIELDS };

static const char *const letter_names[LETTER_FIELDS] = { "error", "key", "record", "step", "where" }; /* in byte order */

/* Cells of the letter's arena; absent ones are left out: the key but of a keyed step, the place but of bytes that are no record. */
struct letter { struct cell fields[LETTER_FIELDS]; };

static uint32_t letter_shape(const struct letter *letter, struct cell *fields, uint32_t *count)
{
    struct slice names[LETTER_FIELDS];
    *count = 0;
    for (int i = 0; i < LETTER_FIELDS; i++) {
        if (letter->fields[i].tag == CELL_ABSENT)
            continue;
        names[*count] = slice_of_text(letter_names[i]);
        fields[(*count)++] = letter->fields[i];
    }
    return shape_intern(names, *count);
}

/* `out` is the batch whose arena the cells are in: with a large record in it, it is full, and asked for again the port has another one. */
static void letter_add(struct batch *out, const struct letter *letter, int64_t time)
{
    struct cell fields[LETTER_FIELDS];
    uint32_t count, shape = letter_shape(letter, fields, &count);
    uint64_t row = arena_allocate(&out->arena, count * sizeof(struct cell));
    memcpy(arena_at(&out->arena, row), fields, count * sizeof(struct cell));
    out->values[out->count] = (struct cell){ .tag = CELL_ROW, .length = shape, .offset = row };
    out->times[out->count++] = time;
}

/* The shapes of letters are there before a job's records have used up what shapes there may be. */
void plan_set_letters(struct plan *plan, int step)
{
    plan->steps[step].letters = true;
    const struct cell there = { .tag = CELL_NULL };
    for (int has = 0; has < 4; has++) {
        struct letter letter = { .fields = { [LETTER_ERROR] = there, [LETTER_RECORD] = there, [LETTER_STEP] = there } };
        letter.fields[LETTER_KEY].tag = has & 1 ? CELL_NULL : CELL_ABSENT;
        letter.fields[LETTER_WHERE].tag = has & 2 ? CELL_NULL : CELL_ABSENT;
        struct cell fields[LETTER_FIELDS];
        uint32_t count;
        letter_shape(&letter, fields, &count);
    }
}

static int key_read(struct arena *arena, const struct batch *batch, int32_t index, struct cell *key)
{
    struct slice bytes = slice_of(arena_at(&batch->arena, batch->keys[index].offset), batch->keys[index].bytes);
    return msgpack_read_cell(&bytes, arena, key);
}

static int send_record(struct operator *op, const struct batch *batch, int32_t index, const char *error)
{
    struct batch *out = operator_output(op, op->step->dead_port);
    struct letter letter = { .fields = { [LETTER_RECORD] = packed_record(&out->arena, batch, index) } };
    int status = op->step->keyed && batch->keyed ? key_read(&out->arena, batch, index, &letter.fields[LETTER_KEY]) : 0;
    if (status < 0)
        return status;
    letter.fields[LETTER_ERROR] = string_cell(&out->arena, slice_of_text(error));
    letter.fields[LETTER_STEP] = string_cell(&out->arena, slice_of_text(op->step->name));
    letter_add(out, &letter, batch->times[index]);
    return 0;
}

int operator_bad_record(struct operator *op, const struct batch *batch, int32_t index, int status)
{
    if (op->step->policy == POLICY_FAIL) {
        report_record(op, batch, index, status);
        return status;
    }
    const char *place = op->step->place;
    counter_add(&op->errors, 1);
    warn(op, op->step->name, "", error_message(), place == NULL ? "" : place);
    if (op->step->policy != POLICY_DEAD_LETTER)
        return 0;
    char *error = memory_copy_text(error_message());
    status = send_record(op, batch, index, error);
    free(error);
    return status;
}

int operator_bad_bytes(struct operator *op, const char *where, struct slice bytes, const char *error)
{
    counter_add(&op->errors, 1);
    warn(op, op->step->name, where, error, "");
    if (op->step->policy != POLICY_DEAD_LETTER)
        return 0;
    struct batch *out = operator_output(op, op->step->dead_port);
    struct arena *arena = &out->arena;
    struct slice kept = slice_of(bytes.data, bytes.bytes < BYTES_KEPT_MAX ? bytes.bytes : BYTES_KEPT_MAX);
    struct letter letter = { .fields = { [LETTER_RECORD] = string_cell(arena, kept), [LETTER_WHERE] = string_cell(arena, slice_of_text(where)) } };
    letter.fields[LETTER_ERROR] = string_cell(arena, slice_of_text(error));
    letter.fields[LETTER_STEP] = string_cell(arena, slice_of_text(op->step->name));
    letter_add(out, &letter, TIME_NONE);
    return 0;
}

/* A field of a letter, which its step in Lua wrote, or letter_add(); what it holds counts from *bytes. */
static struct cell field_of(const struct batch *batch, int32_t index, int field, struct arena *space, const char **bytes)
{
    struct cell letter = batch->values[index], cell = { .tag = CELL_ABSENT };
    struct slice name = slice_of_text(letter_names[field]);
    *bytes = batch->arena.bytes;
    if (letter.tag == CELL_ROW) {
        int place = shape_field(shape_get(letter.length), name);
        return place < 0 ? cell : ((const struct cell *)(const void *)(batch->arena.bytes + letter.offset))[place];
    }
    if (letter.tag == CELL_PACKED && msgpack_read_field(slice_of(batch->arena.bytes + letter.offset, letter.length), name, space, &cell) < 0)
        cell.tag = CELL_ABSENT;
    *bytes = space->bytes;
    return cell;
}

/* A value that every format has a form for; as one text, where it is nested too deep to be read again. */
static struct cell plain_cell(struct cell cell, const char *bytes, struct arena *arena)
{
    struct buffer text = { 0 };
    struct cell plain;
    json_show_cell(&text, cell, bytes, true);
    if (json_read(buffer_slice(&text), arena, &plain) < 0)
        plain = string_cell(arena, slice_of(text.data, text.bytes < BYTES_KEPT_MAX ? text.bytes : BYTES_KEPT_MAX));
    buffer_deinit(&text);
    return plain;
}

struct batch *dead_letter_plain(const struct batch *batch, int32_t from, int32_t to, bool all_fields)
{
    struct batch *out = batch_take();
    struct arena space;
    arena_init(&space);
    for (int32_t i = from; i < to; i++) {
        struct letter letter;
        arena_clear(&space);
        for (int field = 0; field < LETTER_FIELDS; field++) {
            const char *bytes;
            struct cell cell = field_of(batch, i, field, &space, &bytes);
            bool absent = cell.tag == CELL_ABSENT;
            letter.fields[field] = absent ? (struct cell){ .tag = all_fields ? CELL_NULL : CELL_ABSENT } : plain_cell(cell, bytes, &out->arena);
        }
        letter_add(out, &letter, batch->times[i]);
    }
    arena_deinit(&space);
    return out;
}
