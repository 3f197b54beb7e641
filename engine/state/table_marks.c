#include "state/table_marks.h"

#include "base/fetch.h"
#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BITS 64
#define PAGES_MIN 16

static uint64_t page_of(const void *address)
{
    return (uintptr_t)address / TABLE_CHUNK_BYTES;
}

/* The slot of a page, or the empty one where it would be. */
static struct marked_page *page_slot(const struct table_marks *marks, uint64_t page)
{
    uint32_t at = (uint32_t)(page * 0x9e3779b97f4a7c15u >> 32);
    while (marks->pages[at & marks->page_mask].page != page && marks->pages[at & marks->page_mask].page != 0)
        at++;
    return &marks->pages[at & marks->page_mask];
}

static void pages_make(struct table_marks *marks, const struct table *table)
{
    uint32_t size = PAGES_MIN;
    while (size < 2 * table->chunk_count)
        size *= 2;
    free(marks->pages);
    marks->pages = memory_new_zeroed(size, sizeof marks->pages[0]);
    marks->page_mask = size - 1;
    for (uint32_t c = 0; c < table->chunk_count; c++) {
        uint64_t page = page_of(table->chunks[c]->places);
        *page_slot(marks, page) = (struct marked_page){ page, c };
    }
}

void table_marks_begin(struct table_marks *marks, const struct table *table)
{
    marks->chunk = 0;
    marks->word = 0;
    if (marks->chunk_count == table->chunk_count)
        return;
    marks->chunk_words = (TABLE_CHUNK_BYTES / table->entry_bytes + WORD_BITS - 1) / WORD_BITS;
    free(marks->words);
    marks->words = memory_new_zeroed((size_t)table->chunk_count * marks->chunk_words, sizeof marks->words[0]);
    marks->chunk_count = table->chunk_count;
    pages_make(marks, table);
}

void table_mark(struct table_marks *marks, const struct table *table, const struct entry *entry)
{
    const struct marked_page *slot = page_slot(marks, page_of(entry));
    assert(slot->page != 0);
    uint32_t place = (uint32_t)((uintptr_t)entry % TABLE_CHUNK_BYTES) / table->entry_bytes;
    marks->words[(size_t)slot->chunk * marks->chunk_words + place / WORD_BITS] |= 1ull << place % WORD_BITS;
}

/* The entries of one word; what does not find room stays marked. */
static uint32_t take_word(uint64_t *word, char *places, uint32_t entry_bytes, struct entry **entries, uint32_t room)
{
    uint32_t count = 0;
    for (; *word != 0 && count < room; *word &= *word - 1) {
        char *place = places + (size_t)__builtin_ctzll(*word) * entry_bytes;
        fetch_line(place);
        if (entry_bytes > CACHE_LINE_BYTES)
            fetch_line(place + CACHE_LINE_BYTES);
        entries[count++] = (struct entry *)(void *)place;
    }
    return count;
}

uint32_t table_take_marked(struct table_marks *marks, const struct table *table, struct entry **entries, uint32_t room)
{
    uint32_t count = 0;
    for (; marks->chunk < marks->chunk_count; marks->chunk++, marks->word = 0) {
        uint64_t *words = marks->words + (size_t)marks->chunk * marks->chunk_words;
        for (; marks->word < marks->chunk_words; marks->word++) {
            char *places = table->chunks[marks->chunk]->places + (size_t)marks->word * WORD_BITS * table->entry_bytes;
            count += take_word(&words[marks->word], places, table->entry_bytes, entries + count, room - count);
            if (count == room)
                return count;
        }
    }
    return count;
}

size_t table_marks_bytes(const struct table_marks *marks)
{
    size_t pages = marks->pages == NULL ? 0 : (size_t)marks->page_mask + 1;
    return (size_t)marks->chunk_count * marks->chunk_words * sizeof marks->words[0] + pages * sizeof marks->pages[0];
}

void table_marks_free(struct table_marks *marks)
{
    free(marks->words);
    free(marks->pages);
    *marks = (struct table_marks){ 0 };
}
