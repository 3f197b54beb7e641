/*
 * The commands of `moontide`: one line each in commands.c, each written in a
 * file of its own or with its siblings. To add one, write its run function and
 * its line.
 *
 * Errors   a command says what went wrong on stderr and answers the exit status.
 */
#pragma once

#include "base/buffer.h"
#include "cli/options.h"
#include "service/supervisor.h"

/* The whole program. */
int cli_main(int count, char **words);

int command_run(const struct cli_line *line);
int command_check(const struct cli_line *line);
int command_status(const struct cli_line *line);
int command_why(const struct cli_line *line);
int command_stop(const struct cli_line *line);
int command_cancel(const struct cli_line *line);
int command_checkpoint(const struct cli_line *line);
int command_checkpoints(const struct cli_line *line);
int command_version(const struct cli_line *line);
int command_help(const struct cli_line *line);

/* Tables that more than one file needs. */
extern const struct cli_option run_options[], check_options[];

/* The commands, the last with a NULL name; and one of them, or NULL. */
const struct cli_command *cli_commands(void);
const struct cli_command *cli_command_find(const char *name);
/* Wrong usage: what error_message() says, and where help is. Answers EXIT_USAGE. */
int cli_complain(const struct cli_command *command);
/* There is no command of this name. Answers EXIT_USAGE. */
int cli_complain_of_command(const char *name);
void cli_print(const struct buffer *text);
