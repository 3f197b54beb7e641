/*
 * Rows of texts, printed in columns: each as wide as its widest text.
 *
 * Owner    zeroed by the caller, table_deinit() frees.
 */
#pragma once

#include "base/buffer.h"

struct table {
    struct buffer texts;        /* all of them, one after the other */
    struct { uint32_t row; size_t start, bytes; } *entries;
    uint32_t count, capacity, rows;
};

/* The next text of the row that is being filled. */
void table_add(struct table *table, struct slice text);
void table_add_text(struct table *table, const char *text);
void table_end_row(struct table *table);
/* Append all rows, two blanks between columns. */
void table_print(const struct table *table, struct buffer *out);
void table_deinit(struct table *table);
