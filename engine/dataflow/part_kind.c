#include "dataflow/part_kind.h"

#include <stdio.h>
#include <string.h>

#define SOURCE " source"
#define SINK " sink"

static const char *call_part(const struct step *step)
{
    static const char *const kinds[] = { [CALL_KIND_STEP] = "lua", [CALL_KIND_SOURCE] = "lua" SOURCE, [CALL_KIND_SINK] = "lua" SINK };
    return kinds[step->call_kind];
}

void part_kind(const struct step *step, char kind[PART_KIND_BYTES])
{
    switch (step->kind) {
    case STEP_SOURCE: snprintf(kind, PART_KIND_BYTES, "%s" SOURCE, step->source->name); break;
    case STEP_SINK: snprintf(kind, PART_KIND_BYTES, "%s" SINK, step->sink->name); break;
    case STEP_CALL: snprintf(kind, PART_KIND_BYTES, "%s", call_part(step)); break;
    case STEP_ASSIGN: snprintf(kind, PART_KIND_BYTES, "assign"); break;
    case STEP_AGGREGATE: snprintf(kind, PART_KIND_BYTES, "aggregate"); break;
    case STEP_INPUT: snprintf(kind, PART_KIND_BYTES, "input"); break;
    default: *kind = 0;
    }
}

bool part_kind_is_place(const char *kind)
{
    const char *last = strrchr(kind, ' ');
    return last != NULL && (strcmp(last, SOURCE) == 0 || strcmp(last, SINK) == 0);
}
