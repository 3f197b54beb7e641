#include "state/map_tree.h"

#include "base/memory.h"

#include <stdlib.h>

#define PATH_MIN 32

struct branches { struct entry *before, *after; };

static struct branches *branches_of(struct entry *child)
{
    return (struct branches *)(void *)&child->slots[1];
}

/* Where the tree goes on from `at` towards `child`. */
static struct entry **towards(struct entry *at, const struct entry *child)
{
    return map_entry_compare(at, child) < 0 ? &branches_of(at)->after : &branches_of(at)->before;
}

/* The tree at `at` into what is before `child` and what is behind it: its branches. */
static void split(struct entry *at, struct entry *child)
{
    struct entry **before = &branches_of(child)->before, **after = &branches_of(child)->after;
    while (at != NULL) {
        if (map_entry_compare(at, child) < 0) {
            *before = at;
            before = &branches_of(at)->after;
            at = *before;
        } else {
            *after = at;
            after = &branches_of(at)->before;
            at = *after;
        }
    }
    *before = *after = NULL;
}

void map_tree_insert(struct entry **root, struct entry *child)
{
    struct entry **at = root;
    while (*at != NULL && (*at)->hash >= child->hash)
        at = towards(*at, child);
    split(*at, child);
    *at = child;
}

void map_tree_remove(struct entry **root, struct entry *child)
{
    struct entry **at = root;
    while (*at != child)
        at = towards(*at, child);
    struct entry *before = branches_of(child)->before, *after = branches_of(child)->after;
    while (before != NULL && after != NULL) {
        if (before->hash >= after->hash) {
            *at = before;
            at = &branches_of(before)->after;
            before = *at;
        } else {
            *at = after;
            at = &branches_of(after)->before;
            after = *at;
        }
    }
    *at = before != NULL ? before : after;
}

static void push(struct map_path *path, struct entry *entry)
{
    if (path->count == path->capacity) {
        path->capacity = path->capacity * 2 + PATH_MIN;
        path->entries = memory_resize(path->entries, path->capacity * sizeof(struct entry *));
    }
    path->entries[path->count++] = entry;
}

void map_tree_append(struct map_path *edge, struct entry *child)
{
    struct entry *below = NULL;
    while (edge->count > 0 && map_path_entry(edge)->hash < child->hash)
        below = edge->entries[--edge->count];
    *branches_of(child) = (struct branches){ .before = below };
    if (edge->count > 0)
        branches_of(map_path_entry(edge))->after = child;
    push(edge, child);
}

void map_path_seek(struct map_path *path, struct entry *root, const struct entry *last)
{
    path->count = 0;
    for (struct entry *at = root; at != NULL;) {
        if (last != NULL && map_entry_compare(at, last) <= 0) {
            at = branches_of(at)->after;
        } else {
            push(path, at);
            at = branches_of(at)->before;
        }
    }
}

void map_path_advance(struct map_path *path)
{
    struct entry *at = branches_of(path->entries[--path->count])->after;
    for (; at != NULL; at = branches_of(at)->before)
        push(path, at);
}

void map_path_deinit(struct map_path *path)
{
    free(path->entries);
}
