#include "codec/json_string.h"

#include "base/error.h"

#include <stdbool.h>
#include <string.h>

/* The value of four hexadecimal digits, or a negative number. */
static int32_t hex4(const char *at)
{
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char byte = at[i];
        int digit = byte >= '0' && byte <= '9' ? byte - '0' : (byte | 0x20) >= 'a' && (byte | 0x20) <= 'f' ? (byte | 0x20) - 'a' + 10 : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static char *write_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

/* The character of the `\u` at *from, which is moved behind it, or a negative number. */
static int32_t read_code(const char **from, const char *end)
{
    if (end - *from < 6)
        return -1;
    int32_t code = hex4(*from + 2);
    *from += 6;
    if (code < 0xd800 || code > 0xdfff)
        return code;
    if (code > 0xdbff || end - *from < 6 || (*from)[0] != '\\' || (*from)[1] != 'u')
        return -1;
    int32_t low = hex4(*from + 2);
    *from += 6;
    return low < 0xdc00 || low > 0xdfff ? -1 : 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
}

/* The character of a two-byte escape, or 0. */
static char simple_escape(char letter)
{
    switch (letter) {
    case '"': case '\\': case '/': return letter;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
    }
}

/* The escape at *from, to *to; both are moved behind it. */
static bool unescape_one(const char **from, const char *end, char **to)
{
    if (end - *from < 2)
        return false;
    if ((*from)[1] == 'u') {
        int32_t code = read_code(from, end);
        if (code >= 0)
            *to = write_utf8(*to, (uint32_t)code);
        return code >= 0;
    }
    char plain = simple_escape((*from)[1]);
    *(*to)++ = plain;
    *from += 2;
    return plain != 0;
}

int64_t json_unescape(const char *from, uint32_t bytes, char *to)
{
    const char *end = from + bytes, *start = to;
    while (from < end) {
        const char *escape = memchr(from, '\\', (size_t)(end - from));
        size_t plain = (size_t)((escape == NULL ? end : escape) - from);
        memmove(to, from, plain);
        to += plain;
        from += plain;
        if (escape != NULL && !unescape_one(&from, end, &to))
            return error_set(ERROR_FORMAT, "not JSON: a string has an escape that means nothing");
    }
    return to - start;
}
