/*
 * JSON: documents to cells and back. Numbers are exact both ways (codec/number.h),
 * nested objects and lists are CELL_PACKED, an object is a row with its last value
 * where a name stands twice. Text is UTF-8 or refused.
 */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "codec/cell.h"

/* <cdef> */
/*
 * Append the text of a cell, on one line. `bytes` is the base that the cell's
 * offsets count from. A row has its fields in the order of its shape; keys that
 * are numbers become their text. ERROR_FORMAT for what JSON cannot hold: NaN,
 * infinity, strings that are not UTF-8, other keys; `out` is then as before.
 */
int json_write_cell(struct buffer *out, struct cell cell, const char *bytes);

/* Read the one document in `text`, of at most RECORD_BYTES_MAX, into a cell whose bytes go to `arena`. ERROR_FORMAT, ERROR_TOO_LARGE: the arena is as before. */
int json_read(struct slice text, struct arena *arena, struct cell *cell);
/* </cdef> */
