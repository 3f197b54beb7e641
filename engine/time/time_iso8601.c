#include "time/time_format.h"

#include "time/time_parts.h"

static bool take_date(struct time_text *text, struct time_parts *parts)
{
    return time_take_digits(text, 4, 4, &parts->year) && time_take_byte(text, '-') && time_take_digits(text, 2, 2, &parts->month)
        && time_take_byte(text, '-') && time_take_digits(text, 2, 2, &parts->day);
}

static bool take_time_of_day(struct time_text *text, struct time_parts *parts)
{
    if (!time_take_digits(text, 2, 2, &parts->hour) || !time_take_byte(text, ':') || !time_take_digits(text, 2, 2, &parts->minute))
        return false;
    if (!time_take_byte(text, ':'))
        return true;
    if (!time_take_digits(text, 2, 2, &parts->second))
        return false;
    bool fraction = time_take_byte(text, '.') || time_take_byte(text, ',');
    return !fraction || time_take_fraction(text, &parts->nanosecond);
}

bool time_read_iso8601(struct slice slice, int64_t *time_ms)
{
    struct time_text text = { slice.data, slice.data + slice.bytes };
    struct time_parts parts = { .year = 0 };
    if (!take_date(&text, &parts))
        return false;
    if (text.at < text.end) {
        bool parted = time_take_byte(&text, 'T') || time_take_byte(&text, ' ') || time_take_byte(&text, 't');
        if (!parted || !take_time_of_day(&text, &parts))
            return false;
        if (text.at < text.end && !time_take_zone(&text, &parts.zone_minutes))
            return false;
    }
    return text.at == text.end && time_of_parts(&parts, time_ms);
}
