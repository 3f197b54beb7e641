#include "connectors/file/part.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HIDDEN_ENDING ".open"

/* What stands before the published name in each state. */
static const char *const begins[] = { [PART_HIDDEN] = ".", [PART_PUBLISHED] = "", [PART_WITHDRAWN] = ".withdrawn-", [PART_MARK] = ".published-" };

static bool is_name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '.' || c == '_' || c == '-';
}

bool part_prefix_valid(const char *prefix)
{
    size_t bytes = strlen(prefix);
    if (bytes == 0 || bytes > PART_PREFIX_MAX || prefix[0] == '.')
        return false;
    for (size_t i = 0; i < bytes; i++) {
        if (!is_name_byte(prefix[i]))
            return false;
    }
    return true;
}

bool part_extension_valid(const char *extension)
{
    size_t bytes = strlen(extension);
    if (bytes == 0)
        return true;
    if (extension[0] != '.' || bytes == 1 || bytes > PART_EXTENSION_MAX)
        return false;
    for (size_t i = 1; i < bytes; i++) {
        if (!isalnum((unsigned char)extension[i]))
            return false;
    }
    return true;
}

void part_format(const struct part *part, enum part_state state, char name[PART_NAME_BYTES])
{
    snprintf(name, PART_NAME_BYTES, "%s%s-%016" PRIx64 "-%" PRIu32 "-%06" PRIu64 "%s%s", begins[state], part->prefix, part->run,
             part->subtask, part->counter, part->extension, state == PART_HIDDEN ? HIDDEN_ENDING : "");
}

/* The text without what its state puts around the published name, in `plain`. */
static bool state_parse(const char *name, char plain[PART_NAME_BYTES], enum part_state *state)
{
    size_t bytes = strlen(name), ending = strlen(HIDDEN_ENDING);
    if (bytes >= PART_NAME_BYTES)
        return false;
    strcpy(plain, name);
    *state = PART_PUBLISHED;
    if (name[0] != '.')
        return true;
    if (bytes > ending && strcmp(name + bytes - ending, HIDDEN_ENDING) == 0) {
        *state = PART_HIDDEN;
        memmove(plain, name + 1, bytes - ending - 1);
        plain[bytes - ending - 1] = 0;
        return true;
    }
    for (*state = PART_WITHDRAWN; *state <= PART_MARK; *state += 1) {
        size_t begin = strlen(begins[*state]);
        if (strncmp(name, begins[*state], begin) == 0) {
            strcpy(plain, name + begin);
            return true;
        }
    }
    return false;
}

/* Cut "-number" off the end of the text. */
static bool number_cut(char *text, int base, uint64_t *number)
{
    char *mark = strrchr(text, '-');
    char *end;
    if (mark == NULL || !isxdigit((unsigned char)mark[1]))
        return false;
    errno = 0;
    *number = strtoull(mark + 1, &end, base);
    if (errno != 0 || *end != 0)
        return false;
    *mark = 0;
    return true;
}

bool part_parse(const char *name, struct part *part, enum part_state *state)
{
    char plain[PART_NAME_BYTES], again[PART_NAME_BYTES];
    uint64_t subtask;
    *part = (struct part){ 0 };
    if (!state_parse(name, plain, state))
        return false;
    char *mark = strrchr(plain, '-');
    char *extension = mark == NULL ? NULL : strchr(mark, '.');
    if (extension != NULL) {
        if (!part_extension_valid(extension))
            return false;
        strcpy(part->extension, extension);
        *extension = 0;
    }
    if (!number_cut(plain, 10, &part->counter) || !number_cut(plain, 10, &subtask) || !number_cut(plain, 16, &part->run))
        return false;
    if (subtask > UINT32_MAX || !part_prefix_valid(plain))
        return false;
    part->subtask = (uint32_t)subtask;
    strcpy(part->prefix, plain);
    /* Only the one spelling of a part is its name. */
    part_format(part, *state, again);
    return strcmp(again, name) == 0;
}
