/*
 * Random keys by number: key i of a seed is always the same one, so that a
 * replay from any position, or by another number of readers, makes the same
 * records. Uniform, or Zipf: key k (from 1) comes k^-s as often as key 1.
 *
 * Owner    random_keys_new() allocates, random_keys_free() frees.
 * Thread   any number at once: nothing is changed after new.
 */
#pragma once

#include <stdint.h>

#define RANDOM_KEYS_MAX ((uint64_t)1 << 32)
#define RANDOM_KEYS_EXPONENT_MAX 8.0

/* <cdef> */
struct random_keys;
/* `keys` distinct ones, 1 to 2^32; `exponent` 0 for uniform, else at most 8. */
struct random_keys *random_keys_new(uint64_t keys, double exponent, uint64_t seed);
void random_keys_free(struct random_keys *random_keys);
/* `count` keys, each a whole number from 1 to `keys`: those with the numbers first, first + step, ... */
void random_keys_fill(const struct random_keys *random_keys, uint64_t first, uint64_t step, double *out, uint32_t count);
/* </cdef> */
