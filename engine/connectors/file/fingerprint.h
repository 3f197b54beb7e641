/*
 * What lies before a position in a plain file, in a number: whether the file was written anew while
 * the job did not run. It may have been copied or moved, since people do that with input.
 */
#pragma once

#include <stdint.h>

/* Of the bytes before `offset`, at most 256. 0: there are none, or they cannot be read. Even, as no identity of a followed file is (follow.h). */
uint64_t fingerprint_before(int descriptor, uint64_t offset);
