/*
 * The head of a msgpack value: its kind, and its value or size, checked against
 * the bytes that are there. What all readers of msgpack are made of; private to
 * this floor.
 */
#pragma once

#include "base/slice.h"
#include "codec/cell.h"

#include <stdint.h>

enum token_kind {
    TOKEN_NIL, TOKEN_FALSE, TOKEN_TRUE,
    TOKEN_NATURAL,   /* bits */
    TOKEN_NEGATIVE,  /* bits, as int64_t: a signed form, below 0 or not */
    TOKEN_FLOAT,     /* bits of a float */
    TOKEN_DOUBLE,    /* bits of a double */
    TOKEN_STRING,    /* bits: bytes that follow, and are there */
    TOKEN_EXT,       /* bits: bytes that follow with the type, and are there */
    TOKEN_LIST,      /* bits: elements that follow */
    TOKEN_MAP,       /* bits: pairs that follow */
};

struct token { enum token_kind kind; uint64_t bits; };

enum token_result { TOKEN_WHOLE = 0, TOKEN_CUT_SHORT = 1, TOKEN_INVALID = 2 };

/* A head byte of 0xc0 to 0xdf: the kind, and how many bytes of operand follow. */
struct token_form { uint8_t kind, operand_bytes; };
extern const struct token_form token_forms[32];

/* A big-endian operand of 0, 1, 2, 4 or 8 bytes. */
static inline uint64_t token_operand(const char *at, uint32_t bytes)
{
    const unsigned char *b = (const unsigned char *)at;
    switch (bytes) {
    case 0: return 0;
    case 1: return b[0];
    case 2: return (uint64_t)b[0] << 8 | b[1];
    case 4: return (uint64_t)b[0] << 24 | (uint64_t)b[1] << 16 | (uint64_t)b[2] << 8 | b[3];
    default:
        return (uint64_t)b[0] << 56 | (uint64_t)b[1] << 48 | (uint64_t)b[2] << 40 | (uint64_t)b[3] << 32 | (uint64_t)b[4] << 24 |
               (uint64_t)b[5] << 16 | (uint64_t)b[6] << 8 | b[7];
    }
}

enum token_result token_read_wide(struct slice *in, struct token *token);

/* Read the head at the front of `in` and move behind it (for strings: to the body). `in` is as before on failure. */
static inline enum token_result token_read(struct slice *in, struct token *token)
{
    if (in->bytes == 0)
        return TOKEN_CUT_SHORT;
    uint8_t head = (uint8_t)in->data[0];
    size_t left = in->bytes - 1;
    if (head < 0x80)
        *token = (struct token){ TOKEN_NATURAL, head };
    else if (head >= 0xe0)
        *token = (struct token){ TOKEN_NEGATIVE, (uint64_t)(int64_t)(int8_t)head };
    else if (head >= 0xc0)
        return token_read_wide(in, token);
    else if (head >= 0xa0)
        *token = (struct token){ TOKEN_STRING, head & 0x1f };
    else
        *token = (struct token){ head >= 0x90 ? TOKEN_LIST : TOKEN_MAP, head & 0x0f };
    if (head >= 0x80 && head < 0xc0 && token->bits > (head < 0x90 ? left / 2 : left))
        return TOKEN_CUT_SHORT;
    *in = slice_of(in->data + 1, left);
    return TOKEN_WHOLE;
}

/*
 * LuaJIT takes the bits of a double as they are, and some NaNs are its pointers:
 * from outside there is one NaN only.
 */
static inline struct cell token_number(double number)
{
    return cell_of_number(number == number ? number : __builtin_nan(""));
}

/* The cell of a token that is neither a string nor a container. */
static inline struct cell token_cell(struct token token)
{
    union { uint64_t bits; double number; } wide = { .bits = token.bits };
    union { uint32_t bits; float number; } narrow = { .bits = (uint32_t)token.bits };
    switch (token.kind) {
    case TOKEN_FALSE: case TOKEN_TRUE: return cell_of_bool(token.kind == TOKEN_TRUE);
    case TOKEN_NATURAL: return cell_of_uint64(token.bits);
    case TOKEN_NEGATIVE: return cell_of_int64((int64_t)token.bits);
    case TOKEN_FLOAT: return token_number(narrow.number);
    case TOKEN_DOUBLE: return token_number(wide.number);
    default: return (struct cell){ .tag = CELL_NULL };
    }
}

/* Failures as errors with a message. */
int token_fail(enum token_result result);
