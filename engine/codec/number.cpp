/*
 * C++ for std::from_chars and std::to_chars alone: correctly rounded, shortest,
 * without locale. Decimals of a few places, which is what most numbers are, take
 * a shorter way: if m / 10^k gives the number back, with m below 10^15, then m is
 * the only decimal of k places that does, since no two of 15 digits are one double.
 */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers" /* cell.h is C, where a cell's other fields are 0 */

#include "codec/number.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>

extern "C" const double number_powers[16] = {
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
};

/* Behind the digits at `at`; NULL if there are none. */
static const char *digits_end(const char *at)
{
    const char *end = at;
    while (number_is_digit(*end))
        end++;
    return end == at ? nullptr : end;
}

/* Behind the number, or NULL if its grammar is not JSON's; *whole: neither point nor exponent. */
static const char *number_end(const char *at, bool *whole)
{
    const char *digits = at + (*at == '-');
    const char *end = digits_end(digits);
    *whole = true;
    if (end == nullptr || (*digits == '0' && end > digits + 1))
        return nullptr;
    if (*end == '.') {
        *whole = false;
        end = digits_end(end + 1);
        if (end == nullptr)
            return nullptr;
    }
    if ((*end | 0x20) == 'e') {
        *whole = false;
        end++;
        end = digits_end(end + (*end == '+' || *end == '-'));
    }
    return end;
}

/* Without a '+'. */
static bool read_integer(const char *at, const char *end, struct cell *cell)
{
    int64_t integer;
    uint64_t natural;
    std::from_chars_result result = std::from_chars(at, end, integer);
    if (result.ec == std::errc() && result.ptr == end) {
        *cell = cell_of_int64(integer);
        return true;
    }
    result = std::from_chars(at, end, natural);
    if (*at == '-' || result.ec != std::errc() || result.ptr != end)
        return false;
    *cell = cell_of_uint64(natural);
    return true;
}

static const char *without_plus(const char *at, const char *end)
{
    bool plus = end - at > 1 && at[0] == '+' && at[1] != '-' && at[1] != '+';
    return plus ? at + 1 : at;
}

bool number_parse_integer(const char *at, const char *end, struct cell *cell)
{
    at = without_plus(at, end);
    return at < end && read_integer(at, end, cell);
}

/* Of a number that no double is near: too near to 0 is 0 (or the nearest subnormal), too far from it is none. */
static bool read_beyond(std::from_chars_result result, const char *at, double &number)
{
    if (result.ec != std::errc::result_out_of_range)
        return true;
    number = std::strtod(std::string(at, result.ptr).c_str(), nullptr);
    return std::isfinite(number);
}

bool number_parse_any(const char *at, const char *end, struct cell *cell)
{
    at = without_plus(at, end);
    if (at == end)
        return false;
    if (read_integer(at, end, cell))
        return true;
    double number;
    std::from_chars_result result = std::from_chars(at, end, number);
    if (result.ptr != end || (result.ec != std::errc() && result.ec != std::errc::result_out_of_range))
        return false;
    if (!read_beyond(result, at, number))
        return false;
    /* "nan(...)" may carry bits that LuaJIT would take for a pointer. */
    *cell = cell_of_number(std::isnan(number) ? std::nan("") : number + 0.0);
    return true;
}

const char *number_read_long(const char *at, struct cell *cell)
{
    bool whole;
    const char *end = number_end(at, &whole);
    if (end == nullptr)
        return nullptr;
    if (whole && read_integer(at, end, cell))
        return end;
    double number;
    if (!read_beyond(std::from_chars(at, end, number), at, number))
        return nullptr;
    *cell = cell_of_number(number);
    return end;
}

const char *number_parse(const char *at, struct cell *cell)
{
    return number_read(at, cell);
}

template <typename integer_type> static uint32_t write_integer(char *at, integer_type integer)
{
    return (uint32_t)(std::to_chars(at, at + NUMBER_TEXT_BYTES_MAX, integer).ptr - at);
}

/* `scaled` / 10^places, without the zeros at its end. */
static uint32_t write_decimal(char *at, bool negative, uint64_t scaled, uint32_t places)
{
    while (scaled % 10 == 0) {
        scaled /= 10;
        places--;
    }
    uint64_t power = (uint64_t)number_powers[places];
    char *end = at;
    if (negative)
        *end++ = '-';
    end = std::to_chars(end, at + NUMBER_TEXT_BYTES_MAX, scaled / power).ptr;
    *end++ = '.';
    uint64_t fraction = scaled % power;
    for (uint32_t i = places; i > 0; i--) {
        end[i - 1] = (char)('0' + fraction % 10);
        fraction /= 10;
    }
    return (uint32_t)(end + places - at);
}

/* 0 if `number` is not a decimal of at most `places` places. */
static uint32_t write_as_decimal(char *at, double number, uint32_t places)
{
    double magnitude = std::fabs(number);
    double power = number_powers[places];
    if (!(magnitude * power < 1e15))
        return 0;
    uint64_t scaled = (uint64_t)(magnitude * power + 0.5);
    if ((double)scaled / power != magnitude)
        return 0;
    return write_decimal(at, number < 0, scaled, places);
}

static uint32_t write_double(char *at, double number)
{
    double magnitude = std::fabs(number);
    if (magnitude <= (double)CELL_INTEGER_MAX && (double)(int64_t)number == number)
        return write_integer(at, (int64_t)number);
    uint32_t bytes = write_as_decimal(at, number, 2);
    if (bytes == 0)
        bytes = write_as_decimal(at, number, 6);
    if (bytes > 0)
        return bytes;
    /* Beyond 2^53 with an exponent: plain digits would read back as an integer. */
    char *limit = at + NUMBER_TEXT_BYTES_MAX;
    std::to_chars_result result = magnitude > (double)CELL_INTEGER_MAX
                                      ? std::to_chars(at, limit, number, std::chars_format::scientific)
                                      : std::to_chars(at, limit, number);
    return (uint32_t)(result.ptr - at);
}

uint32_t number_write(char *at, struct cell cell)
{
    switch (cell.tag) {
    case CELL_INT64: return write_integer(at, cell.integer);
    case CELL_UINT64: return write_integer(at, cell.natural);
    default: return write_double(at, cell.number);
    }
}
