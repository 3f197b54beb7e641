/*
 * What an assigner remembers beyond a restore.
 *
 * Which subtask reads a split next is not known before it does, so every subtask
 * reads the blobs of all. What no subtask asks for is written on by subtask 0 alone;
 * where two blobs tell of one split, the one that has seen more of its records is the
 * newer. A split that ended since the restore is written once as ended, which voids
 * what subtask 0 may still remember of it.
 *
 *   blob     [subtask, parallelism, output, idle, [split, ...]]
 *   split    [name, records, highest, sent, punctuated, ended]
 */
#include "time/assigner_internal.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/batch.h"
#include "codec/msgpack.h"
#include "time/instant.h"

#include <stdlib.h>

void assigner_split_deinit(struct assigner_split *split)
{
    free(split->name);
    split->name = NULL;
}

static struct slice name_of(const struct assigner_split *split)
{
    return slice_of(split->name, split->name_bytes);
}

static struct assigner_split *kept_find(struct assigner *assigner, struct slice name)
{
    for (uint32_t i = 0; i < assigner->kept_count; i++) {
        if (slice_equal(name_of(&assigner->kept[i]), name))
            return &assigner->kept[i];
    }
    return NULL;
}

static void kept_remove(struct assigner *assigner, struct assigner_split *split)
{
    *split = assigner->kept[--assigner->kept_count];
}

void assigner_keep(struct assigner *assigner, struct assigner_split split)
{
    if (assigner->kept_count == assigner->kept_capacity) {
        assigner->kept_capacity = assigner->kept_capacity * 2 + 4;
        assigner->kept = memory_resize(assigner->kept, assigner->kept_capacity * sizeof assigner->kept[0]);
    }
    assigner->kept[assigner->kept_count++] = split;
}

bool assigner_take_kept(struct assigner *assigner, struct slice name, struct assigner_split *split)
{
    struct assigner_split *kept = kept_find(assigner, name);
    if (kept == NULL || kept->ended)
        return false;
    *split = *kept;
    kept_remove(assigner, kept);
    return true;
}

void assigner_forget_void(struct assigner *assigner)
{
    bool mixed = assigner->rescaled && assigner->sharers > 1;
    for (uint32_t i = assigner->kept_count; i-- > 0;) {
        bool is_void = assigner->kept[i].ended || (mixed && assigner->kept[i].name_bytes == 0);
        if (is_void) {
            assigner_split_deinit(&assigner->kept[i]);
            kept_remove(assigner, &assigner->kept[i]);
        }
    }
}

static void split_write(struct buffer *blob, const struct assigner_split *split, int64_t sent)
{
    msgpack_write_array(blob, 6);
    msgpack_write_string(blob, name_of(split));
    msgpack_write_uint(blob, split->records);
    msgpack_write_int(blob, split->highest);
    msgpack_write_int(blob, sent);
    msgpack_write_bool(blob, split->punctuated);
    msgpack_write_bool(blob, split->ended);
}

/* A split that is behind the output was read under the output: its records were late by that. */
static int64_t sent_under(const struct assigner_split *split, int64_t output)
{
    return output != TIME_END && output > split->sent ? output : split->sent;
}

static bool is_written(const struct assigner *assigner, const struct assigner_split *kept)
{
    return kept->ended || assigner->config.subtask == 0;
}

void assigner_snapshot(const struct assigner *assigner, struct buffer *blob)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < assigner->channel_count; i++)
        count += assigner->channels[i].open;
    for (uint32_t i = 0; i < assigner->kept_count; i++)
        count += is_written(assigner, &assigner->kept[i]);
    int64_t output = valve_output(assigner->valve);
    msgpack_write_array(blob, 5);
    msgpack_write_uint(blob, assigner->config.subtask);
    msgpack_write_uint(blob, assigner->config.parallelism);
    msgpack_write_int(blob, output);
    msgpack_write_bool(blob, valve_is_idle(assigner->valve));
    msgpack_write_array(blob, count);
    for (uint32_t i = 0; i < assigner->channel_count; i++) {
        const struct assigner_channel *channel = &assigner->channels[i];
        if (channel->open)
            split_write(blob, &channel->split, sent_under(&channel->split, output));
    }
    for (uint32_t i = 0; i < assigner->kept_count; i++) {
        if (is_written(assigner, &assigner->kept[i]))
            split_write(blob, &assigner->kept[i], assigner->kept[i].sent);
    }
}

