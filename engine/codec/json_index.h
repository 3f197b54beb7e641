/*
 * Where the tokens of JSON text begin: every brace, bracket, colon, comma, opening
 * quote and first byte of a number or word that is not inside a string. Found for
 * a block of many lines at once; private to this floor.
 *
 * Owner    json_index_new() allocates, json_index_free() frees. Positions belong to
 *          the index until the next scan.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct json_index;

struct json_index *json_index_new(void);
void json_index_free(struct json_index *index);

/*
 * The positions in ascending order, with `bytes` after the last, or NULL with
 * error_message(): a string that does not end or holds a control character (so
 * none goes on beyond its line), or text that is not UTF-8.
 */
const uint32_t *json_index_scan(struct json_index *index, const char *text, size_t bytes);

bool json_is_utf8(const char *text, size_t bytes);

#ifdef __cplusplus
}
#endif
