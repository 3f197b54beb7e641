#include "time/slice_numbers.h"

#include "base/error.h"
#include "time/slices.h"

#include <math.h>

uint8_t slice_number_set(union slice_number *number, const struct cell *cell)
{
    *number = (union slice_number){ .natural = cell->natural };
    return cell->tag == CELL_INT64 ? KEPT_INTEGER : cell->tag == CELL_UINT64 ? KEPT_NATURAL : KEPT_REAL;
}

static double real_of(union slice_number number, uint8_t kept)
{
    return kept == KEPT_INTEGER ? (double)number.integer : kept == KEPT_NATURAL ? (double)number.natural : number.real;
}

double slice_number_real(const struct cell *cell)
{
    union slice_number number;
    uint8_t kept = slice_number_set(&number, cell);
    return real_of(number, kept);
}

struct cell slice_number_cell(union slice_number number, uint8_t kept)
{
    return kept == KEPT_INTEGER ? cell_of_int64(number.integer) : kept == KEPT_NATURAL ? cell_of_uint64(number.natural) : cell_of_number(number.real);
}

static int integer_of(union slice_number number, uint8_t kept, int64_t *integer)
{
    if (kept == KEPT_REAL && !(fabs(number.real) <= (double)CELL_INTEGER_MAX && floor(number.real) == number.real))
        return error_set(ERROR_ARGUMENT, "cannot add %.14g to a 64-bit integer exactly", number.real);
    if (kept == KEPT_NATURAL && number.natural > INT64_MAX)
        return error_set(ERROR_ARGUMENT, "the sum does not fit 64 bits");
    *integer = kept == KEPT_REAL ? (int64_t)number.real : number.integer;
    return 0;
}

static int add(union slice_number *number, uint8_t *kept, union slice_number more, uint8_t more_kept)
{
    int64_t a, b, sum;
    if (*kept == KEPT_REAL && more_kept == KEPT_REAL) {
        number->real += more.real;
        return 0;
    }
    int status = integer_of(*number, *kept, &a);
    if (status == 0)
        status = integer_of(more, more_kept, &b);
    if (status < 0)
        return status;
    if (__builtin_add_overflow(a, b, &sum))
        return error_set(ERROR_ARGUMENT, "the sum does not fit 64 bits");
    struct cell cell = cell_of_int64(sum); /* what fits a double goes on as one, as it does in every state */
    *kept = slice_number_set(number, &cell);
    return 0;
}

/* Integers that are equal as doubles have the same sign, so that comparing them unsigned is right. */
static bool less(union slice_number a, uint8_t a_kept, union slice_number b, uint8_t b_kept)
{
    double x = real_of(a, a_kept), y = real_of(b, b_kept);
    if (x != y || a_kept == KEPT_REAL || b_kept == KEPT_REAL)
        return x < y;
    return a.natural < b.natural;
}

int slice_number_combine(uint8_t aggregate, union slice_number *number, uint8_t *kept, union slice_number more, uint8_t more_kept)
{
    if (aggregate == AGGREGATE_SUM)
        return add(number, kept, more, more_kept);
    bool taken = aggregate == AGGREGATE_MIN ? less(more, more_kept, *number, *kept) : less(*number, *kept, more, more_kept);
    if (taken)
        *number = more, *kept = more_kept;
    return 0;
}
