/*
 * The text of any cell, as JSON: also of what JSON cannot hold. For reports, and
 * for dead letters, which must not be lost because of the value that they tell of.
 */
#pragma once

#include "base/buffer.h"
#include "codec/cell.h"

#include <stdbool.h>

/* <cdef> */
/*
 * Append the text of a cell, on one line; `bytes` is the base that its offsets count from. Where json_write_cell() refuses: a
 * byte that is not UTF-8 is written as \xff (text_append_printable()), other keys than strings as their text, and NaN and infinity as `NaN`, `Infinity`
 * and `-Infinity`, in quotes if the text is to be `valid` JSON.
 */
void json_show_cell(struct buffer *out, struct cell cell, const char *bytes, bool valid);
/* </cdef> */
