#include "checkpoint/row_sample.h"

#include "checkpoint/journal.h"
#include "state/row.h"

#define SAMPLE_BYTES 1024

struct wanted_rows { uint16_t column, group_first, group_last; };

static double frame_rows(const struct wanted_rows *wanted, struct slice sample, uint32_t payload_bytes)
{
    size_t whole = 0, bytes = sample.bytes;
    uint32_t rows = 0;
    for (struct row row; sample.bytes > 0 && row_read(&sample, &row) == 0; whole = bytes - sample.bytes)
        rows += row.column == wanted->column && row.group >= wanted->group_first && row.group <= wanted->group_last;
    return whole == 0 ? 0 : (double)rows * payload_bytes / (double)whole;
}

uint64_t row_sample_count(const char *path, uint16_t column, uint16_t group_first, uint16_t group_last)
{
    struct journal_reader *reader;
    if (journal_open(path, 0, 0, &reader) < 0)
        return 0;
    struct wanted_rows wanted = { column, group_first, group_last };
    char start[SAMPLE_BYTES];
    struct slice sample;
    uint32_t payload_bytes;
    double rows = 0;
    while (journal_peek(reader, start, sizeof start, &sample, &payload_bytes) > 0)
        rows += frame_rows(&wanted, sample, payload_bytes);
    journal_reader_close(reader);
    return (uint64_t)rows;
}