/* The name points into the blob. */
static int split_read(struct slice *in, struct slice *name, struct assigner_split *split)
{
    uint32_t count;
    int status = msgpack_read_array(in, &count);
    if (status < 0 || count != 6)
        return ERROR_CORRUPT;
    status = msgpack_read_string(in, name);
    status = status < 0 ? status : msgpack_read_uint(in, &split->records);
    status = status < 0 ? status : msgpack_read_int(in, &split->highest);
    status = status < 0 ? status : msgpack_read_int(in, &split->sent);
    status = status < 0 ? status : msgpack_read_bool(in, &split->punctuated);
    status = status < 0 ? status : msgpack_read_bool(in, &split->ended);
    return status < 0 || name->bytes > UINT32_MAX ? ERROR_CORRUPT : 0;
}

static void merge(struct assigner *assigner, struct slice name, struct assigner_split split)
{
    struct assigner_split *kept = kept_find(assigner, name);
    if (kept == NULL) {
        split.name = memory_copy(name.data, name.bytes);
        split.name_bytes = (uint32_t)name.bytes;
        assigner_keep(assigner, split);
        return;
    }
    kept->ended = kept->ended || split.ended;
    if (split.records < kept->records)
        return;
    kept->punctuated = split.punctuated;
    kept->sent = split.records > kept->records || split.sent > kept->sent ? split.sent : kept->sent;
    kept->highest = split.highest;
    kept->records = split.records;
}

struct blob_head { uint64_t subtask, parallelism; int64_t output; bool idle; uint32_t splits; };

static int head_read(struct slice *in, struct blob_head *head)
{
    uint32_t count;
    int status = msgpack_read_array(in, &count);
    if (status < 0 || count != 5)
        return ERROR_CORRUPT;
    status = msgpack_read_uint(in, &head->subtask);
    status = status < 0 ? status : msgpack_read_uint(in, &head->parallelism);
    status = status < 0 ? status : msgpack_read_int(in, &head->output);
    status = status < 0 ? status : msgpack_read_bool(in, &head->idle);
    status = status < 0 ? status : msgpack_read_array(in, &head->splits);
    return status < 0 ? ERROR_CORRUPT : 0;
}

/* Read all splits; they are merged only if `assigner` is not NULL, so that a blob can be checked first. */
static int splits_read(struct slice in, const struct blob_head *head, struct assigner *assigner)
{
    for (uint32_t i = 0; i < head->splits; i++) {
        struct slice name;
        struct assigner_split split = { .name = NULL };
        if (split_read(&in, &name, &split) < 0)
            return ERROR_CORRUPT;
        if (assigner == NULL)
            continue;
        if (name.bytes > 0 || head->subtask == assigner->config.subtask)
            merge(assigner, name, split);
        assigner->sharers += name.bytes == 0 && split.records > 0;
    }
    return in.bytes == 0 ? 0 : ERROR_CORRUPT;
}

int assigner_restore(struct assigner *assigner, struct slice blob)
{
    struct blob_head head;
    if (head_read(&blob, &head) < 0 || splits_read(blob, &head, NULL) < 0)
        return error_set(ERROR_CORRUPT, "the saved state of the watermarks is damaged");
    splits_read(blob, &head, assigner);
    assigner->rescaled = assigner->rescaled || head.parallelism != assigner->config.parallelism;
    int64_t *floor = head.idle ? &assigner->floor_idle : &assigner->floor_active;
    *floor = head.output < *floor ? head.output : *floor;
    return 0;
}
