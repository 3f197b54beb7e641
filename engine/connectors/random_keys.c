/*
 * Key i is drawn from a mix (splitmix64) of the seed and i.
 *
 * Zipf: ranks are put into blocks whose first rank is at most 1/64 likelier than
 * its last (low ranks are alone in theirs); ten million ranks make under a
 * thousand blocks. A draw picks a block by the alias method, as if all its ranks
 * were as likely as the first, then a rank of it, and repeats where the rank is
 * rejected, which puts the difference right: the distribution is exact. All tables stay in the
 * first-level cache, and pow() is called for one draw in 64 only. (Rejection by
 * inversion calls pow or exp for every draw; an alias table over all ranks
 * misses the cache for every draw.)
 */
#include "connectors/random_keys.h"

#include "base/memory.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define BLOCK_RATIO_BITS 6
#define GOLDEN 0x9e3779b97f4a7c15u

struct block {
    uint64_t first;      /* rank, from 1 */
    uint32_t width;
    uint32_t alias;      /* the block that has the rest of this one's column */
    uint32_t own;        /* of 2^32, the part of the column that is this block's */
    uint32_t surely;     /* of 2^32: below it every rank of the block is accepted */
};

struct random_keys {
    uint64_t keys, seed;
    double exponent;
    uint32_t block_count;
    struct block *blocks;
};

static inline uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* A part of 1 as a part of 2^32. */
static uint32_t part_of_one(double part)
{
    return part >= 1 ? UINT32_MAX : (uint32_t)(part * 4294967296.0);
}

static void blocks_cut(struct random_keys *random_keys)
{
    uint32_t capacity = 0;
    for (uint64_t first = 1; first <= random_keys->keys;) {
        if (random_keys->block_count == capacity) {
            capacity = capacity * 2 + 64;
            random_keys->blocks = memory_resize(random_keys->blocks, capacity * sizeof random_keys->blocks[0]);
        }
        uint64_t width = first >> BLOCK_RATIO_BITS;
        uint64_t left = random_keys->keys - first + 1;
        width = width == 0 ? 1 : width > left ? left : width;
        double least = pow((double)first / (double)(first + width - 1), random_keys->exponent);
        random_keys->blocks[random_keys->block_count++] =
            (struct block){ .first = first, .width = (uint32_t)width, .surely = part_of_one(least) };
        first += width;
    }
}

/* Vose's construction: columns that are too low are filled up by columns that are too high. */
static void aliases_fill(struct random_keys *random_keys, double *heights)
{
    uint32_t count = random_keys->block_count, lows = 0, highs = count;
    uint32_t *order = memory_new(count * sizeof order[0]);
    for (uint32_t i = 0; i < count; i++) {
        if (heights[i] < 1)
            order[lows++] = i;
        else
            order[--highs] = i;
    }
    while (lows > 0 && highs < count) {
        uint32_t low = order[--lows], high = order[highs];
        random_keys->blocks[low].own = part_of_one(heights[low]);
        random_keys->blocks[low].alias = high;
        heights[high] -= 1 - heights[low];
        if (heights[high] < 1) {
            highs++;
            order[lows++] = high;
        }
    }
    /* What is left differs from 1 by rounding only, and is its own alias. */
    for (uint32_t i = 0; i < lows; i++)
        random_keys->blocks[order[i]].alias = order[i];
    for (uint32_t i = highs; i < count; i++)
        random_keys->blocks[order[i]].alias = order[i];
    free(order);
}

static void aliases_make(struct random_keys *random_keys)
{
    double *heights = memory_new(random_keys->block_count * sizeof heights[0]);
    double sum = 0;
    for (uint32_t i = 0; i < random_keys->block_count; i++) {
        const struct block *block = &random_keys->blocks[i];
        heights[i] = block->width * pow((double)block->first, -random_keys->exponent);
        sum += heights[i];
    }
    for (uint32_t i = 0; i < random_keys->block_count; i++)
        heights[i] *= random_keys->block_count / sum;
    aliases_fill(random_keys, heights);
    free(heights);
}

struct random_keys *random_keys_new(uint64_t keys, double exponent, uint64_t seed)
{
    assert(keys >= 1 && keys <= RANDOM_KEYS_MAX && exponent >= 0 && exponent <= RANDOM_KEYS_EXPONENT_MAX);
    struct random_keys *random_keys = memory_new_zeroed(1, sizeof *random_keys);
    random_keys->keys = keys;
    random_keys->seed = mix(seed + GOLDEN);
    random_keys->exponent = exponent;
    if (exponent > 0) {
        blocks_cut(random_keys);
        aliases_make(random_keys);
    }
    return random_keys;
}

void random_keys_free(struct random_keys *random_keys)
{
    free(random_keys->blocks);
    free(random_keys);
}

static inline uint64_t scale(uint64_t random, uint64_t range)
{
    return (uint64_t)(((unsigned __int128)random * range) >> 64);
}

/* Rank `offset` of the block, by a `draw` of 2^32: is it taken? */
static bool accepted(const struct random_keys *random_keys, const struct block *block, uint64_t offset, uint32_t draw)
{
    double ratio = (double)block->first / (double)(block->first + offset);
    return draw < pow(ratio, random_keys->exponent) * 4294967296.0;
}

static inline uint64_t draw_zipf(const struct random_keys *random_keys, uint64_t random)
{
    for (;; random = mix(random + GOLDEN)) {
        uint64_t column = (random >> 32) * random_keys->block_count;
        const struct block *block = &random_keys->blocks[column >> 32];
        if ((uint32_t)random >= block->own)
            block = &random_keys->blocks[block->alias];
        if (block->width == 1)
            return block->first;
        /* The bits that chose the block say nothing about the rank within it. */
        random = mix(random + GOLDEN);
        uint64_t place = (random >> 32) * block->width;
        uint64_t offset = place >> 32;
        if ((uint32_t)random < block->surely || accepted(random_keys, block, offset, (uint32_t)random))
            return block->first + offset;
    }
}

void random_keys_fill(const struct random_keys *random_keys, uint64_t first, uint64_t step, double *out, uint32_t count)
{
    uint64_t state = random_keys->seed + first * GOLDEN;
    if (random_keys->exponent == 0) {
        for (uint32_t i = 0; i < count; i++, state += step * GOLDEN)
            out[i] = (double)(scale(mix(state), random_keys->keys) + 1);
        return;
    }
    for (uint32_t i = 0; i < count; i++, state += step * GOLDEN)
        out[i] = (double)draw_zipf(random_keys, mix(state));
}
