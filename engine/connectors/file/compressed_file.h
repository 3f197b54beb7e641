/*
 * The compressed bytes of one file, in blocks: what the inputs that decompress share.
 *
 * Owner    compressed_file_open() on the input's memory, compressed_file_close() frees.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMPRESSED_BLOCK_BYTES (128 * 1024)

struct compressed_file {
    char *path;
    int fd;
    bool at_end;          /* nothing follows this block */
    uint64_t read;        /* bytes of the file, up to the end of this block */
    size_t block_bytes;
    uint8_t block[COMPRESSED_BLOCK_BYTES];
};

int compressed_file_open(struct compressed_file *file, const char *path);
void compressed_file_close(struct compressed_file *file);

/* The next block takes the place of this one; it is empty at the end. */
int compressed_file_next(struct compressed_file *file);

/* ERROR_CORRUPT: `what` is wrong where `unread` bytes of the block are left and `offset` bytes were decompressed. */
int compressed_file_damaged(const struct compressed_file *file, const char *what, size_t unread, uint64_t offset);
