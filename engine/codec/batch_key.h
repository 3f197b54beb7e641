/* The key of a record in a batch: its canonical bytes in the batch's arena, padded, with their hash. */
#pragma once

#include "codec/batch.h"

#define KEY_BYTES_MAX 60000

/* <cdef> */
/* Set the key of record `index`; the batch becomes a keyed one. ERROR_TOO_LARGE beyond KEY_BYTES_MAX. */
int batch_key_set(struct batch *batch, int32_t index, const void *bytes, size_t count);

/* The same of a key that is a number; of any cell, whose bytes count from `bytes` (not in this batch's arena, which may move). */
int batch_key_set_number(struct batch *batch, int32_t index, double number);
int batch_key_set_string(struct batch *batch, int32_t index, const char *text, size_t bytes);
int batch_key_set_cell(struct batch *batch, int32_t index, struct cell cell, const char *bytes);
/* </cdef> */
