/*
 * What sources share that make record `number` from its number alone (sequence,
 * random_keys): the numbers are dealt in stripes, stripe "1/4" holding every
 * fourth one, and are given out no faster than a rate of all stripes together.
 *
 * The name of a stripe says how many there are, so that after a restore at
 * another parallelism the stripes of the first start go on.
 *
 * Thread   a stripe belongs to its reader; `struct stripes` is only read.
 */
#pragma once

#include "dataflow/source.h"

/* Numbers are at most this far from 0, so that the step behind the last one does not overflow. */
#define STRIPE_NUMBER_MAX ((int64_t)1 << 62)
#define STRIPES_MAX 65536

struct stripes {
    int64_t from, to;        /* both belong to it */
    double rate;             /* records per second of all stripes together; 0: as fast as they are taken */
    uint32_t count;          /* stripes at a first start */
};

struct stripe {
    int64_t next, to;
    uint32_t index, step;
    double rate;
    uint64_t opened_ns;      /* record k since then is due at (k * step + index) / rate seconds */
    uint64_t made;
};

/* ERROR_ARGUMENT where an option is out of range. `rate` is 0 or what the option "rate" says. */
int stripes_init(struct stripes *stripes, const struct options *options, int64_t from, int64_t to, uint32_t count);
void stripes_tell(const struct stripes *stripes, struct split_list *splits);

/* `name` and `position` as source_vtab.reader_open gets them. */
int stripe_open(struct stripe *stripe, const struct stripes *stripes, struct slice name, struct slice position);
/* How many records may be made now, at most `room`: from stripe->next on, `step` apart. */
int32_t stripe_due(const struct stripe *stripe, int32_t room);
/* `count` of them were made: what the reader's poll answers. */
int stripe_advance(struct stripe *stripe, int32_t count);
void stripe_position(const struct stripe *stripe, struct buffer *position);
/* Whole milliseconds until the next record is due: 0 in the last one, so that what comes often is not held back for as long. */
int stripe_wait_ms(const struct stripe *stripe);
