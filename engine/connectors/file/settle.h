/*
 * Puts one part into the state that a restored checkpoint knows it in.
 *
 * A part only ever grows, and every copy of it is a beginning of it. So of its
 * files (published, hidden, withdrawn) the longest is the most complete, and a
 * shorter one is of no value beside it: that makes each function right again after
 * a kill anywhere in it. Nothing that was published is given up: it is withdrawn.
 *
 * Errors   ERROR_IO, ERROR_FULL. The caller syncs the folder.
 */
#pragma once

#include "connectors/file/part.h"

/* The sizes of a part's files, by enum part_state; -1: there is none. */
struct part_files {
    struct part part;
    int64_t bytes[3];
};

/* The size of the longest. */
int64_t part_files_bytes(const struct part_files *files);

/* The checkpoint has all of it: publish. */
int settle_whole(const struct part_folder *folder, const struct part_files *files);
/* The checkpoint has the first `bytes` of it, which are there: publish those. With `keep` the rest is withdrawn, else it is dropped. */
int settle_cut(const struct part_folder *folder, const struct part_files *files, uint64_t bytes, bool keep);
/* The checkpoint does not know it: withdraw it if it was published (or with `keep`), else remove it. */
int settle_unknown(const struct part_folder *folder, const struct part_files *files, bool keep);
/* Remove what was never committed. */
int settle_hidden(const struct part_folder *folder, const struct part_files *files);
