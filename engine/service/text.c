#include "service/text.h"

#include <stdio.h>

void text_append_count(struct buffer *text, uint64_t count)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            buffer_append_byte(text, ',');
        buffer_append_byte(text, (uint8_t)digits[i]);
    }
}

static void append_pair(struct buffer *text, uint64_t large, const char *large_unit, uint64_t small, const char *small_unit)
{
    buffer_append_format(text, "%llu %s %llu %s", (unsigned long long)large, large_unit, (unsigned long long)small, small_unit);
}

void text_append_duration(struct buffer *text, uint64_t milliseconds)
{
    uint64_t seconds = milliseconds / 1000, minutes = seconds / 60, hours = minutes / 60;
    if (milliseconds < 1000)
        buffer_append_format(text, "%llu ms", (unsigned long long)milliseconds);
    else if (minutes == 0)
        buffer_append_format(text, "%llu.%llu s", (unsigned long long)seconds, (unsigned long long)(milliseconds % 1000 / 100));
    else if (hours == 0)
        append_pair(text, minutes, "m", seconds % 60, "s");
    else if (hours < 24)
        append_pair(text, hours, "h", minutes % 60, "m");
    else
        append_pair(text, hours / 24, "d", hours % 24, "h");
}

void text_append_size(struct buffer *text, uint64_t bytes)
{
    static const char *const units[] = { "KB", "MB", "GB", "TB", "PB", "EB" };
    if (bytes < 1024) {
        buffer_append_format(text, "%llu B", (unsigned long long)bytes);
        return;
    }
    double size = (double)bytes / 1024;
    int unit = 0;
    while (size >= 1023.95 && unit < 5) {
        size /= 1024;
        unit++;
    }
    buffer_append_format(text, "%.1f %s", size, units[unit]);
}
