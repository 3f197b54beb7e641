/*
 * Rows of texts, printed in columns: each as wide as its widest text.
 *
 * Owner    zeroed by the caller, text_table_deinit() frees.
 */
#pragma once

#include "base/buffer.h"

struct text_table {
    struct buffer texts;        /* all of them, one after the other */
    struct { uint32_t row; size_t start, bytes; } *entries;
    uint32_t count, capacity, rows;
};

/* The next text of the row that is being filled. */
void text_table_add(struct text_table *table, struct slice text);
void text_table_end_row(struct text_table *table);
/* Append all rows, two blanks between columns. */
void text_table_print(const struct text_table *table, struct buffer *out);
void text_table_deinit(struct text_table *table);
