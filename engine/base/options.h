/*
 * Options of a connector or format: a table of what there is, and the values
 * that a job gave. Help, checks and the Lua constructors all come from the
 * table, so an option is written once.
 *
 * Owner    options_new() and options_copy() allocate, options_free() frees; texts are copied in, and
 *          those that are answered belong to the options.
 * Errors   ERROR_ARGUMENT with error_message() that names the option.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* <cdef> */
enum option_type {
    OPTION_TEXT = 0,
    OPTION_NUMBER = 1,     /* a double; Lua takes only one above 0 */
    OPTION_INTEGER = 2,
    OPTION_BOOL = 3,
    OPTION_DURATION = 4,   /* milliseconds; Lua also takes "5s" */
    OPTION_SIZE = 5,       /* bytes; Lua also takes "64MB" */
    OPTION_TEXTS = 6,      /* a list of texts, or one */
    OPTION_PAIRS = 7,      /* a table of name = text */
    OPTION_SIZE_OR_FALSE = 8, /* false is -1 */
};
struct option_spec {
    const char *name;      /* NULL ends a table */
    int type;              /* enum option_type */
    bool required;
    const char *fallback;  /* default as text ("128MB" is written "134217728"), or NULL: unset */
    const char *help;      /* one sentence */
};
struct options;
struct options *options_new(void);
void options_free(struct options *options);
/* Text form of any scalar; a list or pairs is set by one call per element, `key` NULL or the pair's name. */
int options_set(struct options *options, const struct option_spec *specs, const char *name, const char *key, const char *value);
/* Fill in the fallbacks; ERROR_ARGUMENT that names a required option which is missing. */
int options_complete(struct options *options, const struct option_spec *specs);
/* </cdef> */

/* A copy that the caller frees: for what outlives the call that it got options in. */
struct options *options_copy(const struct options *options);

bool options_has(const struct options *options, const char *name);
const char *options_text(const struct options *options, const char *name);          /* NULL: unset */
int64_t options_integer(const struct options *options, const char *name);           /* also durations and sizes; 0: unset */
double options_number(const struct options *options, const char *name);
bool options_bool(const struct options *options, const char *name);
uint32_t options_count(const struct options *options, const char *name);            /* elements of a list or pairs */
const char *options_element(const struct options *options, const char *name, uint32_t index);
const char *options_key(const struct options *options, const char *name, uint32_t index);
