/*
 * Heap memory that is always there or ends the process with a clear line: a
 * stream processor that cannot allocate a kilobyte is restarted by its
 * supervisor from the newest checkpoint, which is safer than half an answer.
 * What is sized by outside input is checked against a limit before it gets here.
 */
#pragma once

#include <stddef.h>

void *memory_new(size_t bytes);                     /* not cleared */
void *memory_new_zeroed(size_t count, size_t bytes);
void *memory_new_aligned(size_t alignment, size_t bytes);
void *memory_resize(void *memory, size_t bytes);
char *memory_copy_text(const char *text);           /* NULL gives NULL */
char *memory_copy(const void *data, size_t bytes);  /* with a zero byte after it */

/* Zeroed pages, huge ones where the system has them: what is not used of them takes no memory. memory_unmap() gives them back. */
void *memory_map(size_t bytes);                     /* a multiple of 4096 */
void memory_unmap(void *memory, size_t bytes);
