/*
 * Whether, and after which delay, a failed job is tried again.
 *
 * fixed_delay        `attempts` restarts (-1: no limit), each after delay_ms.
 * exponential_delay  the delay doubles from delay_ms to delay_max_ms. An attempt
 *                    that ran well (at least a minute, and twice the longest
 *                    delay) begins a new count: its failure is a new one.
 * failure_rate       given up at more than `failures` failures within within_ms.
 *
 * Owner    the caller's memory: fill in the first group of fields, zero the rest;
 *          restart_deinit() frees. The clock is passed in.
 * Thread   any, one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* <cdef> */
struct restart {
    int strategy;                     /* enum restart_strategy */
    uint64_t delay_ms, delay_max_ms;
    int64_t attempts;
    uint64_t failures, within_ms;

    int64_t restarts;                 /* made so far, of the present count */
    uint64_t *failed_at_ms;           /* those within within_ms, oldest first */
    uint32_t failed_count, failed_capacity;
};

/* An attempt that ran for `ran_ms` failed at `now_ms`: true and the delay, or false: give up. */
bool restart_after_failure(struct restart *restart, uint64_t now_ms, uint64_t ran_ms, uint64_t *delay_ms);
/* Did an attempt run long enough that its failure is a new one? */
bool restart_ran_well(const struct restart *restart, uint64_t ran_ms);
void restart_deinit(struct restart *restart);
/* </cdef> */
