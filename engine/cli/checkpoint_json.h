/*
 * Checkpoints as JSON: what `moontide checkpoints --format json` prints, and what
 * its readable form is a view of.
 */
#pragma once

#include "base/buffer.h"
#include "checkpoint/storage.h"

/* One of a list: id, parent, time, size, tags, and whether it is restorable, appended. */
void checkpoint_json_append_item(struct buffer *json, const struct storage_item *item);
/* All of one: also its files, states and parts, appended. */
void checkpoint_json_append_manifest(struct buffer *json, const struct manifest *manifest);
