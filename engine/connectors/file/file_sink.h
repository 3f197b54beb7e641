/*
 * The file sink, exactly once, and what another connector needs to be one under
 * its own name (collect).
 *
 * A subtask writes one part at a time. A barrier makes it durable and its length part of
 * the checkpoint; a part that is closed gets its final name after the
 * checkpoint that closed it; a part that is open then stays open.
 */
#pragma once

#include "dataflow/sink.h"

extern const struct sink_vtab file_sink;

/* <cdef> */
/*
 * Append the paths of the published parts in a folder, each ended by a zero byte, in the order in which they were
 * written: by run, subtask, counter. For whoever reads results back (those of collect lie in <data>/collect/<name>).
 */
int file_sink_paths(const char *folder_path, struct buffer *paths);
/* </cdef> */
