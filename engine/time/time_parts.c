#include "time/time_parts.h"

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

bool time_take_digits(struct time_text *text, int least, int most, int *value)
{
    int count = 0;
    *value = 0;
    while (count < most && text->at < text->end && is_digit(*text->at)) {
        *value = *value * 10 + (*text->at++ - '0');
        count++;
    }
    return count >= least;
}

bool time_take_byte(struct time_text *text, char byte)
{
    if (text->at == text->end || *text->at != byte)
        return false;
    text->at++;
    return true;
}

bool time_take_fraction(struct time_text *text, int *nanosecond)
{
    const char *begin = text->at;
    if (!time_take_digits(text, 1, 9, nanosecond))
        return false;
    for (long count = text->at - begin; count < 9; count++)
        *nanosecond *= 10;
    while (text->at < text->end && is_digit(*text->at))
        text->at++;
    return true;
}

bool time_take_zone(struct time_text *text, int *minutes)
{
    *minutes = 0;
    if (time_take_byte(text, 'Z') || time_take_byte(text, 'z'))
        return true;
    bool west = text->at < text->end && *text->at == '-';
    if (!west && (text->at == text->end || *text->at != '+'))
        return false;
    text->at++;
    int hours, rest = 0;
    if (!time_take_digits(text, 2, 2, &hours))
        return false;
    bool more = time_take_byte(text, ':') || (text->at < text->end && is_digit(*text->at));
    if (more && !time_take_digits(text, 2, 2, &rest))
        return false;
    *minutes = west ? -(hours * 60 + rest) : hours * 60 + rest;
    return hours < 24 && rest < 60;
}

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Leap years from 1 to `year`. */
static int leaps_until(int year)
{
    return year / 4 - year / 100 + year / 400;
}

static const int days_before_month[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 };

/* The day of the year from 0; -1: there is no such day. */
static int day_of_year(const struct time_parts *parts)
{
    int leap = is_leap(parts->year);
    if (parts->year_day != 0)
        return parts->year_day <= 365 + leap ? parts->year_day - 1 : -1;
    if (parts->month < 1 || parts->month > 12)
        return -1;
    int length = days_before_month[parts->month] - days_before_month[parts->month - 1] + (parts->month == 2 ? leap : 0);
    if (parts->day < 1 || parts->day > length)
        return -1;
    return days_before_month[parts->month - 1] + (parts->month > 2 ? leap : 0) + parts->day - 1;
}

bool time_of_parts(const struct time_parts *parts, int64_t *time_ms)
{
    if (parts->year < 1 || parts->year > 9999 || parts->hour > 23 || parts->minute > 59 || parts->second > 60)
        return false;
    int day = day_of_year(parts);
    if (day < 0)
        return false;
    int64_t days = 365 * (int64_t)(parts->year - 1970) + leaps_until(parts->year - 1) - leaps_until(1969) + day;
    int64_t minutes = days * 1440 + parts->hour * 60 + parts->minute - parts->zone_minutes;
    *time_ms = (minutes * 60 + parts->second) * 1000 + parts->nanosecond / 1000000;
    return true;
}
