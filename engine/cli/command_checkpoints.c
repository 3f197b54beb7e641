/*
 * `moontide checkpoints`: what lies in a data directory. What it shows is made
 * as JSON first; the readable form is a view of that.
 *
 * Looking needs no lock: a running job may go on. What changes anything does,
 * since its coordinator has files in flight that only it knows.
 */
#include "cli/commands.h"

#include "base/error.h"
#include "cli/checkpoint_json.h"
#include "cli/json_view.h"
#include "service/lock.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int print_list(struct storage *storage, bool as_json)
{
    struct storage_list list;
    int status = storage_list(storage, false, &list);
    if (status < 0)
        return status;
    struct buffer json = { 0 }, text = { 0 };
    buffer_append_byte(&json, '[');
    for (uint32_t i = 0; i < list.count; i++) {
        buffer_append_format(&json, "%s", i == 0 ? "" : ",");
        checkpoint_json_append_item(&json, &list.items[i]);
    }
    buffer_append_byte(&json, ']');
    if (as_json)
        buffer_append_format(&text, "%.*s\n", (int)json.bytes, json.data);
    else if (list.count == 0)
        buffer_append_format(&text, "no checkpoints\n");
    else
        json_view_append_table(&text, buffer_slice(&json));
    cli_print(&text);
    buffer_deinit(&json);
    buffer_deinit(&text);
    storage_list_free(&list);
    return 0;
}

static int print_one(struct storage *storage, uint64_t id, bool as_json)
{
    struct manifest *manifest;
    int status = storage_load(storage, id, &manifest);
    if (status < 0)
        return status;
    struct buffer json = { 0 }, text = { 0 };
    checkpoint_json_append_manifest(&json, manifest);
    if (as_json)
        buffer_append_format(&text, "%.*s\n", (int)json.bytes, json.data);
    else
        json_view_append_object(&text, buffer_slice(&json));
    cli_print(&text);
    buffer_deinit(&json);
    buffer_deinit(&text);
    manifest_free(manifest);
    return 0;
}

/* --- actions --------------------------------------------------------------- */

enum action { ACTION_LIST, ACTION_SHOW, ACTION_TAG, ACTION_DELETE, ACTION_VERIFY };

static const struct { const char *name; uint32_t words; const char *usage; } actions[] = {
    [ACTION_LIST] = { "list", 0, "" },
    [ACTION_SHOW] = { "show", 1, "show ID" },
    [ACTION_TAG] = { "tag", 2, "tag ID NAME" },
    [ACTION_DELETE] = { "delete", 1, "delete ID" },
    [ACTION_VERIFY] = { "verify", 1, "verify ID" },
};
#define ACTION_COUNT (sizeof actions / sizeof actions[0])

static int find_action(const struct cli_line *line)
{
    if (line->argument_count == 1)
        return ACTION_LIST;
    const char *names[ACTION_COUNT], *word = line->arguments[1];
    for (uint32_t i = 0; i < ACTION_COUNT; i++) {
        names[i] = actions[i].name;
        if (strcmp(word, names[i]) != 0)
            continue;
        if (line->argument_count - 2 != actions[i].words)
            return error_set(ERROR_ARGUMENT, "%s is written: moontide checkpoints DATA %s", names[i], actions[i].usage);
        return (int)i;
    }
    const char *nearest = cli_options_nearest(word, names, ACTION_COUNT);
    return error_set(ERROR_ARGUMENT, "unknown action '%s'; %s%s", word, nearest == NULL ? "there are show, tag, delete and verify" : "did you mean ",
                     nearest == NULL ? "" : nearest);
}

static int act_on(struct storage *storage, enum action action, const struct cli_line *line, bool as_json)
{
    uint64_t id = 0;
    int status = action == ACTION_LIST ? 0 : storage_find(storage, line->arguments[2], &id);
    if (status < 0)
        return status;
    unsigned long long number = id;
    switch (action) {
    case ACTION_LIST:
        return print_list(storage, as_json);
    case ACTION_SHOW:
        return print_one(storage, id, as_json);
    case ACTION_TAG:
        if ((status = storage_tag(storage, id, line->arguments[3])) == 0)
            printf("checkpoint %llu is tagged %s\n", number, line->arguments[3]);
        return status;
    case ACTION_DELETE:
        if ((status = storage_delete(storage, id, NULL, 0)) == 0)
            printf("checkpoint %llu is deleted\n", number);
        return status;
    case ACTION_VERIFY:
        if ((status = storage_verify(storage, id)) == 0)
            printf("checkpoint %llu is in order\n", number);
        return status;
    }
    return 0;
}

/* storage_open() makes what is absent, which looking must not. */
static int check_directory(const char *data)
{
    char path[4096];
    struct stat found;
    if (snprintf(path, sizeof path, "%s/checkpoints", data) < (int)sizeof path && stat(path, &found) == 0 && S_ISDIR(found.st_mode))
        return 0;
    return error_set(ERROR_NOT_FOUND, "there are no checkpoints in %s", data);
}

static int act(const struct cli_line *line, enum action action, bool as_json)
{
    const char *data = line->arguments[0];
    bool changes = action == ACTION_TAG || action == ACTION_DELETE;
    struct lock lock = { .descriptor = -1 };
    struct storage *storage;
    int status = check_directory(data);
    if (status == 0 && changes)
        status = lock_acquire(&lock, data);
    if (status < 0)
        return status;
    status = storage_open(data, &storage);
    if (status == 0) {
        if (changes)
            status = storage_lock(storage);
        if (status == 0)
            status = act_on(storage, action, line, as_json);
        storage_close(storage);
    }
    lock_release(&lock);
    return status;
}

int command_checkpoints(const struct cli_line *line)
{
    static const char *const formats[] = { "text", "json", NULL };
    const char *format = cli_options_format(line, formats);
    int action = format == NULL ? ERROR_ARGUMENT : find_action(line);
    if (action < 0)
        return cli_complain(line->command);
    if (act(line, (enum action)action, strcmp(format, "json") == 0) == 0)
        return EXIT_GOOD;
    fprintf(stderr, "moontide: %s\n", error_message());
    return EXIT_FAILED;
}
