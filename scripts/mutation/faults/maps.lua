-- S52: iterations over maps that change.
local engine = { "spec/engine/state/map_walk_spec.lua" }
local iterator, maps, tree = "engine/state/map_iterator.c", "engine/state/map_state.c", "engine/state/map_tree.c"

return {
  { rule = "S52", file = iterator, specs = engine,
    from = "    if (is_past(iterator, child))\n        return;\n", to = "" },
  { rule = "S52", file = iterator, specs = engine,
    from = "    if (is_kept(iterator, place, iterator->count, child))\n        return;\n", to = "" },
  { rule = "S52", file = iterator, specs = engine,
    from = "        if (!is_kept(iterator, place, kept, child))\n", to = "        if (place == kept)\n" },
  { rule = "S52", file = iterator, specs = engine,
    from = "            iterator->path_found = false;", to = "            iterator->path_found = iterator->path_found;" },
  { rule = "S52", file = iterator, specs = engine,
    from = "    return first != NULL && (first->flags & ENTRY_ORDERED) ? first : NULL;", to = "    return first;" },
  { rule = "S52", file = iterator, specs = engine,
    from = "    if (order <= 0)\n        iterator->next++;\n", to = "    if (order < 0)\n        iterator->next++;\n" },
  { rule = "S52", file = iterator, specs = engine,
    from = "    if (iterator->state == NULL || iterator->record != record)\n", to = "    if (iterator->state == NULL || record < 0)\n" },
  { rule = "S52", file = "engine/state/evict.c", specs = engine,
    from = "    map_iterations_end(state);\n", to = "" },
  { rule = "S52", file = maps, specs = engine,
    from = "    map_iterations_keep(state, owner, slot, child);\n    state_touch", to = "    state_touch" },
  { rule = "S52", file = maps, specs = engine,
    from = "    map_iterations_keep(state, owner, slot, child);\n    state_slot_set", to = "    state_slot_set" },
  { rule = "S52", file = tree, specs = engine,
    from = "(struct branches){ .before = below }", to = "(struct branches){ .before = edge->count > 0 ? NULL : below }" },
  { rule = "S52", file = tree, specs = engine,
    from = "        if (last != NULL && map_entry_compare(at, last) <= 0) {", to = "        if (last != NULL && map_entry_compare(at, last) < 0) {" },
}
