/* status, why, stop, cancel, checkpoint: what is said to a running job through its control socket. */
#include "cli/commands.h"

#include "base/error.h"
#include "cli/json_view.h"
#include "service/control_client.h"

#include <stdio.h>

/* The reply of the job in this data directory; false, and said on stderr, if there is none or it is an error. */
static bool ask(const char *data, const char *request, struct buffer *reply)
{
    if (control_client_request(data, request, reply) < 0) {
        fprintf(stderr, "moontide: %s\n", error_message());
        return false;
    }
    if (json_view_is(json_view_field(buffer_slice(reply), "ok"), "true"))
        return true;
    struct buffer text = { 0 };
    json_view_append(&text, slice_of_text("error"), json_view_field(buffer_slice(reply), "error"));
    fprintf(stderr, "moontide: %.*s\n", (int)text.bytes, text.data);
    buffer_deinit(&text);
    return false;
}

static void append_field(struct buffer *text, const struct buffer *reply, const char *name)
{
    json_view_append(text, slice_of_text(name), json_view_field(buffer_slice(reply), name));
}

int command_status(const struct cli_line *line)
{
    static const char *const formats[] = { "text", "json", NULL };
    const char *format = cli_options_format(line, formats);
    if (format == NULL)
        return cli_complain(line->command);
    struct buffer reply = { 0 }, text = { 0 };
    bool known = ask(line->arguments[0], "status", &reply);
    if (known) {
        struct slice status = json_view_field(buffer_slice(&reply), "status");
        if (strcmp(format, "json") == 0)
            buffer_append_format(&text, "%.*s\n", (int)status.bytes, status.data);
        else
            json_view_append_object(&text, status);
        cli_print(&text);
    }
    buffer_deinit(&text);
    buffer_deinit(&reply);
    return known ? EXIT_GOOD : EXIT_FAILED;
}

int command_why(const struct cli_line *line)
{
    static const char *const formats[] = { "text", "json", NULL };
    const char *format = cli_options_format(line, formats);
    if (format == NULL)
        return cli_complain(line->command);
    struct buffer reply = { 0 }, text = { 0 };
    bool known = ask(line->arguments[0], "why", &reply);
    if (known) {
        struct slice time = json_view_field(buffer_slice(&reply), "time");
        if (strcmp(format, "json") == 0)
            buffer_append_slice(&text, time);
        else
            json_view_append(&text, slice_of_text("why"), json_view_field(time, "why"));
        buffer_append_byte(&text, '\n');
        cli_print(&text);
    }
    buffer_deinit(&text);
    buffer_deinit(&reply);
    return known ? EXIT_GOOD : EXIT_FAILED;
}

static int ask_to_end(const struct cli_line *line, const char *request)
{
    struct buffer reply = { 0 }, text = { 0 };
    bool ended = ask(line->arguments[0], request, &reply);
    if (ended) {
        append_field(&text, &reply, "job");
        buffer_append_format(&text, ": ");
        append_field(&text, &reply, "state");
        struct slice checkpoint = json_view_field(buffer_slice(&reply), "checkpoint");
        if (!json_view_is(checkpoint, "0"))
            buffer_append_format(&text, ", last checkpoint %.*s", (int)checkpoint.bytes, checkpoint.data);
        buffer_append_byte(&text, '\n');
        cli_print(&text);
    }
    buffer_deinit(&text);
    buffer_deinit(&reply);
    return ended ? EXIT_GOOD : EXIT_FAILED;
}

int command_stop(const struct cli_line *line)
{
    return ask_to_end(line, cli_options_value(line, "drain") == NULL ? "stop" : "stop drain");
}

int command_cancel(const struct cli_line *line)
{
    return ask_to_end(line, "cancel");
}

int command_checkpoint(const struct cli_line *line)
{
    struct buffer reply = { 0 }, text = { 0 };
    bool taken = ask(line->arguments[0], "checkpoint", &reply);
    if (taken) {
        buffer_append_format(&text, "checkpoint ");
        append_field(&text, &reply, "checkpoint");
        buffer_append_byte(&text, '\n');
        cli_print(&text);
    }
    buffer_deinit(&text);
    buffer_deinit(&reply);
    return taken ? EXIT_GOOD : EXIT_FAILED;
}
