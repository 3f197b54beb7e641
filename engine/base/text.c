#include "base/text.h"

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

/* Days since 1970 as a date of the Gregorian calendar, in eras of 400 years that begin in March: leap days are then the last of their year. */
static void append_date(struct buffer *text, int64_t day)
{
    int64_t shifted = day + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    int64_t day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    int64_t year = year_of_era + era * 400 + (month >= 10);
    buffer_append_format(text, "%04lld-%02lld-%02lld", (long long)year, (long long)(month < 10 ? month + 3 : month - 9), (long long)day_of_month);
}

void text_append_time(struct buffer *text, int64_t time_ms)
{
    int64_t in_day = time_ms % 86400000, day = time_ms / 86400000;
    if (in_day < 0) {
        in_day += 86400000;
        day--;
    }
    append_date(text, day);
    buffer_append_format(text, "T%02d:%02d:%02d.%03dZ", (int)(in_day / 3600000), (int)(in_day / 60000 % 60), (int)(in_day / 1000 % 60), (int)(in_day % 1000));
}

static bool continues(struct slice bytes, size_t at)
{
    return at < bytes.bytes && ((uint8_t)bytes.data[at] & 0xc0) == 0x80;
}

/* How many bytes of UTF-8 begin here and can be shown as they are: 0, or 1 to 4. */
static size_t printable(struct slice bytes, size_t at)
{
    uint8_t first = (uint8_t)bytes.data[at], second = at + 1 < bytes.bytes ? (uint8_t)bytes.data[at + 1] : 0;
    if (first < 0x80)
        return first == '\n' || first == '\t' || (first >= 0x20 && first != 0x7f);
    if (first < 0xc2 || first > 0xf4 || !continues(bytes, at + 1))
        return 0;
    if (first < 0xe0)
        return first == 0xc2 && second < 0xa0 ? 0 : 2; /* U+0080 to U+009F are control characters too */
    if (!continues(bytes, at + 2) || (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f))
        return 0;
    if (first < 0xf0)
        return 3;
    return continues(bytes, at + 3) && !(first == 0xf0 && second < 0x90) && !(first == 0xf4 && second > 0x8f) ? 4 : 0;
}

void text_append_printable(struct buffer *text, struct slice bytes)
{
    for (size_t at = 0; at < bytes.bytes;) {
        size_t length = printable(bytes, at);
        if (length > 0)
            buffer_append(text, bytes.data + at, length);
        else
            buffer_append_format(text, "\\x%02x", (uint8_t)bytes.data[at]);
        at += length > 0 ? length : 1;
    }
}
