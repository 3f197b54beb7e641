/*
 * A format is compiled to a list of directives and literal characters, in which the
 * short forms (%F, %T) are spelled out, so that reading a time is one pass over it.
 */
#include "time/time_format.h"

#include "base/error.h"
#include "base/memory.h"
#include "time/instant.h"
#include "time/time_parts.h"

#include <stdlib.h>

#define OPS_MAX 128

enum part {
    PART_YEAR = 1, PART_MONTH = 2, PART_DAY = 4, PART_YEAR_DAY = 8, PART_HOUR = 16, PART_HALF = 32, PART_MINUTE = 64,
    PART_SECOND = 128, PART_FRACTION = 256, PART_ZONE = 512, PART_EPOCH = 1024, PART_WEEKDAY = 2048, PART_HOUR_OF_12 = 4096,
};

struct time_format {
    uint32_t count;
    uint32_t parts;
    struct format_op { char directive; char literal; } ops[OPS_MAX]; /* directive 0: `literal` itself */
};

static const struct { char directive; uint32_t part; } directives[] = {
    { 'Y', PART_YEAR }, { 'y', PART_YEAR }, { 'm', PART_MONTH }, { 'b', PART_MONTH }, { 'B', PART_MONTH }, { 'h', PART_MONTH },
    { 'd', PART_DAY }, { 'e', PART_DAY }, { 'j', PART_YEAR_DAY }, { 'H', PART_HOUR }, { 'I', PART_HOUR_OF_12 }, { 'p', PART_HALF },
    { 'M', PART_MINUTE }, { 'S', PART_SECOND }, { 'f', PART_FRACTION }, { 'z', PART_ZONE }, { 'Z', PART_ZONE },
    { 's', PART_EPOCH }, { 'a', PART_WEEKDAY }, { 'A', PART_WEEKDAY },
};

static const struct { char directive; const char *meaning; } short_forms[] = {
    { 'F', "%Y-%m-%d" }, { 'T', "%H:%M:%S" }, { 'D', "%m/%d/%y" }, { 'R', "%H:%M" },
};

static int op_add(struct time_format *format, char directive, char literal)
{
    if (format->count == OPS_MAX)
        return error_set(ERROR_ARGUMENT, "the time format has more than %d parts", OPS_MAX);
    format->ops[format->count++] = (struct format_op){ directive, literal };
    return 0;
}

static int compile(struct time_format *format, struct slice text);

static int compile_directive(struct time_format *format, char directive)
{
    if (directive == '%')
        return op_add(format, 0, '%');
    for (size_t i = 0; i < sizeof short_forms / sizeof short_forms[0]; i++) {
        if (short_forms[i].directive == directive)
            return compile(format, slice_of_text(short_forms[i].meaning));
    }
    for (size_t i = 0; i < sizeof directives / sizeof directives[0]; i++) {
        if (directives[i].directive != directive)
            continue;
        if ((format->parts & directives[i].part) != 0)
            return error_set(ERROR_ARGUMENT, "%%%c of the time format gives what another part gives already", directive);
        format->parts |= directives[i].part;
        return op_add(format, directive, 0);
    }
    return error_set(ERROR_ARGUMENT, "%%%c of the time format is not known", directive);
}

static int compile(struct time_format *format, struct slice text)
{
    int status = 0;
    for (size_t i = 0; i < text.bytes && status == 0; i++) {
        if (text.data[i] != '%')
            status = op_add(format, 0, text.data[i]);
        else if (++i < text.bytes)
            status = compile_directive(format, text.data[i]);
        else
            status = error_set(ERROR_ARGUMENT, "the time format ends in a single %%");
    }
    return status;
}

static int check_parts(uint32_t parts)
{
    uint32_t beside_epoch = PART_FRACTION | PART_EPOCH | PART_WEEKDAY;
    if ((parts & PART_EPOCH) != 0 && (parts & ~beside_epoch) != 0)
        return error_set(ERROR_ARGUMENT, "%%s of a time format says all; beside it stands only %%f");
    if ((parts & (PART_EPOCH | PART_YEAR)) == 0)
        return error_set(ERROR_ARGUMENT, "the time format has no year (%%Y, %%y, %%F, %%D or %%s)");
    if ((parts & PART_YEAR_DAY) != 0 && (parts & (PART_MONTH | PART_DAY)) != 0)
        return error_set(ERROR_ARGUMENT, "%%j of the time format gives what month and day give already");
    if (((parts & PART_HOUR_OF_12) != 0) != ((parts & PART_HALF) != 0))
        return error_set(ERROR_ARGUMENT, "%%I and %%p of a time format go together");
    if ((parts & PART_HOUR_OF_12) != 0 && (parts & PART_HOUR) != 0)
        return error_set(ERROR_ARGUMENT, "%%H and %%I of the time format both give the hour");
    return 0;
}

int time_format_new(struct slice text, struct time_format **format)
{
    *format = memory_new_zeroed(1, sizeof **format);
    int status = compile(*format, text);
    status = status < 0 ? status : check_parts((*format)->parts);
    if (status < 0) {
        free(*format);
        *format = NULL;
    }
    return status;
}

void time_format_free(struct time_format *format)
{
    free(format);
}

