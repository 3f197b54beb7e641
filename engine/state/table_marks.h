/*
 * Marks on entries of a table, a bit for each place: set in any order, they are
 * taken in the order of memory, so that whoever works on many entries goes
 * through their pages once instead of at random.
 *
 * Owner    the caller; table_marks_free() frees. Marks may outlive their entries:
 *          who takes one looks whether the entry is still what was marked.
 * Thread   the worker that owns the table.
 */
#pragma once

#include "state/table.h"

/* <cdef> */
struct marked_page { uint64_t page; uint32_t chunk; };

struct table_marks {
    uint64_t *words;            /* of each chunk as many as of every other */
    uint32_t chunk_words;
    uint32_t chunk_count;       /* that have words and pages here */
    struct marked_page *pages;  /* open addressing: the chunk that lies on a huge page */
    uint32_t page_mask;
    uint32_t chunk, word;       /* no mark is before them */
};

/* Make room for marks on all entries that the table has now. No mark is set. */
void table_marks_begin(struct table_marks *marks, const struct table *table);
/* Mark an entry that the table had then; before the first one is taken. */
void table_mark(struct table_marks *marks, const struct table *table, const struct entry *entry);
/* Take marks off the next entries, up to `room`, and have the processor fetch them; 0: there are no more. */
uint32_t table_take_marked(struct table_marks *marks, const struct table *table, struct entry **entries, uint32_t room);
size_t table_marks_bytes(const struct table_marks *marks);
void table_marks_free(struct table_marks *marks);
/* </cdef> */
