#include "base/options.h"

#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct option {
    char *name, *key, *value;
};

struct options {
    struct option *list;
    uint32_t count, capacity;
};

struct options *options_new(void)
{
    return memory_new_zeroed(1, sizeof(struct options));
}

void options_free(struct options *options)
{
    for (uint32_t i = 0; i < options->count; i++) {
        free(options->list[i].name);
        free(options->list[i].key);
        free(options->list[i].value);
    }
    free(options->list);
    free(options);
}

static const struct option_spec *spec_find(const struct option_spec *specs, const char *name)
{
    for (; specs != NULL && specs->name != NULL; specs++) {
        if (strcmp(specs->name, name) == 0)
            return specs;
    }
    return NULL;
}

static bool is_whole_number(const char *text)
{
    char *end;
    errno = 0;
    strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == 0;
}

static bool is_number(const char *text)
{
    char *end;
    strtod(text, &end);
    return end != text && *end == 0;
}

static bool value_fits(int type, const char *value)
{
    switch (type) {
    case OPTION_NUMBER: return is_number(value);
    case OPTION_BOOL: return strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
    case OPTION_INTEGER: case OPTION_DURATION: case OPTION_SIZE: case OPTION_SIZE_OR_FALSE: return is_whole_number(value);
    default: return true;
    }
}

static void option_append(struct options *options, const char *name, const char *key, const char *value)
{
    if (options->count == options->capacity) {
        options->capacity = options->capacity * 2 + 8;
        options->list = memory_resize(options->list, options->capacity * sizeof options->list[0]);
    }
    options->list[options->count++] =
        (struct option){ memory_copy_text(name), memory_copy_text(key), memory_copy_text(value) };
}

struct options *options_copy(const struct options *options)
{
    struct options *copy = options_new();
    for (uint32_t i = 0; i < options->count; i++)
        option_append(copy, options->list[i].name, options->list[i].key, options->list[i].value);
    return copy;
}

int options_set(struct options *options, const struct option_spec *specs, const char *name, const char *key, const char *value)
{
    const struct option_spec *spec = spec_find(specs, name);
    if (spec == NULL)
        return error_set(ERROR_ARGUMENT, "unknown option '%s'", name);
    if (!value_fits(spec->type, value))
        return error_set(ERROR_ARGUMENT, "option '%s' cannot be '%s'", name, value);
    option_append(options, name, key, value);
    return 0;
}

int options_complete(struct options *options, const struct option_spec *specs)
{
    for (const struct option_spec *spec = specs; spec != NULL && spec->name != NULL; spec++) {
        if (options_has(options, spec->name))
            continue;
        if (spec->required)
            return error_set(ERROR_ARGUMENT, "option '%s' is required", spec->name);
        int status = spec->fallback == NULL ? 0 : options_set(options, specs, spec->name, NULL, spec->fallback);
        if (status < 0)
            return status;
    }
    return 0;
}

/* The `index`-th value of this name, or NULL. */
static const struct option *option_find(const struct options *options, const char *name, uint32_t index)
{
    for (uint32_t i = 0; i < options->count; i++) {
        if (strcmp(options->list[i].name, name) == 0 && index-- == 0)
            return &options->list[i];
    }
    return NULL;
}

bool options_has(const struct options *options, const char *name)
{
    return option_find(options, name, 0) != NULL;
}

const char *options_element(const struct options *options, const char *name, uint32_t index)
{
    const struct option *option = option_find(options, name, index);
    return option == NULL ? NULL : option->value;
}

const char *options_key(const struct options *options, const char *name, uint32_t index)
{
    const struct option *option = option_find(options, name, index);
    return option == NULL ? NULL : option->key;
}

const char *options_text(const struct options *options, const char *name)
{
    return options_element(options, name, 0);
}

int64_t options_integer(const struct options *options, const char *name)
{
    const char *text = options_text(options, name);
    return text == NULL ? 0 : strtoll(text, NULL, 10);
}

double options_number(const struct options *options, const char *name)
{
    const char *text = options_text(options, name);
    return text == NULL ? 0 : strtod(text, NULL);
}

bool options_bool(const struct options *options, const char *name)
{
    const char *text = options_text(options, name);
    return text != NULL && strcmp(text, "true") == 0;
}

uint32_t options_count(const struct options *options, const char *name)
{
    uint32_t count = 0;
    while (option_find(options, name, count) != NULL)
        count++;
    return count;
}
