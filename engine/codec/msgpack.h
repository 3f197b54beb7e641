/*
 * msgpack: what state, snapshots and the "msgpack" format are made of. Its .c is
 * the only file that knows msgpack-c (reading checks every length against the input).
 *
 * The form written is canonical (L4): the shortest integer encoding, 1.0 as 1,
 * -0 as 0, non-negative integers in the shortest unsigned form, negative ones in
 * the shortest signed form, all Lua strings as str. A double is written as an
 * integer where it is whole and within ±2^53; any other double is float64, so
 * 2^60 as a double and 2^60 as a 64-bit integer are two different keys.
 *
 * The order of a map is fixed too (L6). A row has its fields in the order of its
 * shape: byte order of the names. A packed map has its keys in byte order of
 * their encoded bytes (for strings that is: shorter ones first), also where all
 * of them are strings.
 */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "codec/cell.h"

/* Maps and lists in each other, counted from 1; the fields of a row are at 2. */
#define MSGPACK_DEPTH_MAX 64

/* <cdef> */
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
 * bin is read as string. Errors, with `in` and the arena as they were:
 * ERROR_FORMAT (cut short, ext types, a map key that is repeated or that no Lua
 * table can have, deeper than MSGPACK_DEPTH_MAX), ERROR_TOO_LARGE (beyond
 * RECORD_BYTES_MAX).
 */
int msgpack_read_cell(struct slice *in, struct arena *arena, struct cell *cell);

/*
 * The field of a packed map (a record of too many fields or shapes, see codec/shape.h)
 * that has this name; its bytes go to `arena`. CELL_ABSENT where there is none, or it is a list.
 */
int msgpack_read_field(struct slice packed, struct slice name, struct arena *arena, struct cell *field);

/* Typed reads that move `in`; ERROR_FORMAT where the next value is of another type or cut short. */
int msgpack_read_uint(struct slice *in, uint64_t *natural);
int msgpack_read_int(struct slice *in, int64_t *integer);
int msgpack_read_double(struct slice *in, double *number); /* also an integer, which may have been a whole double */
int msgpack_read_bool(struct slice *in, bool *truth);
int msgpack_read_string(struct slice *in, struct slice *text); /* points into `in` */
int msgpack_read_array(struct slice *in, uint32_t *count);     /* never more than `in` could hold */
int msgpack_read_map(struct slice *in, uint32_t *count);
/* Step over one whole value. */
int msgpack_skip(struct slice *in);
/* How many bytes the value at the front of `in` has: 1 if it is whole, 0 if it is cut short, negative where it cannot be msgpack. */
int msgpack_measure(struct slice in, size_t *bytes);
/*
 * The same where bytes are added behind `in` time and again: `walk`, zeroed at first, is how far it came, and it goes on there.
 * What is cut short is walked over once, however many pieces it comes in.
 */
struct msgpack_walk { size_t bytes; uint64_t pending; };
int msgpack_measure_on(struct slice in, struct msgpack_walk *walk);

/*
 * The canonical key bytes of a cell, appended. A key is a string, number,
 * boolean, 64-bit integer, or a list of them (CELL_PACKED). NaN, null, nil and
 * maps: ERROR_ARGUMENT with a message that says so. Whole numbers have a faster
 * way in codec/key.h.
 */
int msgpack_write_key(struct buffer *out, struct cell cell, const char *bytes);
/* </cdef> */
