#include "cli/table.h"

#include "base/memory.h"

#include <stdlib.h>

#define COLUMNS_MAX 64u

void text_table_add(struct text_table *table, struct slice text)
{
    if (table->count == table->capacity) {
        table->capacity = table->capacity * 2 + 32;
        table->entries = memory_resize(table->entries, table->capacity * sizeof table->entries[0]);
    }
    table->entries[table->count].row = table->rows;
    table->entries[table->count].start = table->texts.bytes;
    table->entries[table->count++].bytes = text.bytes;
    buffer_append_slice(&table->texts, text);
}

void text_table_end_row(struct text_table *table)
{
    table->rows += 1;
}

/* Characters, not bytes: a byte that continues one is not counted. */
static size_t width_of(const char *text, size_t bytes)
{
    size_t width = 0;
    for (size_t i = 0; i < bytes; i++)
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
    return width;
}

static bool begins_row(const struct text_table *table, uint32_t entry)
{
    return entry == 0 || table->entries[entry].row != table->entries[entry - 1].row;
}

static bool ends_row(const struct text_table *table, uint32_t entry)
{
    return entry + 1 == table->count || begins_row(table, entry + 1);
}

static void measure(const struct text_table *table, size_t widths[COLUMNS_MAX])
{
    uint32_t column = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        column = begins_row(table, i) ? 0 : column + 1;
        size_t width = width_of(table->texts.data + table->entries[i].start, table->entries[i].bytes);
        if (column < COLUMNS_MAX && width > widths[column])
            widths[column] = width;
    }
}

void text_table_print(const struct text_table *table, struct buffer *out)
{
    size_t widths[COLUMNS_MAX] = { 0 };
    measure(table, widths);
    uint32_t column = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        const char *text = table->texts.data + table->entries[i].start;
        size_t bytes = table->entries[i].bytes;
        column = begins_row(table, i) ? 0 : column + 1;
        buffer_append(out, text, bytes);
        if (ends_row(table, i)) {
            buffer_append_byte(out, '\n');
            continue;
        }
        size_t wide = column < COLUMNS_MAX ? widths[column] : 0;
        for (size_t width = width_of(text, bytes); width < wide + 2; width++)
            buffer_append_byte(out, ' ');
    }
}

void text_table_deinit(struct text_table *table)
{
    buffer_deinit(&table->texts);
    free(table->entries);
    *table = (struct text_table){ 0 };
}
