#include "codec/batch_key.h"

#include "base/error.h"
#include "base/hash.h"
#include "codec/key.h"
#include "codec/msgpack.h"

#define FIXSTR_BYTES_MAX 31

int batch_key_set(struct batch *batch, int32_t index, const void *bytes, size_t count)
{
    if (count > KEY_BYTES_MAX)
        return error_set(ERROR_TOO_LARGE, "a key of %zu bytes (at most %d)", count, KEY_BYTES_MAX);
    size_t padded = (count + KEY_PAD_BYTES - 1) & ~(size_t)(KEY_PAD_BYTES - 1);
    size_t start = arena_allocate(&batch->arena, padded);
    char *target = arena_at(&batch->arena, start);
    memset(target + padded - KEY_PAD_BYTES, 0, KEY_PAD_BYTES);
    memcpy(target, bytes, count);
    batch->keys[index] = (struct batch_key){ hash_bytes(target, count), (uint32_t)start, (uint32_t)count };
    batch->keyed = true;
    return 0;
}

static inline uint64_t words_hash(uint64_t low, uint64_t high, uint32_t count)
{
    uint64_t words[2] = { low, high };
    return hash_bytes(words, count);
}

/*
 * The hash of a key that is a number, whose padded bytes are these two words. With their count
 * known to the compiler the words stay in registers: reading single bytes back from memory is
 * the longest wait of all.
 */
static inline uint64_t number_hash(const uint8_t *key, uint32_t count)
{
    uint64_t words[2];
    memcpy(words, key, sizeof words);
    switch (count) {
    case 1: return words_hash(words[0], words[1], 1);
    case 2: return words_hash(words[0], words[1], 2);
    case 3: return words_hash(words[0], words[1], 3);
    case 5: return words_hash(words[0], words[1], 5);
    default: return words_hash(words[0], words[1], count);
    }
}

int batch_key_set_number(struct batch *batch, int32_t index, double number)
{
    uint8_t key[KEY_PAD_BYTES];
    uint32_t count = key_write_number(key, number);
    if (count == 0)
        return batch_key_set_cell(batch, index, cell_of_number(number), NULL);
    size_t start = arena_allocate(&batch->arena, KEY_PAD_BYTES);
    memcpy(arena_at(&batch->arena, start), key, KEY_PAD_BYTES);
    batch->keys[index] = (struct batch_key){ number_hash(key, count), (uint32_t)start, count };
    batch->keyed = true;
    return 0;
}

int batch_key_set_string(struct batch *batch, int32_t index, const char *text, size_t bytes)
{
    if (bytes > FIXSTR_BYTES_MAX)
        return batch_key_set_cell(batch, index, (struct cell){ .tag = CELL_STRING, .length = (uint32_t)bytes, .offset = 0 }, text);
    char key[FIXSTR_BYTES_MAX + 1];
    key[0] = (char)(0xa0 | bytes);
    memcpy(key + 1, text, bytes);
    return batch_key_set(batch, index, key, bytes + 1);
}

int batch_key_set_cell(struct batch *batch, int32_t index, struct cell cell, const char *bytes)
{
    struct buffer key;
    buffer_init(&key);
    int status = msgpack_write_key(&key, cell, bytes);
    if (status == 0)
        status = batch_key_set(batch, index, key.data, key.bytes);
    buffer_deinit(&key);
    return status;
}
