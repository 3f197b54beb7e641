/*
 * msgpack: what state, snapshots and the "msgpack" format are made of. The only
 * file that knows msgpack-c (reading checks every length against the input).
 *
 * The form written is canonical (L4): the shortest integer encoding, 1.0 as 1,
 * -0 as 0, non-negative integers in the shortest unsigned form, negative ones in
 * the shortest signed form, other numbers as float64, all Lua strings as str,
 * maps with their keys in byte order of the encoded keys.
 */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "codec/cell.h"

#define MSGPACK_DEPTH_MAX 64

/* Append one value. `bytes` is the base that the cell's offsets count from. CELL_ABSENT is written as nil. */
void msgpack_write_cell(struct buffer *out, struct cell cell, const char *bytes);

/* Scalars for manifests, positions and options. */
void msgpack_write_nil(struct buffer *out);
void msgpack_write_bool(struct buffer *out, bool truth);
void msgpack_write_uint(struct buffer *out, uint64_t natural);
void msgpack_write_int(struct buffer *out, int64_t integer);
void msgpack_write_double(struct buffer *out, double number);
void msgpack_write_string(struct buffer *out, struct slice text);
void msgpack_write_array(struct buffer *out, uint32_t count);
void msgpack_write_map(struct buffer *out, uint32_t count);

/*
 * Read one value from the front of `in` into a cell whose bytes go to `arena`;
 * `in` is moved behind it. A map with string keys becomes a row (nested tables
 * CELL_PACKED, in canonical form), everything else that is no scalar CELL_PACKED;
 * bin is read as string. Errors: ERROR_FORMAT (cut short, ext types, a repeated
 * map key, deeper than MSGPACK_DEPTH_MAX), ERROR_TOO_LARGE.
 */
int msgpack_read_cell(struct slice *in, struct arena *arena, struct cell *cell);

/* Typed reads that move `in`; ERROR_FORMAT where the next value is of another type or cut short. */
int msgpack_read_uint(struct slice *in, uint64_t *natural);
int msgpack_read_int(struct slice *in, int64_t *integer);
int msgpack_read_double(struct slice *in, double *number);
int msgpack_read_bool(struct slice *in, bool *truth);
int msgpack_read_string(struct slice *in, struct slice *text); /* points into `in` */
int msgpack_read_array(struct slice *in, uint32_t *count);
int msgpack_read_map(struct slice *in, uint32_t *count);
bool msgpack_take_nil(struct slice *in); /* true, and moved, if the next value is nil */
/* Step over one whole value. */
int msgpack_skip(struct slice *in);

/*
 * The canonical key bytes of a cell, appended. A key is a string, number,
 * boolean, 64-bit integer, or a list of them (CELL_PACKED). NaN, null, nil and
 * maps: ERROR_ARGUMENT with a message that says so.
 */
int msgpack_write_key(struct buffer *out, struct cell cell, const char *bytes);
