/*
 * The table of connectors: to add one, write its file and add its lines in
 * connectors.c (blackhole.c is the one to copy).
 *
 * Owner    every table lives as long as the process.
 * Thread   any; the tables never change.
 */
#pragma once

#include "dataflow/sink.h"
#include "dataflow/source.h"

/* <cdef> */
const struct source_vtab *source_find(const char *name);   /* NULL: none of this name */
const struct sink_vtab *sink_find(const char *name);
/* Append the names of the splits that there are now, each ended by a zero byte; answers what discover() did. */
int source_split_names(const struct source_vtab *vtab, struct source *source, struct buffer *names);
/* </cdef> */

const struct source_vtab *const *source_all(void);         /* NULL at the end */
const struct sink_vtab *const *sink_all(void);
