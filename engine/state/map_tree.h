/*
 * The entries of a map in the order of their keys' bytes: a treap (Aragon and Seidel,
 * "Randomized search trees", 1989) whose priorities are the hashes that the entries have
 * anyway. Its branches lie where a chain has its links, so a chain becomes a tree in place
 * and an entry takes no memory for it.
 *
 * Whole keys are compared: the user's key, which they have in common, and the map's.
 *
 * Thread   the worker.
 */
#pragma once

#include "base/slice.h"
#include "state/entry.h"

/* Entries from the root down. Of a walk: those that it has yet to come to, with what is behind them, the last one first. */
struct map_path { struct entry **entries; uint32_t count, capacity; };

void map_tree_insert(struct entry **root, struct entry *child);
/* The child is in the tree. */
void map_tree_remove(struct entry **root, struct entry *child);
/* Put a child behind all others of a tree. Its right edge is the path, empty for an empty tree, of which the first one is the root. */
void map_tree_append(struct map_path *edge, struct entry *child);

/* Go to the first entry behind `last`, which need not be in the tree; NULL: to the first one. A path is good until the tree changes. */
void map_path_seek(struct map_path *path, struct entry *root, const struct entry *last);
/* Where the path is, NULL at the end. */
static inline struct entry *map_path_entry(const struct map_path *path)
{
    return path->count == 0 ? NULL : path->entries[path->count - 1];
}
void map_path_advance(struct map_path *path);
void map_path_deinit(struct map_path *path);

/* The order of two entries of one map. Short keys are padded with zeros, and none begins another (they are msgpack). */
static inline int map_entry_compare(const struct entry *left, const struct entry *right)
{
    if (left->key_bytes > ENTRY_KEY_INLINED_MAX || right->key_bytes > ENTRY_KEY_INLINED_MAX)
        return slice_compare(slice_of(entry_key(left), left->key_bytes), slice_of(entry_key(right), right->key_bytes));
    uint64_t a[2], b[2];
    memcpy(a, left->key.inlined, sizeof a);
    memcpy(b, right->key.inlined, sizeof b);
    uint32_t word = a[0] == b[0];
    uint64_t first = __builtin_bswap64(a[word]), second = __builtin_bswap64(b[word]);
    return (first > second) - (first < second);
}
