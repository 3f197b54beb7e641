/*
 * The bytes of one file, in order: as they are, or decompressed (.gz, .zst).
 *
 * Owner    open() allocates and owns the descriptor, close() frees.
 * Errors   compressed input that is damaged or cut short: ERROR_CORRUPT with the
 *          file and the place; else ERROR_IO, ERROR_NOT_FOUND.
 *
 * At the end read() answers 0; there may be more later. Whether the file may end
 * there is for end() to say.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file_input;

struct file_input_vtab {
    bool seekable;
    int (*open)(struct file_input **input, const char *path);
    /* At most `bytes` of them: how many, 0 at the end, or negative. */
    int64_t (*read)(struct file_input *input, char *target, size_t bytes);
    /* Where read() answered 0: 0, or ERROR_CORRUPT for compressed input that is cut short. */
    int (*end)(struct file_input *input);
    /* Go on at `offset`, of the decompressed bytes; forward only where not seekable. ERROR_CORRUPT if the input ends before it. */
    int (*seek)(struct file_input *input, uint64_t offset);
    int (*descriptor)(const struct file_input *input);
    void (*close)(struct file_input *input);
};

extern const struct file_input_vtab plain_input, gzip_input, zstd_input;

/* By the name's ending. */
const struct file_input_vtab *file_input_of(const char *path);
/* Open for reading: the descriptor, or negative. What is no regular file is refused. */
int file_descriptor_open(const char *path);
/* Read and drop up to `offset`, for inputs that cannot seek: what their seek does. `at` is moved. */
int file_input_skip(const struct file_input_vtab *vtab, struct file_input *input, const char *path, uint64_t *at, uint64_t offset);
