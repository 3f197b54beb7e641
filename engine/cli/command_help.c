/* `moontide help` and `moontide version`: what the tables of commands and options say. */
#include "cli/commands.h"

#include "base/error.h"

#include <stdio.h>

static void print_options(const struct cli_option *options)
{
    printf("\nOptions:\n");
    for (; options != NULL && options->name != NULL; options++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", options->name, options->value == NULL ? "" : " ", options->value == NULL ? "" : options->value);
        printf("  %-28s %s%s\n", left, options->refusal == NULL ? options->help : options->refusal,
               options->repeated ? " (may be repeated)" : "");
    }
    printf("  %-28s print this\n", "-h, --help");
}

static void print_command(const struct cli_command *command)
{
    printf("usage: moontide %s%s%s%s\n\n%s\n", command->name, *command->arguments == 0 ? "" : " ", command->arguments,
           command->options == NULL ? "" : " [option]...", command->summary);
    if (command->details != NULL)
        printf("\n%s\n", command->details);
    print_options(command->options);
}

static void print_overview(void)
{
    printf("usage: moontide COMMAND ...\n\nCommands:\n");
    for (const struct cli_command *command = cli_commands(); command->name != NULL; command++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", command->name, command->arguments);
        printf("  %-28s %s\n", left, command->summary);
    }
    printf("\nDATA is the data directory of a job: `data` in its script, or --data.\n");
}

int command_help(const struct cli_line *line)
{
    if (line->argument_count == 0) {
        print_overview();
        return EXIT_GOOD;
    }
    const struct cli_command *command = cli_command_find(line->arguments[0]);
    if (command == NULL)
        return cli_complain_of_command(line->arguments[0]);
    print_command(command);
    return EXIT_GOOD;
}

int command_version(const struct cli_line *line)
{
    (void)line;
    printf("moontide %s\n", MOONTIDE_VERSION);
    return EXIT_GOOD;
}
