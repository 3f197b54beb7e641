/* `moontide run` and `moontide check`: what is done with a script. */
#include "cli/commands.h"

#include "base/error.h"
#include "base/log.h"
#include "script/job.h"

#include <stdio.h>
#include <string.h>

#define PARALLELISM_MAX 32768u

#define OPTION_PARALLELISM { "parallelism", "N", "workers; default: as the script says, else one for each core", false, NULL }
#define OPTION_SET { "set", "KEY=VALUE", "what the script reads as mt.args.KEY", true, NULL }

const struct cli_option run_options[] = {
    OPTION_PARALLELISM,
    { "data", "DIR", "the data directory; default: as the script says, else a temporary one", false, NULL },
    { "fresh", NULL, "start over; older checkpoints are kept", false, NULL },
    { "restore", "ID|TAG|PATH", "begin from this checkpoint, not from the newest", false, NULL },
    { "allow-non-restored-state", NULL, "drop what the snapshot has of steps, states, sources and sinks that are no more", false, NULL },
    { "allow-duplicates", NULL, "begin also if a sink cannot take back what it published since", false, NULL },
    OPTION_SET,
    { "log-level", "LEVEL", "debug, info, warn (default) or error", false, NULL },
    { "no-progress", NULL, "no progress line on the terminal", false, NULL },
    { 0 },
};

const struct cli_option check_options[] = {
    { "format", "FORMAT", "text (default), json or dot", false, NULL },
    OPTION_PARALLELISM,
    OPTION_SET,
    { 0 },
};

static int take_settings(const struct cli_line *line, const char *settings[CLI_VALUES_MAX + 1])
{
    uint32_t count = 0;
    const char *setting;
    while ((setting = cli_options_value_at(line, "set", count)) != NULL) {
        const char *equals = strchr(setting, '=');
        if (equals == NULL || equals == setting)
            return error_set(ERROR_ARGUMENT, "--set takes KEY=VALUE, not '%s'", setting);
        settings[count++] = setting;
    }
    settings[count] = NULL;
    return 0;
}

static int take_arguments(const struct cli_line *line, struct job_arguments *arguments, const char *settings[CLI_VALUES_MAX + 1])
{
    uint64_t parallelism = 0;
    *arguments = (struct job_arguments){
        .script = line->arguments[0],
        .data = cli_options_value(line, "data"),
        .fresh = cli_options_value(line, "fresh") != NULL,
        .restore = cli_options_value(line, "restore"),
        .allow_non_restored_state = cli_options_value(line, "allow-non-restored-state") != NULL,
        .allow_duplicates = cli_options_value(line, "allow-duplicates") != NULL,
        .settings = settings,
    };
    if (arguments->fresh && arguments->restore != NULL)
        return error_set(ERROR_ARGUMENT, "--fresh and --restore exclude each other");
    if (arguments->data != NULL && *arguments->data == 0)
        return error_set(ERROR_ARGUMENT, "--data is empty");
    int status = cli_options_number(line, "parallelism", 1, PARALLELISM_MAX, &parallelism);
    arguments->parallelism = (uint32_t)parallelism;
    return status < 0 ? status : take_settings(line, settings);
}

static int take_log_level(const struct cli_line *line)
{
    const char *name = cli_options_value(line, "log-level");
    int level = name == NULL ? LOG_WARN : log_level_of(name);
    if (level < 0)
        return error_set(ERROR_ARGUMENT, "--log-level is debug, info, warn or error, not '%s'", name);
    log_set_level(level);
    return 0;
}

int command_run(const struct cli_line *line)
{
    const char *settings[CLI_VALUES_MAX + 1];
    struct supervisor_options options = { .progress = cli_options_value(line, "no-progress") == NULL };
    if (take_arguments(line, &options.arguments, settings) < 0 || take_log_level(line) < 0)
        return cli_complain(line->command);
    return supervisor_run(&options);
}

static int explain(const struct job_arguments *arguments, const char *format, struct buffer *plan)
{
    struct job *job;
    int status = job_load(arguments, &job);
    if (status < 0)
        return status;
    status = job_explain(job, format, plan);
    job_free(job);
    return status;
}

int command_check(const struct cli_line *line)
{
    static const char *const formats[] = { "text", "json", "dot", NULL };
    const char *settings[CLI_VALUES_MAX + 1];
    struct job_arguments arguments;
    const char *format = cli_options_format(line, formats);
    if (format == NULL || take_arguments(line, &arguments, settings) < 0)
        return cli_complain(line->command);
    struct buffer plan = { 0 };
    int status = explain(&arguments, format, &plan);
    if (status < 0)
        fprintf(stderr, "moontide: %s\n", error_message());
    else
        cli_print(&plan);
    buffer_deinit(&plan);
    return status < 0 ? EXIT_USAGE : EXIT_GOOD;
}
