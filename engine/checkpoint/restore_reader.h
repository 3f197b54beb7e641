/*
 * The frames of a checkpoint's files, base first, then deltas from the oldest on,
 * read and checked by a thread of its own a few frames ahead of who uses them.
 *
 * Owner    restore_reader_begin() allocates; storage and manifest must stay until
 *          restore_reader_end(). Rows belong to the reader until the next call.
 * Errors   as journal_next(), at the place in line where they were met.
 */
#pragma once

#include "base/slice.h"
#include "checkpoint/manifest.h"
#include "checkpoint/storage.h"

struct restore_reader;

/* Of these key groups. Frames of epochs behind the checkpoint are left out: they were swept early for one that never was. */
struct restore_reader *restore_reader_begin(const struct storage *storage, const struct manifest *manifest, uint16_t group_first, uint16_t group_last);
/* 1 and the rows of the next frame, from the file *name; 0 behind the last one; or negative. */
int restore_reader_next(struct restore_reader *reader, struct slice *rows, const char **name);
void restore_reader_end(struct restore_reader *reader);
