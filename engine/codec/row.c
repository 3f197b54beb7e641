/*
 * A path says, for fields in a certain order, which shape they make and where in
 * it each one goes. Its names are the shape's, which live for ever, so a path
 * owns nothing and the table of them may die with its thread.
 */
#include "codec/row.h"

#include "codec/bytes.h"

#include <stdlib.h>

#define PATHS 32

struct path {
    const struct shape *shape;
    uint32_t count;
    bool repeated;
    uint8_t index[SHAPE_FIELDS_MAX];
};

static _Thread_local struct path paths[PATHS];
static _Thread_local uint32_t last;

static bool path_fits(const struct path *path, const struct row_fields *fields)
{
    if (path->shape == NULL || path->count != fields->count)
        return false;
    for (uint32_t i = 0; i < fields->count; i++) {
        if (!bytes_equal(path->shape->names[path->index[i]], fields->names[i]))
            return false;
    }
    return true;
}

static uint32_t path_place(const struct row_fields *fields)
{
    uint64_t hash = fields->count;
    for (uint32_t i = 0; i < fields->count; i++) {
        struct slice name = fields->names[i];
        uint64_t ends = name.bytes == 0 ? 0 : (uint64_t)(uint8_t)name.data[0] << 8 | (uint8_t)name.data[name.bytes - 1];
        hash = (hash ^ ends ^ (uint64_t)name.bytes << 16) * 0x9e3779b97f4a7c15u;
    }
    return (uint32_t)(hash >> 32) % PATHS;
}

static int name_compare(const void *left, const void *right)
{
    const struct slice *const *a = left, *const *b = right;
    return slice_compare(**a, **b);
}

/* Fill in `path`; false where no shape can be had. */
static bool path_make(struct path *path, const struct row_fields *fields)
{
    const struct slice *sorted[SHAPE_FIELDS_MAX];
    struct slice unique[SHAPE_FIELDS_MAX + 1];
    uint32_t count = 0;
    for (uint32_t i = 0; i < fields->count; i++)
        sorted[i] = &fields->names[i];
    qsort(sorted, fields->count, sizeof sorted[0], name_compare);
    for (uint32_t i = 0; i < fields->count; i++) {
        if (i == 0 || !slice_equal(*sorted[i], unique[count - 1]))
            unique[count++] = *sorted[i];
        path->index[sorted[i] - fields->names] = (uint8_t)(count - 1);
    }
    uint32_t id = shape_intern(unique, count);
    path->shape = id == SHAPE_NONE ? NULL : shape_get(id);
    path->count = fields->count;
    path->repeated = count < fields->count;
    return path->shape != NULL;
}

static const struct path *path_find(const struct row_fields *fields)
{
    if (path_fits(&paths[last], fields))
        return &paths[last];
    uint32_t place = path_place(fields);
    if (!path_fits(&paths[place], fields) && !path_make(&paths[place], fields))
        return NULL;
    last = place;
    return &paths[place];
}

enum row_result row_make(const struct row_fields *fields, struct arena *arena, struct cell *row)
{
    const struct path *path = path_find(fields);
    if (path == NULL)
        return ROW_WITHOUT_SHAPE;
    uint64_t offset = arena_allocate(arena, path->shape->count * sizeof(struct cell));
    struct cell *cells = arena_at(arena, offset);
    for (uint32_t i = 0; i < fields->count; i++)
        cells[path->index[i]] = fields->values[i];
    *row = (struct cell){ .tag = CELL_ROW, .length = path->shape->id, .offset = offset };
    return path->repeated ? ROW_REPEATED : ROW_MADE;
}
