/*
 * Named places at which a test kills the process, to prove that a kill there
 * loses nothing and repeats nothing.
 *
 * The environment variable MOONTIDE_CRASH_POINT is "name" or "name:N": the N-th
 * passage of that point (the first without N) ends the whole process group by
 * SIGKILL, as an operator's kill -9 does. A name that is not in crash_points.h
 * ends the process with status 2 when the first point is passed: a test that
 * kills nothing proves nothing.
 *
 * Thread   any; passages of all threads are counted together.
 * Cost     one relaxed load while the variable is unset.
 */
#pragma once

/* <cdef> */
/* Pass the point `name`, which is in crash_points.h. */
void crash_point(const char *name);
/* All names, NULL at the end. */
const char *const *crash_points(void);
/* </cdef> */
