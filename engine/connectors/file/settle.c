#include "connectors/file/settle.h"

#include "base/crash.h"
#include "base/error.h"
#include "base/log.h"

int64_t part_files_bytes(const struct part_files *files)
{
    int64_t longest = -1;
    for (int state = PART_HIDDEN; state <= PART_WITHDRAWN; state++)
        longest = files->bytes[state] > longest ? files->bytes[state] : longest;
    return longest;
}

static int rename_part(const struct part_folder *folder, const struct part *part, enum part_state from, enum part_state to)
{
    crash_point("recover.before_rename");
    int status = part_rename(folder, part, from, to);
    crash_point("recover.after_rename");
    return status;
}

int settle_hidden(const struct part_folder *folder, const struct part_files *files)
{
    if (files->bytes[PART_HIDDEN] < 0)
        return 0;
    crash_point("recover.before_unlink");
    return part_remove(folder, &files->part, PART_HIDDEN);
}

/* Keep a file as the withdrawn one, unless the withdrawn one has all of it already. */
static int withdraw(const struct part_folder *folder, const struct part_files *files, enum part_state state)
{
    if (files->bytes[state] > files->bytes[PART_WITHDRAWN])
        return rename_part(folder, &files->part, state, PART_WITHDRAWN);
    crash_point("recover.before_unlink");
    return part_remove(folder, &files->part, state);
}

static void log_withdrawn(const struct part_folder *folder, const struct part *part)
{
    char name[PART_NAME_BYTES], hidden[PART_NAME_BYTES];
    part_format(part, PART_PUBLISHED, name);
    part_format(part, PART_WITHDRAWN, hidden);
    log_warn("%s/%s was published after the restored checkpoint: withdrawn, its bytes are in %s", folder->path, name, hidden);
}

int settle_unknown(const struct part_folder *folder, const struct part_files *files, bool keep)
{
    int status = 0;
    if (files->bytes[PART_PUBLISHED] >= 0) {
        log_withdrawn(folder, &files->part);
        status = withdraw(folder, files, PART_PUBLISHED);
        keep = false;        /* a hidden file beside a published one is a copy that was not finished */
    }
    if (status < 0 || files->bytes[PART_HIDDEN] < 0)
        return status;
    return keep ? withdraw(folder, files, PART_HIDDEN) : settle_hidden(folder, files);
}

int settle_whole(const struct part_folder *folder, const struct part_files *files)
{
    int64_t longest = part_files_bytes(files);
    if (files->bytes[PART_PUBLISHED] == longest)
        return settle_hidden(folder, files);
    if (files->bytes[PART_WITHDRAWN] < longest)
        return rename_part(folder, &files->part, PART_HIDDEN, PART_PUBLISHED);
    int status = settle_hidden(folder, files);
    return status < 0 ? status : rename_part(folder, &files->part, PART_WITHDRAWN, PART_PUBLISHED);
}

static int copy_publish(const struct part_folder *folder, const struct part *part, enum part_state from, uint64_t bytes)
{
    int status = part_copy(folder, part, from, bytes);
    return status < 0 ? status : rename_part(folder, part, PART_HIDDEN, PART_PUBLISHED);
}

static int truncate_publish(const struct part_folder *folder, const struct part_files *files, uint64_t bytes)
{
    int status = 0;
    if (files->bytes[PART_HIDDEN] > (int64_t)bytes) {
        crash_point("recover.before_truncate");
        status = part_truncate(folder, &files->part, PART_HIDDEN, bytes);
        crash_point("recover.after_truncate");
    }
    return status < 0 ? status : rename_part(folder, &files->part, PART_HIDDEN, PART_PUBLISHED);
}

/* It was published whole, or longer, by a later checkpoint. */
static int published_cut(const struct part_folder *folder, const struct part_files *files, uint64_t bytes)
{
    log_withdrawn(folder, &files->part);
    if (files->bytes[PART_WITHDRAWN] >= files->bytes[PART_PUBLISHED])
        return copy_publish(folder, &files->part, PART_PUBLISHED, bytes);
    int status = part_copy(folder, &files->part, PART_PUBLISHED, bytes);
    if (status == 0)
        status = rename_part(folder, &files->part, PART_PUBLISHED, PART_WITHDRAWN);
    return status < 0 ? status : rename_part(folder, &files->part, PART_HIDDEN, PART_PUBLISHED);
}

int settle_cut(const struct part_folder *folder, const struct part_files *files, uint64_t bytes, bool keep)
{
    int64_t wanted = (int64_t)bytes, hidden = files->bytes[PART_HIDDEN], withdrawn = files->bytes[PART_WITHDRAWN];
    if (files->bytes[PART_PUBLISHED] == wanted)
        return settle_hidden(folder, files);
    if (files->bytes[PART_PUBLISHED] > wanted)
        return published_cut(folder, files, bytes);
    if (withdrawn >= wanted && withdrawn >= hidden)
        return copy_publish(folder, &files->part, PART_WITHDRAWN, bytes);
    if (!keep || hidden == wanted)
        return truncate_publish(folder, files, bytes);
    int status = rename_part(folder, &files->part, PART_HIDDEN, PART_WITHDRAWN);
    return status < 0 ? status : copy_publish(folder, &files->part, PART_WITHDRAWN, bytes);
}
