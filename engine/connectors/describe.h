/*
 * What connectors and formats there are, for Lua: names, help and option
 * tables, from which it makes the constructors (`mt.file { ... }`).
 *
 * Owner    every pointer lives as long as the process.
 * Thread   any; the tables never change.
 * Errors   a kind or an index that does not exist is a programmer's mistake.
 */
#pragma once

#include "base/options.h"

/* <cdef> */
enum connector_kind { CONNECTOR_SOURCE = 0, CONNECTOR_SINK = 1, CONNECTOR_FORMAT = 2 };
int connector_count(int kind);
const char *connector_name(int kind, int index);
/* One sentence; "" for a format. */
const char *connector_help(int kind, int index);
/* May be NULL: no options. */
const struct option_spec *connector_options(int kind, int index);
/* Does it take `format` and the options of that format? */
bool connector_has_format(int kind, int index);
/* Of a source: can it be read again from a position that a checkpoint holds? Of a sink: is its output exactly once? */
bool connector_replayable(int index);
bool connector_exactly_once(int index);
/* Are these values right for a source or a sink of this format? ERROR_ARGUMENT that says what is wrong; the specs are those of the format. */
int connector_format_check(int kind, int format, const struct options *options);
/* </cdef> */
