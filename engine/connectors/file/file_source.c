/* The source of files: which splits there are; what is in them is the business of reader.c. */
#include "base/error.h"
#include "base/memory.h"
#include "connectors/file/input.h"
#include "connectors/file/reader.h"
#include "connectors/file/split.h"
#include "connectors/file/watch.h"
#include "connectors/intake.h"

#include <stdlib.h>
#include <sys/stat.h>

struct source {
    struct file_settings settings;
    struct options *options;
    uint64_t split_bytes;    /* 0: never split */
    struct watch watch;      /* where it follows */
    struct file_list restored; /* files that splits of the checkpoint cover */
    bool restored_sorted;
};

static const struct option_spec file_options[] = {
    { "path", OPTION_TEXTS, true, NULL, "A file, a list of files, or a glob such as \"logs/*.csv\"; also .gz and .zst." },
    { "follow", OPTION_BOOL, false, "false", "Wait for more, as `tail -F` does, and for new files that match; compressed ones are read once." },
    { "split", OPTION_SIZE_OR_FALSE, false, "67108864", "Large plain files are read in ranges of this size by several subtasks; false = never." },
    { NULL, 0, false, NULL, NULL },
};

static int source_open(struct source **source, const struct options *options, const struct format_vtab *format,
                       const struct source_context *context)
{
    (void)context;
    int64_t split = options_integer(options, "split");
    if (split == 0 || split < -1)
        return error_set(ERROR_ARGUMENT, "option 'split' must be a size of at least 1 byte, or false");
    *source = memory_new_zeroed(1, sizeof **source);
    watch_init(&(*source)->watch);
    file_list_init(&(*source)->restored);
    (*source)->options = options_copy(options);
    bool follow = options_bool(options, "follow");
    (*source)->settings = (struct file_settings){ format, (*source)->options, follow ? &(*source)->watch : NULL };
    bool never = split < 0 || !format_can_split(format, options) || follow;
    (*source)->split_bytes = never ? 0 : (uint64_t)split;
    return 0;
}

/*
 * A file that was cut into splits once is not cut again: it may have grown since, or `split` may be another, and
 * the new ranges would have what the old ones had.
 */
static int source_restored(struct source *source, struct slice name, struct slice position)
{
    struct file_split split;
    int status = file_split_parse(&split, name);
    if (status < 0)
        return status;
    if (source->restored.count == 0 || strcmp(source->restored.paths[source->restored.count - 1], split.path) != 0)
        file_list_append(&source->restored, split.path);
    source->restored_sorted = false;
    file_reader_restored(&source->watch, split.path, position);
    file_split_deinit(&split);
    return 0;
}

static int files_list(const struct source *source, struct file_list *list)
{
    uint32_t count = options_count(source->options, "path");
    for (uint32_t i = 0; i < count; i++) {
        const char *pattern = options_element(source->options, "path", i);
        bool found;
        int status = file_list_add(list, pattern, &found);
        if (status < 0)
            return status;
        /* After a restore a file that is gone is missed by the reader of its split, if that is not finished. */
        if (!found && source->settings.watch == NULL && source->restored.count == 0)
            return error_set(ERROR_NOT_FOUND, "no file matches '%s'", pattern);
    }
    file_list_sort(list);
    return 0;
}

static int splits_tell(const struct source *source, const struct file_list *list, struct split_list *splits)
{
    for (size_t i = 0; i < list->count; i++) {
        struct stat file;
        if (file_list_has(&source->restored, list->paths[i]))
            continue;
        if (stat(list->paths[i], &file) < 0) {
            if (source->settings.watch != NULL)
                continue;    /* rotated away since it was listed */
            return error_set_errno(ERROR_IO, "%s", list->paths[i]);
        }
        uint64_t split_bytes = file_input_of(list->paths[i])->seekable ? source->split_bytes : 0;
        file_split_tell(list->paths[i], (uint64_t)file.st_size, split_bytes, splits);
    }
    return 0;
}

static int source_discover(struct source *source, struct split_list *splits)
{
    struct file_list list;
    if (!source->restored_sorted)
        file_list_sort(&source->restored);
    source->restored_sorted = true;
    file_list_init(&list);
    int status = files_list(source, &list);
    if (status == 0 && source->settings.watch != NULL)
        watch_look(&source->watch, &list);
    if (status == 0)
        status = splits_tell(source, &list, splits);
    file_list_deinit(&list);
    return status < 0 ? status : source->settings.watch != NULL;
}

static int reader_open(struct source *source, struct slice split, struct slice position, const struct reader_context *context,
                       struct reader **reader)
{
    return file_reader_open(&source->settings, split, position, context, reader);
}

static void source_close(struct source *source)
{
    watch_deinit(&source->watch);
    file_list_deinit(&source->restored);
    options_free(source->options);
    free(source);
}

const struct source_vtab file_source = {
    .name = "file",
    .help = "Reads files: one, a list or a glob, plain or compressed.",
    .options = file_options,
    .has_format = true,
    .replayable = true,
    .open = source_open,
    .discover = source_discover,
    .reader_open = reader_open,
    .poll = file_reader_poll,
    .reader_position = file_reader_position,
    .reader_wait = file_reader_wait,
    .reader_close = file_reader_close,
    .close = source_close,
    .restored = source_restored,
};
