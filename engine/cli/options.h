/*
 * The command line: a table of options for each command, from which the
 * parser, the help texts and the suggestions for misspelt words all come.
 *
 * Owner    a cli_line refers to argv; nothing to free.
 * Errors   ERROR_ARGUMENT with error_message() fit to be shown.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CLI_ARGUMENTS_MAX 8u
#define CLI_VALUES_MAX 256u

struct cli_option {
    const char *name;      /* "parallelism", for --parallelism; NULL ends a table */
    const char *value;     /* what it takes, for the help: "N"; NULL: nothing */
    const char *help;      /* one line */
    bool repeated;         /* may be given more than once */
    const char *refusal;   /* known, but not available: why */
};

struct cli_line;

struct cli_command {
    const char *name;
    const char *arguments;             /* "JOB.lua", "DATA"; "" for none */
    const char *summary;               /* one line of the overview */
    const char *details;               /* more lines for its own help, or NULL */
    const struct cli_option *options;  /* NULL: none beside --help */
    uint32_t arguments_min, arguments_max;
    int (*run)(const struct cli_line *line);   /* answers the exit status */
};

struct cli_line {
    const struct cli_command *command;
    const char *arguments[CLI_ARGUMENTS_MAX];
    uint32_t argument_count;
    struct { const struct cli_option *option; const char *value; } values[CLI_VALUES_MAX];
    uint32_t value_count;
    bool help;                         /* --help or -h was among them */
};

/* `words`: what follows the command's name. */
int cli_options_parse(struct cli_line *line, const struct cli_command *command, int count, char **words);
/* The value of an option, "" for one that takes none; NULL: not given. */
const char *cli_options_value(const struct cli_line *line, const char *name);
/* Its `index`-th value. */
const char *cli_options_value_at(const struct cli_line *line, const char *name, uint32_t index);
/* A whole number from `least` to `most` into *number, which is left alone if the option was not given. */
int cli_options_number(const struct cli_line *line, const char *name, uint64_t least, uint64_t most, uint64_t *number);
/* --format, which must be one of `formats` (NULL at the end); the first if it was not given. NULL: error_message(). */
const char *cli_options_format(const struct cli_line *line, const char *const *formats);
/* The name most like `word`, or NULL if none is like it. */
const char *cli_options_nearest(const char *word, const char *const *names, uint32_t count);
