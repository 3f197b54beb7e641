/*
 * What a sink of dead letters does with letters that its format has no form for.
 * How letters are made: operator_bad_record(), operator_bad_bytes().
 *
 * Owner    the answer is the caller's, who drops it.
 */
#pragma once

#include "codec/batch.h"

/*
 * A batch with letters [from, to) of another: as they are, but for values that not every format can say (NaN, a text that is not
 * UTF-8), which have become texts. `all_fields`: also those that a letter does not have, as null, for a format whose records all
 * have the same columns.
 */
struct batch *dead_letter_plain(const struct batch *batch, int32_t from, int32_t to, bool all_fields);
