#include "connectors/file/history.h"

#include "base/memory.h"

#include <stdlib.h>

void history_init(struct history *history)
{
    *history = (struct history){ .whole = true };
    history->bounds = memory_new(sizeof history->bounds[0]);
    history->own = memory_new(sizeof history->own[0]);
}

void history_deinit(struct history *history)
{
    runs_deinit(&history->runs);
    free(history->bounds);
    free(history->own);
    free(history->trees);
}

void history_add(struct history *history, const struct part_bound *bound)
{
    history->bounds = memory_resize(history->bounds, (history->bound_count + 1) * sizeof history->bounds[0]);
    history->bounds[history->bound_count++] = *bound;
}

static int id_compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static int bound_compare(const void *a, const void *b)
{
    const struct part_bound *left = a, *right = b;
    if (left->run != right->run)
        return left->run < right->run ? -1 : 1;
    return (left->subtask > right->subtask) - (left->subtask < right->subtask);
}

static uint32_t line_of(const struct history *history, const struct run *run)
{
    return (uint32_t)(run - history->runs.list);
}

static void own_find(struct history *history)
{
    history->own = memory_resize(history->own, (history->bound_count + 1) * sizeof history->own[0]);
    for (uint32_t i = 0; i < history->bound_count; i++)
        history->own[history->own_count++] = history->bounds[i].run;
    qsort(history->own, history->own_count, sizeof history->own[0], id_compare);
}

static void trees_find(struct history *history)
{
    const struct runs *runs = &history->runs;
    history->trees = memory_new((runs->count + 1) * sizeof history->trees[0]);
    for (uint32_t i = 0; i < runs->count; i++) {
        const struct run *parent = runs->list[i].count == 0 ? NULL : runs_find(runs, runs->list[i].bounds[0].run);
        /* A run begins from one that was before it; anything else is a line that someone wrote by hand. */
        bool known = parent != NULL && parent < &runs->list[i];
        history->trees[i] = known ? history->trees[line_of(history, parent)] : i;
    }
}

static void tree_choose(struct history *history, bool older)
{
    /* Without a checkpoint: before all trees where the job goes back, behind them where it starts afresh. */
    history->tree = older && history->own_count == 0 ? 0 : history->runs.count;
    for (uint32_t i = 0; i < history->own_count; i++) {
        const struct run *run = runs_find(&history->runs, history->own[i]);
        if (run == NULL)
            history->whole = false;
        else
            history->tree = history->trees[line_of(history, run)];
    }
}

/* Each line once. Where the checkpoint speaks of a run itself, that counts. */
static void ancestors_add(struct history *history)
{
    bool *added = memory_new_zeroed(history->runs.count + 1, sizeof added[0]);
    for (uint32_t i = 0; i < history->bound_count; i++) {
        const struct run *run = runs_find(&history->runs, history->bounds[i].run);
        if (run == NULL || added[line_of(history, run)])
            continue;
        added[line_of(history, run)] = true;
        for (uint32_t b = 0; b < run->count; b++) {
            if (!history_has_own(history, run->bounds[b].run))
                history_add(history, &run->bounds[b]);
        }
    }
    free(added);
}

int history_read(struct history *history, const struct part_folder *folder, const char *step_name, bool older)
{
    int status = runs_read(&history->runs, folder, step_name);
    if (status < 0)
        return status;
    own_find(history);
    trees_find(history);
    tree_choose(history, older);
    ancestors_add(history);
    qsort(history->bounds, history->bound_count, sizeof history->bounds[0], bound_compare);
    return 0;
}

bool history_has_own(const struct history *history, uint64_t run)
{
    return bsearch(&run, history->own, history->own_count, sizeof history->own[0], id_compare) != NULL;
}

const struct part_bound *history_bound(const struct history *history, uint64_t run, uint32_t subtask)
{
    struct part_bound wanted = { .run = run, .subtask = subtask };
    return bsearch(&wanted, history->bounds, history->bound_count, sizeof history->bounds[0], bound_compare);
}

bool history_published(const struct history *history, const struct part *part, uint64_t bytes)
{
    for (uint32_t i = 0; i < history->runs.count; i++) {
        const struct run *run = &history->runs.list[i];
        for (uint32_t b = 0; b < run->count; b++) {
            const struct part_bound *bound = &run->bounds[b];
            if (bound->run != part->run || bound->subtask != part->subtask)
                continue;
            if (part->counter < bound->whole || (part->counter == bound->whole && bound->open_bytes > 0 && bound->open_bytes >= bytes))
                return true;
        }
    }
    return false;
}

bool history_withdraws(const struct history *history, uint64_t run)
{
    const struct run *line = runs_find(&history->runs, run);
    return history_has_own(history, run) || (line != NULL && history->trees[line_of(history, line)] >= history->tree);
}