static const char *const month_names[] = {
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December", NULL,
};
static const char *const day_names[] = { "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", NULL };
static const char *const half_names[] = { "AM", "PM", NULL };
static const char *const zone_names[] = { "UTC", "GMT", "Z", NULL };

/* Letters alone, so that one bit is the case; strncasecmp() would ask the locale. */
static bool take_letters(struct time_text *text, const char *name, size_t bytes)
{
    if ((size_t)(text->end - text->at) < bytes)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        if ((text->at[i] | 0x20) != (name[i] | 0x20))
            return false;
    }
    text->at += bytes;
    return true;
}

/* One of the names, whole or (`short_bytes` above 0) its beginning: the index, or -1. */
static int take_name(struct time_text *text, const char *const *names, size_t short_bytes)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (take_letters(text, names[i], strlen(names[i])))
            return i;
    }
    for (int i = 0; short_bytes > 0 && names[i] != NULL; i++) {
        if (take_letters(text, names[i], short_bytes))
            return i;
    }
    return -1;
}

static void skip_blanks(struct time_text *text)
{
    while (text->at < text->end && (*text->at == ' ' || *text->at == '\t'))
        text->at++;
}

/* What does not go into time_parts as it stands. */
struct format_extra { bool afternoon, negative; int64_t epoch; };

static bool take_epoch(struct time_text *text, struct format_extra *extra)
{
    extra->negative = time_take_byte(text, '-');
    const char *begin = text->at;
    while (text->at < text->end && *text->at >= '0' && *text->at <= '9') {
        extra->epoch = extra->epoch * 10 + (*text->at++ - '0');
        if (extra->epoch > TIME_LIMIT / 1000)
            return false;
    }
    return text->at > begin;
}

static bool take_month_name(struct time_text *text, struct time_parts *parts)
{
    parts->month = take_name(text, month_names, 3) + 1;
    return parts->month > 0;
}

static bool take_short_year(struct time_text *text, struct time_parts *parts)
{
    if (!time_take_digits(text, 2, 2, &parts->year))
        return false;
    parts->year += parts->year < 69 ? 2000 : 1900;
    return true;
}

static bool take_half(struct time_text *text, struct format_extra *extra)
{
    int half = take_name(text, half_names, 0);
    extra->afternoon = half == 1;
    return half >= 0;
}

static bool take_part(struct time_text *text, char directive, struct time_parts *parts, struct format_extra *extra)
{
    switch (directive) {
    case 'Y': return time_take_digits(text, 4, 4, &parts->year);
    case 'y': return take_short_year(text, parts);
    case 'm': return time_take_digits(text, 1, 2, &parts->month);
    case 'b': case 'B': case 'h': return take_month_name(text, parts);
    case 'e': skip_blanks(text); return time_take_digits(text, 1, 2, &parts->day);
    case 'd': return time_take_digits(text, 1, 2, &parts->day);
    case 'j': return time_take_digits(text, 1, 3, &parts->year_day) && parts->year_day > 0;
    case 'H': return time_take_digits(text, 1, 2, &parts->hour);
    case 'I': return time_take_digits(text, 1, 2, &parts->hour) && parts->hour >= 1 && parts->hour <= 12;
    case 'p': return take_half(text, extra);
    case 'M': return time_take_digits(text, 1, 2, &parts->minute);
    case 'S': return time_take_digits(text, 1, 2, &parts->second);
    case 'f': return time_take_fraction(text, &parts->nanosecond);
    case 'z': return time_take_zone(text, &parts->zone_minutes);
    case 'Z': return take_name(text, zone_names, 0) >= 0;
    case 's': return take_epoch(text, extra);
    default: return take_name(text, day_names, 3) >= 0;
    }
}

static bool take_op(struct time_text *text, struct format_op op, struct time_parts *parts, struct format_extra *extra)
{
    if (op.directive != 0)
        return take_part(text, op.directive, parts, extra);
    if (op.literal != ' ' && op.literal != '\t')
        return time_take_byte(text, op.literal);
    skip_blanks(text);
    return true;
}

/* A fraction before 1970 leads away from it, and what is cut off of it leads a millisecond further. */
static int64_t time_of_epoch(const struct format_extra *extra, int nanosecond)
{
    if (!extra->negative)
        return extra->epoch * 1000 + nanosecond / 1000000;
    return -extra->epoch * 1000 - (nanosecond + 999999) / 1000000;
}

bool time_format_read(const struct time_format *format, struct slice slice, int64_t *time_ms)
{
    struct time_text text = { slice.data, slice.data + slice.bytes };
    struct time_parts parts = { .month = 1, .day = 1 };
    struct format_extra extra = { .epoch = 0 };
    for (uint32_t i = 0; i < format->count; i++) {
        if (!take_op(&text, format->ops[i], &parts, &extra))
            return false;
    }
    if (text.at != text.end)
        return false;
    if ((format->parts & PART_EPOCH) != 0) {
        *time_ms = time_of_epoch(&extra, parts.nanosecond);
        return true;
    }
    if ((format->parts & PART_HALF) != 0)
        parts.hour = parts.hour % 12 + (extra.afternoon ? 12 : 0);
    return time_of_parts(&parts, time_ms);
}
