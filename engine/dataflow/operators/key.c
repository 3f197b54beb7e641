/*
 * The key of a record from its fields, without entering Lua. The keys are put
 * beside the records of the same batch, unless somebody else reads it too.
 */
#include "dataflow/worker_internal.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/batch_key.h"
#include "codec/msgpack.h"
#include "codec/shape.h"

#include <stdlib.h>

struct key_reader {
    uint32_t shape;            /* of the last record; SHAPE_NONE: unknown */
    int *fields;               /* index of each key field in that shape */
    struct cell *cells;        /* of the key fields of a record */
    struct arena packed;       /* their bytes, of a record that is no row */
    struct buffer scratch;
};

static int key_open(struct operator *op)
{
    struct key_reader *reader = memory_new_zeroed(1, sizeof *reader);
    reader->shape = SHAPE_NONE;
    reader->fields = memory_new_zeroed(op->step->key_field_count + 1, sizeof reader->fields[0]);
    reader->cells = memory_new_zeroed(op->step->key_field_count + 1, sizeof reader->cells[0]);
    arena_init(&reader->packed);
    buffer_init(&reader->scratch);
    op->self = reader;
    return 0;
}

static void key_close(struct operator *op)
{
    struct key_reader *reader = op->self;
    if (reader == NULL)
        return;
    buffer_deinit(&reader->scratch);
    arena_deinit(&reader->packed);
    free(reader->cells);
    free(reader->fields);
    free(reader);
    op->self = NULL;
}

static int no_field(const struct operator *op, uint32_t field)
{
    return error_set(ERROR_ARGUMENT, "the record has no field '%s' to key by", op->step->key_fields[field]);
}

static int shape_learn(struct operator *op, uint32_t id)
{
    struct key_reader *reader = op->self;
    const struct shape *shape = shape_get(id);
    reader->shape = SHAPE_NONE; /* the fields of the old one are overwritten, also where this one lacks a field */
    for (uint32_t i = 0; i < op->step->key_field_count; i++) {
        reader->fields[i] = shape_field(shape, slice_of_text(op->step->key_fields[i]));
        if (reader->fields[i] < 0)
            return no_field(op, i);
    }
    reader->shape = id;
    return 0;
}

/* Keys are made of cells whose bytes count from `bytes`. */
static int key_of_cell(struct operator *op, struct batch *batch, int32_t index, struct cell cell, const char *bytes)
{
    struct key_reader *reader = op->self;
    if (cell.tag == CELL_NUMBER)
        return batch_key_set_number(batch, index, cell.number);
    buffer_clear(&reader->scratch); /* the key may not be read from the arena that it is written to */
    int status = msgpack_write_key(&reader->scratch, cell, bytes);
    return status < 0 ? status : batch_key_set(batch, index, reader->scratch.data, reader->scratch.bytes);
}

static int key_of_field(struct operator *op, struct batch *batch, int32_t index, struct cell cell, const char *bytes)
{
    int status = key_of_cell(op, batch, index, cell, bytes);
    return status < 0 ? error_wrap(status, "field '%s'", op->step->key_fields[0]) : 0;
}

static int key_of_list(struct operator *op, struct batch *batch, int32_t index, const char *bytes)
{
    struct key_reader *reader = op->self;
    buffer_clear(&reader->scratch);
    msgpack_write_array(&reader->scratch, op->step->key_field_count);
    for (uint32_t i = 0; i < op->step->key_field_count; i++) {
        int status = msgpack_write_key(&reader->scratch, reader->cells[i], bytes);
        if (status < 0)
            return error_wrap(status, "field '%s'", op->step->key_fields[i]);
    }
    return batch_key_set(batch, index, reader->scratch.data, reader->scratch.bytes);
}

static int key_row(struct operator *op, struct batch *batch, int32_t index, struct cell value)
{
    struct key_reader *reader = op->self;
    int status = value.length == reader->shape ? 0 : shape_learn(op, value.length);
    if (status < 0)
        return status;
    const struct cell *fields = arena_at(&batch->arena, value.offset);
    if (!op->step->key_list)
        return key_of_field(op, batch, index, fields[reader->fields[0]], batch->arena.bytes);
    for (uint32_t i = 0; i < op->step->key_field_count; i++)
        reader->cells[i] = fields[reader->fields[i]];
    return key_of_list(op, batch, index, batch->arena.bytes);
}

/* Of a table with too many fields, or of too many kinds of tables: see codec/shape.h. */
static int key_packed(struct operator *op, struct batch *batch, int32_t index, struct cell value)
{
    struct key_reader *reader = op->self;
    struct slice packed = slice_of(batch->arena.bytes + value.offset, value.length);
    arena_clear(&reader->packed);
    for (uint32_t i = 0; i < op->step->key_field_count; i++) {
        int status = msgpack_read_field(packed, slice_of_text(op->step->key_fields[i]), &reader->packed, &reader->cells[i]);
        if (status < 0)
            return status;
        if (reader->cells[i].tag == CELL_ABSENT)
            return no_field(op, i);
    }
    return op->step->key_list ? key_of_list(op, batch, index, reader->packed.bytes)
                              : key_of_field(op, batch, index, reader->cells[0], reader->packed.bytes);
}

static int key_record(struct operator *op, struct batch *batch, int32_t index)
{
    struct cell value = batch->values[index];
    switch (value.tag) {
    case CELL_ROW: return key_row(op, batch, index, value);
    case CELL_PACKED: return key_packed(op, batch, index, value);
    default: return error_set(ERROR_ARGUMENT, "the record is not a table: it has no field '%s' to key by", op->step->key_fields[0]);
    }
}

static int key_batch(struct operator *op, struct batch *input)
{
    bool own = batch_is_only(input);
    struct batch *batch = own ? input : batch_take();
    int32_t kept = 0;
    int status = 0;
    for (int32_t i = 0; i < input->count && status == 0; i++) {
        if (own) {
            batch->values[kept] = input->values[i];
            batch->times[kept] = input->times[i];
        } else {
            batch->count = kept;
            batch_append_unkeyed(batch, input, i);
        }
        status = key_record(op, batch, kept);
        if (status == 0)
            kept++;
        else
            status = operator_bad_record(op, input, i, status);
    }
    batch->count = kept;
    batch->keyed = true;
    if (status == 0)
        operator_pass(op, 0, batch);
    if (!own)
        batch_drop(batch);
    return status;
}

const struct operator_vtab operator_key = { .open = key_open, .batch = key_batch, .close = key_close };
