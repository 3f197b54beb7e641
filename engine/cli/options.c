#include "cli/options.h"

#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BYTES_MAX 40u
#define NAMES_MAX 64u

/* Levenshtein's distance, of words that are not long. */
static uint32_t distance(const char *a, const char *b)
{
    uint32_t row[WORD_BYTES_MAX + 1];
    uint32_t columns = (uint32_t)strlen(b);
    for (uint32_t j = 0; j <= columns; j++)
        row[j] = j;
    for (uint32_t i = 1; a[i - 1] != 0; i++) {
        uint32_t diagonal = row[0];
        row[0] = i;
        for (uint32_t j = 1; j <= columns; j++) {
            uint32_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[columns];
}

const char *cli_options_nearest(const char *word, const char *const *names, uint32_t count)
{
    const char *best = NULL;
    uint32_t length = (uint32_t)strlen(word), best_distance = length / 3 + 2;
    for (uint32_t i = 0; i < count && length <= WORD_BYTES_MAX; i++) {
        uint32_t found = strlen(names[i]) <= WORD_BYTES_MAX ? distance(word, names[i]) : best_distance;
        bool begins = length > 1 && strncmp(word, names[i], length) == 0;
        if (begins && best_distance > 1)
            found = found < 1 ? found : 1;
        if (found < best_distance) {
            best = names[i];
            best_distance = found;
        }
    }
    return best;
}

static int fail_unknown(const struct cli_command *command, const char *name, size_t bytes)
{
    char word[WORD_BYTES_MAX + 1];
    snprintf(word, sizeof word, "%.*s", (int)(bytes < WORD_BYTES_MAX ? bytes : WORD_BYTES_MAX), name);
    const char *names[NAMES_MAX] = { "help" };
    uint32_t count = 1;
    for (const struct cli_option *option = command->options; option != NULL && option->name != NULL && count < NAMES_MAX; option++)
        names[count++] = option->name;
    const char *nearest = cli_options_nearest(word, names, count);
    if (nearest == NULL)
        return error_set(ERROR_ARGUMENT, "unknown option --%s", word);
    return error_set(ERROR_ARGUMENT, "unknown option --%s; did you mean --%s?", word, nearest);
}

static const struct cli_option *find(const struct cli_command *command, const char *name, size_t bytes)
{
    for (const struct cli_option *option = command->options; option != NULL && option->name != NULL; option++) {
        if (strlen(option->name) == bytes && memcmp(option->name, name, bytes) == 0)
            return option;
    }
    return NULL;
}

static int note_value(struct cli_line *line, const struct cli_option *option, const char *value)
{
    if (option->refusal != NULL)
        return error_set(ERROR_ARGUMENT, "--%s: %s", option->name, option->refusal);
    if (!option->repeated && cli_options_value(line, option->name) != NULL)
        return error_set(ERROR_ARGUMENT, "--%s is given twice", option->name);
    if (line->value_count == CLI_VALUES_MAX)
        return error_set(ERROR_ARGUMENT, "more than %u options", CLI_VALUES_MAX);
    line->values[line->value_count].option = option;
    line->values[line->value_count++].value = value;
    return 0;
}

/* An option and, if it takes one, its value: how many words they were, or negative. */
static int take_option(struct cli_line *line, int count, char **words)
{
    const char *name = words[0] + 2;
    const char *equals = strchr(name, '=');
    size_t bytes = equals == NULL ? strlen(name) : (size_t)(equals - name);
    if (bytes == 4 && memcmp(name, "help", 4) == 0) {
        line->help = true;
        return 1;
    }
    const struct cli_option *option = find(line->command, name, bytes);
    if (option == NULL)
        return fail_unknown(line->command, name, bytes);
    if (option->value == NULL && equals != NULL)
        return error_set(ERROR_ARGUMENT, "--%s takes no value", option->name);
    int status;
    if (option->value == NULL)
        return (status = note_value(line, option, "")) < 0 ? status : 1;
    if (equals != NULL)
        return (status = note_value(line, option, equals + 1)) < 0 ? status : 1;
    if (count < 2 && option->refusal == NULL)
        return error_set(ERROR_ARGUMENT, "--%s needs a value: --%s %s", option->name, option->name, option->value);
    return (status = note_value(line, option, words[1])) < 0 ? status : 2;
}

static int take_argument(struct cli_line *line, const char *word)
{
    const struct cli_command *command = line->command;
    if (line->argument_count == command->arguments_max || line->argument_count == CLI_ARGUMENTS_MAX)
        return error_set(ERROR_ARGUMENT, "'%s' is one word too many", word);
    line->arguments[line->argument_count++] = word;
    return 1;
}

static int take_words(struct cli_line *line, int count, char **words)
{
    bool options_end = false;
    for (int at = 0; at < count;) {
        const char *word = words[at];
        int taken;
        if (options_end || word[0] != '-' || word[1] == 0) {
            taken = take_argument(line, word);
        } else if (strcmp(word, "--") == 0) {
            options_end = true;
            taken = 1;
        } else if (strcmp(word, "-h") == 0) {
            line->help = true;
            taken = 1;
        } else if (word[1] != '-') {
            taken = error_set(ERROR_ARGUMENT, "unknown option %s; options are written --name", word);
        } else {
            taken = take_option(line, count - at, words + at);
        }
        if (taken < 0)
            return taken;
        at += taken;
    }
    return 0;
}

int cli_options_parse(struct cli_line *line, const struct cli_command *command, int count, char **words)
{
    *line = (struct cli_line){ .command = command };
    int status = take_words(line, count, words);
    if (status < 0 || line->help)
        return status;
    if (line->argument_count < command->arguments_min)
        return error_set(ERROR_ARGUMENT, "something is missing: moontide %s %s", command->name, command->arguments);
    return 0;
}

const char *cli_options_value_at(const struct cli_line *line, const char *name, uint32_t index)
{
    for (uint32_t i = 0; i < line->value_count; i++) {
        if (strcmp(line->values[i].option->name, name) == 0 && index-- == 0)
            return line->values[i].value;
    }
    return NULL;
}

const char *cli_options_value(const struct cli_line *line, const char *name)
{
    return cli_options_value_at(line, name, 0);
}

int cli_options_number(const struct cli_line *line, const char *name, uint64_t least, uint64_t most, uint64_t *number)
{
    const char *text = cli_options_value(line, name);
    if (text == NULL)
        return 0;
    char *end;
    errno = 0;
    unsigned long long parsed = strtoull(text, &end, 10);
    bool whole = *text >= '0' && *text <= '9' && *end == 0 && errno == 0;
    if (!whole || parsed < least || parsed > most)
        return error_set(ERROR_ARGUMENT, "--%s is a whole number from %llu to %llu, not '%s'", name, (unsigned long long)least,
                         (unsigned long long)most, text);
    *number = parsed;
    return 0;
}

const char *cli_options_format(const struct cli_line *line, const char *const *formats)
{
    const char *wanted = cli_options_value(line, "format");
    if (wanted == NULL)
        return formats[0];
    char list[100] = "";
    for (const char *const *format = formats; *format != NULL; format++) {
        if (strcmp(*format, wanted) == 0)
            return *format;
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", used == 0 ? "" : ", ", *format);
    }
    error_set(ERROR_ARGUMENT, "--format '%s' is not one of %s", wanted, list);
    return NULL;
}
