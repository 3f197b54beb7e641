/*
 * The text of a job's script, kept in the data directory as
 * scripts/<XXH3 of the text, 16 hex digits>.lua: the code of every snapshot.
 *
 * Owner    script_copy_read() fills, script_copy_deinit() frees.
 * Errors   negative with error_message().
 */
#pragma once

#include "base/buffer.h"

struct script_copy {
    struct buffer text;
    uint64_t hash;
};

int script_copy_read(struct script_copy *copy, const char *path);
/* Write the file if `data` does not have it yet: whole or not at all. */
int script_copy_keep(const struct script_copy *copy, const char *data);
void script_copy_deinit(struct script_copy *copy);
