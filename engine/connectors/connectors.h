/* The table of connectors: to add one, write its file and add its line in connectors.c. */
#pragma once

#include "dataflow/sink.h"
#include "dataflow/source.h"

/* <cdef> */
const struct source_vtab *source_find(const char *name);   /* NULL: none of this name */
const struct sink_vtab *sink_find(const char *name);
const struct source_vtab *const *source_all(void);         /* NULL at the end */
const struct sink_vtab *const *sink_all(void);
/* </cdef> */
