/*
 * Nested tables on their way between Lua and msgpack: a tree of cells in an
 * arena. Lua writes and reads cells at the speed of compiled code; putting keys
 * in order and reading heads of bytes is done here, once for a whole tree.
 *
 * A tree is made of the cells of cell.h and of three more, that occur nowhere else:
 *   TREE_LIST      `length` cells at `offset` (8-byte aligned)
 *   TREE_MAP       a map that is no row: `length` keys, each with its value behind it, as cells at `offset` (8-byte aligned)
 *   TREE_NUMBERS   a list of numbers alone: `length` doubles at `offset` (8-byte aligned)
 * A CELL_ROW in a tree may hold rows, lists and maps in turn; there is no CELL_PACKED.
 *
 * Owner    the arenas are the caller's; offsets count from the arena's bytes.
 * Thread   any.
 */
#pragma once

#include "base/arena.h"
#include "codec/cell.h"

enum tree_tag { TREE_LIST = 10, TREE_MAP = 11, TREE_NUMBERS = 12 };

/* <cdef> */
/*
 * Append a tree to `out` as canonical msgpack (L6). `bytes` is the base that its offsets count from: not the bytes of `out`.
 * ERROR_FORMAT where a map has the same key twice; `out` is then as it was.
 */
int tree_pack(struct arena *out, const struct cell *root, const char *bytes);
/* The same as a cell: a row where the root is a map of texts for which a shape can be had, else CELL_PACKED. */
int tree_record(struct arena *out, const struct cell *root, const char *bytes, struct cell *record);
/*
 * Append the tree of `length` packed bytes to `arena`. Maps become rows while there is plenty of room for shapes: a
 * map that serves as a dictionary must not use them up. ERROR_FORMAT where the bytes are cut short, ERROR_TOO_LARGE
 * where tables are nested deeper than MSGPACK_DEPTH_MAX.
 */
int tree_unpack(const char *packed, uint64_t length, struct arena *arena, struct cell *root);
/* </cdef> */
