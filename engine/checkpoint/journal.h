/*
 * Files of state rows, written once from front to end: a "delta" (what changed
 * in an epoch) or a "dump" (everything). The rows are opaque here.
 *
 *   file header   magic "MTJ1", version, kind, checksum
 *   frames        header of 32 bytes (magic, payload bytes, subtask, key groups,
 *                 epoch, checksum), then the payload
 *   end frame     numbers of frames and payload bytes, and the file's checksum
 *
 * A frame's checksum (XXH3-64) covers its header, its payload and its place in
 * the file; the file's checksum is the chain of the frames' checksums, so that no
 * byte is hashed twice. All numbers are little endian.
 *
 * Owner    journal_create() and journal_open() allocate; the payload that
 *          journal_next() answers belongs to the reader until its next call.
 * Thread   one at a time.
 * Errors   0 or a negative code; ERROR_CORRUPT names file and offset.
 */
#pragma once

#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

#define JOURNAL_PAYLOAD_BYTES_MAX (1u << 30)

/* <cdef> */
enum journal_kind { JOURNAL_DELTA = 1, JOURNAL_DUMP = 2 };

struct journal_frame {
    uint32_t subtask;                   /* that wrote it */
    uint16_t group_first, group_last;   /* key groups that its rows lie in */
    uint64_t epoch;
};

struct journal;
/* A new file; ERROR_EXISTS if there is one. */
int journal_create(const char *path, int kind, struct journal **journal);
/* Write one frame. If that fails (disk full) the file ends behind the last whole frame, and the call may be repeated. */
int journal_append(struct journal *journal, const struct journal_frame *frame, struct slice payload);
/*
 * End the file and bring it to the disk (its name is synced with its directory). May be repeated
 * if the end could not be written; after a failed sync nobody knows what the disk holds, and all
 * later calls answer ERROR_STATE.
 */
int journal_seal(struct journal *journal, uint64_t *bytes, uint64_t *checksum);
/* Bytes of the file so far. */
uint64_t journal_bytes(const struct journal *journal);
void journal_close(struct journal *journal);
/* Close and unlink. */
void journal_discard(struct journal *journal);

struct journal_reader;
/*
 * Open a sealed file. What is known of it from elsewhere is compared at once: its size
 * and its checksum; 0 is unknown. Frames are checked one by one as they are read.
 */
int journal_open(const char *path, uint64_t bytes, uint64_t checksum, struct journal_reader **reader);
int journal_reader_kind(const struct journal_reader *reader);
/* 1 and the next frame, 0 behind the last one, or negative. */
int journal_next(struct journal_reader *reader, struct journal_frame *frame, struct slice *payload);
void journal_reader_close(struct journal_reader *reader);
/* Read a file to its end. */
int journal_verify(const char *path, uint64_t bytes, uint64_t checksum);
/* </cdef> */

/* Has a failed sync or cut left it such that it can never be sealed? */
bool journal_is_broken(const struct journal *journal);
/* Take the payload that was answered last, and leave an empty buffer (which is used again) in its place. */
void journal_swap_payload(struct journal_reader *reader, struct buffer *payload);
/*
 * Instead of journal_next(), for a reader that only looks: how long the next frame's payload is,
 * and its first bytes, up to `room`. Its checksum is not looked at. 1, 0 behind the last one, or negative.
 */
int journal_peek(struct journal_reader *reader, char *start, size_t room, struct slice *first, uint32_t *payload_bytes);
