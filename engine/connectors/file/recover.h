/*
 * What the file sink does once before its subtasks open: bring the folder to the
 * state that the restored checkpoint knows, and note the new run.
 *
 * Errors   as sink_vtab.recover. What the checkpoint needs is looked for before anything is changed.
 */
#pragma once

#include "connectors/file/part.h"
#include "dataflow/sink.h"

/* `prefix` is that of the new run. */
int file_sink_recover(const char *folder_path, const char *prefix, const struct sink_context *context,
                      const struct slice *committables, uint32_t count, bool older);
