#include "cli/commands.h"

#include "base/error.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct cli_option status_options[] = {
    { "format", "FORMAT", "text (default) or json", false, NULL },
    { 0 },
};

static const struct cli_option stop_options[] = {
    { "drain", NULL, "first emit the largest watermark, so that all windows and timers fire", false, NULL },
    { "savepoint", "PATH", "take a savepoint there", false, "savepoints are not available in this version" },
    { 0 },
};

static const struct cli_command commands[] = {
    { "run", "JOB.lua", "run a job, from the newest checkpoint of its data directory if there is one",
      "Results go to stdout, all else to stderr. SIGINT and SIGTERM stop with a last checkpoint, a second one stops at once.\n"
      "Exit status: 0 finished or stopped as asked, 1 failed, 2 the script does not load, 3 a restore was refused.",
      run_options, 1, 1, command_run },
    { "check", "JOB.lua", "print the plan of a job: steps, edges, states, options; nothing runs", NULL,
      check_options, 1, 1, command_check },
    { "status", "DATA", "what a running job does: steps, records, event time, checkpoints",
      "In a job with event time each step has, for the subtask that is furthest behind, its watermark, its lag behind the clock, the input\n"
      "that holds it back and those that are idle; and how many records came too late.",
      status_options, 1, 1, command_status },
    { "why", "DATA", "why event time of a running job stands still, or that it moves",
      "Begins at the step furthest downstream that waits, and names where what it waits for should come from.",
      status_options, 1, 1, command_why },
    { "stop", "DATA", "stop a running job with a last checkpoint, and wait until it has ended", NULL, stop_options, 1, 1, command_stop },
    { "cancel", "DATA", "end a running job now, without a checkpoint", NULL, NULL, 1, 1, command_cancel },
    { "checkpoint", "DATA", "take a checkpoint of a running job, and wait until it is complete", NULL, NULL, 1, 1, command_checkpoint },
    { "checkpoints", "DATA [ACTION]", "list the checkpoints of a data directory, or look after one of them",
      "Actions:\n"
      "  show ID        all that is known of one checkpoint\n"
      "  tag ID NAME    give it a name, by which it is kept and can be restored\n"
      "  delete ID      delete it, with the files that no other checkpoint needs\n"
      "  verify ID      read all of its files and compare their checksums",
      status_options, 1, 4, command_checkpoints },
    { "version", "", "print the version", NULL, NULL, 0, 0, command_version },
    { "help", "[COMMAND]", "print this, or the options of a command", NULL, NULL, 0, 1, command_help },
    { 0 },
};

const struct cli_command *cli_commands(void)
{
    return commands;
}

const struct cli_command *cli_command_find(const char *name)
{
    for (const struct cli_command *command = commands; command->name != NULL; command++) {
        if (strcmp(command->name, name) == 0)
            return command;
    }
    return NULL;
}

int cli_complain(const struct cli_command *command)
{
    fprintf(stderr, "moontide: %s\n", error_message());
    if (command == NULL)
        fprintf(stderr, "moontide: the commands are in: moontide help\n");
    else
        fprintf(stderr, "moontide: its options are in: moontide help %s\n", command->name);
    return EXIT_USAGE;
}

/* Commands of later versions. */
static const struct { const char *name, *text; } later[] = {
    { "repl", "the prompt is" },
    { "savepoint", "savepoints are" },
    { "reload", "the reload of a running job is" },
    { "state", "a look into state is" },
    { "bench", "measuring is" },
};

static bool is_later(const char *name)
{
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
        if (strcmp(later[i].name, name) == 0) {
            error_set(ERROR_ARGUMENT, "%s: %s not available in this version", name, later[i].text);
            return true;
        }
    }
    return false;
}

int cli_complain_of_command(const char *name)
{
    if (is_later(name))
        return cli_complain(NULL);
    const char *names[sizeof commands / sizeof commands[0]];
    uint32_t count = 0;
    for (const struct cli_command *command = commands; command->name != NULL; command++)
        names[count++] = command->name;
    const char *nearest = cli_options_nearest(name, names, count);
    if (nearest == NULL)
        error_set(ERROR_ARGUMENT, "unknown command '%s'", name);
    else
        error_set(ERROR_ARGUMENT, "unknown command '%s'; did you mean %s?", name, nearest);
    return cli_complain(NULL);
}

void cli_print(const struct buffer *text)
{
    fwrite(text->data, 1, text->bytes, stdout);
}

/* A result that could not be written is none: `moontide check job.lua > /dev/full`. */
static int flush_results(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "moontide: cannot write to stdout\n");
    return status == EXIT_GOOD ? EXIT_FAILED : status;
}

static int run_command(const struct cli_command *command, int count, char **words)
{
    struct cli_line line;
    if (cli_options_parse(&line, command, count, words) < 0)
        return cli_complain(command);
    if (line.help) {
        line = (struct cli_line){ .command = command, .arguments = { command->name }, .argument_count = 1 };
        return command_help(&line);
    }
    return command->run(&line);
}

/*
 * Whoever started this may have closed them (`moontide run job.lua >&-`). The next file opened would then be
 * stdout or stderr, and results and messages would go into it. Now stdin is empty, results fail as they would
 * on what is closed, and messages go nowhere.
 */
static void occupy_standard_streams(void)
{
    static const int modes[] = { O_RDONLY, O_RDONLY, O_WRONLY };
    for (int stream = 0; stream < 3; stream++) {
        if (fcntl(stream, F_GETFD) < 0 && open("/dev/null", modes[stream]) < 0) /* it takes the lowest number that is free: this one */
            _exit(EXIT_FAILED);
    }
}

int cli_main(int count, char **words)
{
    occupy_standard_streams();
    if (count < 2) {
        error_set(ERROR_ARGUMENT, "which command?");
        return cli_complain(NULL);
    }
    const char *name = words[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    else if (strcmp(name, "--version") == 0)
        name = "version";
    const struct cli_command *command = cli_command_find(name);
    if (command == NULL)
        return cli_complain_of_command(name);
    return flush_results(run_command(command, count - 2, words + 2));
}
