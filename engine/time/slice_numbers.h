/*
 * The numbers of slices, of whatever width: a double, or a 64-bit integer that no double
 * holds. The same arithmetic as lua/moontide/numbers.lua.
 *
 * Thread   any.
 * Errors   ERROR_ARGUMENT: a sum is not exact.
 */
#pragma once

#include "codec/cell.h"

union slice_number { double real; int64_t integer; uint64_t natural; };

enum slice_kept { KEPT_REAL = 0, KEPT_INTEGER = 1, KEPT_NATURAL = 2 };

/* Take the number of a cell; answers enum slice_kept. */
uint8_t slice_number_set(union slice_number *number, const struct cell *cell);
double slice_number_real(const struct cell *cell);
struct cell slice_number_cell(union slice_number number, uint8_t kept);
/* One more number into a sum, min or max (enum aggregate_kind). */
int slice_number_combine(uint8_t aggregate, union slice_number *number, uint8_t *kept, union slice_number more, uint8_t more_kept);
