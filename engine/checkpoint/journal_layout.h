/* The bytes of a journal, shared by its writer and its reader only. */
#pragma once

#include "base/hash.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "journals are little endian");

#define JOURNAL_MAGIC 0x314a544du       /* "MTJ1" */
#define JOURNAL_FRAME_MAGIC 0x4654524du /* "MRTF" */
#define JOURNAL_END_MAGIC 0x4554524du   /* "MRTE" */
#define JOURNAL_VERSION 1

struct journal_file_header {
    uint32_t magic;
    uint16_t version;
    uint16_t kind;
    uint64_t checksum;
};

struct journal_frame_header {
    uint32_t magic;
    uint32_t payload_bytes;
    uint32_t subtask;
    uint16_t group_first, group_last;
    uint64_t epoch;
    uint64_t checksum;
};

/* The payload of the end frame. */
struct journal_totals {
    uint64_t frames;
    uint64_t payload_bytes;
    uint64_t chain;
};

_Static_assert(sizeof(struct journal_file_header) == 16, "no padding");
_Static_assert(sizeof(struct journal_frame_header) == 32, "no padding");
_Static_assert(sizeof(struct journal_totals) == 24, "no padding");

static inline uint64_t journal_header_checksum(const struct journal_file_header *header)
{
    return hash_bytes(header, offsetof(struct journal_file_header, checksum));
}

/* `offset`, the frame's place in the file, is the seed: a whole frame in the wrong place does not pass. */
static inline uint64_t journal_frame_checksum(const struct journal_frame_header *header, const void *payload, uint64_t offset)
{
    uint64_t words[4];
    memcpy(words, header, offsetof(struct journal_frame_header, checksum));
    words[3] = hash_bytes(payload, header->payload_bytes);
    return XXH3_64bits_withSeed(words, sizeof words, offset);
}

static inline uint64_t journal_chain(uint64_t chain, uint64_t checksum)
{
    uint64_t words[2] = { chain, checksum };
    return hash_bytes(words, sizeof words);
}
