/*
 * What `tail -F` watches of a file that grows: that another one took its name
 * (rotation), or that it was cut.
 *
 * A file is known by an *identity*, a number made of its inode and, where the file
 * system has it, its time of birth (an inode alone is given away again soon).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum follow_event { FOLLOW_NOTHING, FOLLOW_ROTATED, FOLLOW_CUT };

/* Odd; 0: the file is not there. `certain` (may be NULL): a file made later cannot have the same. */
uint64_t follow_identity(const char *path, bool *certain);
uint64_t follow_identity_of(int descriptor, bool *certain);

/* The reader of `path` has read `offset` bytes of `descriptor`. ROTATED only when the new file holds something: its writer has moved on. */
enum follow_event follow_look(const char *path, int descriptor, uint64_t offset);

/* A file with this identity beside `path`, such as "app.log.1": its path for the caller to free, or NULL. */
char *follow_find(const char *path, uint64_t identity);
/* Drop the identities that no file beside `path` has: how many are left. */
uint32_t follow_keep(const char *path, uint64_t *identities, uint32_t count);
