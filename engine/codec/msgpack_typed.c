/* Reads of one expected type, for manifests, positions and options; and stepping over values. */
#include "codec/msgpack.h"

#include "base/error.h"
#include "codec/msgpack_token.h"

static int expect(struct slice *in, struct token *token)
{
    enum token_result result = token_read(in, token);
    return result == TOKEN_WHOLE ? 0 : token_fail(result);
}

/* Fail with `in` where it was. */
static int mismatch(struct slice *in, struct slice before, const char *expected)
{
    *in = before;
    return error_set(ERROR_FORMAT, "msgpack has another type where %s is expected", expected);
}

int msgpack_read_uint(struct slice *in, uint64_t *natural)
{
    struct slice before = *in;
    struct token token;
    int status = expect(in, &token);
    if (status < 0)
        return status;
    bool signed_form = token.kind == TOKEN_NEGATIVE && (int64_t)token.bits >= 0;
    if (token.kind != TOKEN_NATURAL && !signed_form)
        return mismatch(in, before, "an unsigned integer");
    *natural = token.bits;
    return 0;
}

int msgpack_read_int(struct slice *in, int64_t *integer)
{
    struct slice before = *in;
    struct token token;
    int status = expect(in, &token);
    if (status < 0)
        return status;
    bool small = token.kind == TOKEN_NATURAL && token.bits <= INT64_MAX;
    if (token.kind != TOKEN_NEGATIVE && !small)
        return mismatch(in, before, "an integer");
    *integer = (int64_t)token.bits;
    return 0;
}

int msgpack_read_double(struct slice *in, double *number)
{
    struct slice before = *in;
    struct token token;
    int status = expect(in, &token);
    if (status < 0)
        return status;
    if (token.kind < TOKEN_NATURAL || token.kind > TOKEN_DOUBLE)
        return mismatch(in, before, "a number");
    struct cell cell = token_cell(token);
    if (cell.tag == CELL_NUMBER)
        *number = cell.number;
    else
        *number = cell.tag == CELL_INT64 ? (double)cell.integer : (double)cell.natural;
    return 0;
}

int msgpack_read_bool(struct slice *in, bool *truth)
{
    struct slice before = *in;
    struct token token;
    int status = expect(in, &token);
    if (status < 0)
        return status;
    if (token.kind != TOKEN_TRUE && token.kind != TOKEN_FALSE)
        return mismatch(in, before, "a boolean");
    *truth = token.kind == TOKEN_TRUE;
    return 0;
}

int msgpack_read_string(struct slice *in, struct slice *text)
{
    struct slice before = *in;
    struct token token;
    int status = expect(in, &token);
    if (status < 0)
        return status;
    if (token.kind != TOKEN_STRING)
        return mismatch(in, before, "a string");
    *text = slice_of(in->data, token.bits);
    *in = slice_of(in->data + token.bits, in->bytes - token.bits);
    return 0;
}

static int read_count(struct slice *in, enum token_kind kind, const char *expected, uint32_t *count)
{
    struct slice before = *in;
    struct token token;
    int status = expect(in, &token);
    if (status < 0)
        return status;
    if (token.kind != kind)
        return mismatch(in, before, expected);
    *count = (uint32_t)token.bits;
    return 0;
}

int msgpack_read_array(struct slice *in, uint32_t *count)
{
    return read_count(in, TOKEN_LIST, "a list", count);
}

int msgpack_read_map(struct slice *in, uint32_t *count)
{
    return read_count(in, TOKEN_MAP, "a map", count);
}

/* Without recursion, so that no depth of nesting is too much: `pending` values are still to come. Stops before a head that is not whole. */
static enum token_result step_over(struct slice *in, uint64_t *pending)
{
    while (*pending > 0) {
        struct token token;
        enum token_result result = token_read(in, &token);
        if (result != TOKEN_WHOLE)
            return result;
        (*pending)--;
        if (token.kind == TOKEN_STRING || token.kind == TOKEN_EXT)
            *in = slice_of(in->data + token.bits, in->bytes - token.bits);
        else if (token.kind == TOKEN_LIST)
            *pending += token.bits;
        else if (token.kind == TOKEN_MAP)
            *pending += 2 * token.bits;
    }
    return TOKEN_WHOLE;
}

int msgpack_skip(struct slice *in)
{
    struct slice rest = *in;
    uint64_t pending = 1;
    enum token_result result = step_over(&rest, &pending);
    if (result != TOKEN_WHOLE)
        return token_fail(result);
    *in = rest;
    return 0;
}

int msgpack_measure_on(struct slice in, struct msgpack_walk *walk)
{
    struct slice rest = slice_of(in.data + walk->bytes, in.bytes - walk->bytes);
    uint64_t pending = walk->bytes == 0 ? 1 : walk->pending;
    enum token_result result = step_over(&rest, &pending);
    if (result == TOKEN_INVALID)
        return token_fail(result);
    *walk = (struct msgpack_walk){ .bytes = in.bytes - rest.bytes, .pending = pending };
    return result == TOKEN_WHOLE ? 1 : 0;
}

int msgpack_measure(struct slice in, size_t *bytes)
{
    struct msgpack_walk walk = { 0 };
    int whole = msgpack_measure_on(in, &walk);
    *bytes = walk.bytes;
    return whole;
}

int msgpack_read_field(struct slice packed, struct slice name, struct arena *arena, struct cell *field)
{
    uint32_t count = 0;
    *field = (struct cell){ .tag = CELL_ABSENT };
    if (msgpack_read_map(&packed, &count) < 0)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        struct slice key;
        int status = msgpack_read_string(&packed, &key);
        if (status == 0 && slice_equal(key, name))
            return msgpack_read_cell(&packed, arena, field);
        status = status < 0 ? msgpack_skip(&packed) : 0;
        status = status < 0 ? status : msgpack_skip(&packed);
        if (status < 0)
            return status;
    }
    return 0;
}
