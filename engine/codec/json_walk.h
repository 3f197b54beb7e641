/*
 * From indexed JSON text to cells; private to this floor.
 *
 *   struct json_walk walk = { text, positions, end, arena };   positions: of json_index_scan()
 *   status = json_walk_document(&walk, &cell);                 for each line, with walk.end set to its newline
 *
 * BYTES_CHUNK bytes behind `end` must be readable, and the byte at `end` is a newline.
 */
#pragma once

#include "base/arena.h"
#include "codec/cell.h"

struct json_walk {
    const char *text;
    const uint32_t *at;    /* the next token: moved forward */
    uint32_t end;          /* of the document */
    struct arena *arena;
};

/* Read the document at `at`, which must end before `end`. 0 or ERROR_FORMAT; the arena then holds bytes of no use. */
int json_walk_document(struct json_walk *walk, struct cell *cell);
