-- S57 and S58: joins of intervals and of windows.
local interval = { "spec/semantics/interval_join_spec.lua" }
local random = { "spec/semantics/random_interval_join_spec.lua" }
local joins = { "spec/semantics/window_join_spec.lua" }

return {
  { rule = "S57", file = "lua/moontide/runtime/interval_join.lua", specs = interval,
    from = "    if time < call.watermark then", to = "    if time <= call.watermark then" },
  { rule = "S57", file = "lua/moontide/runtime/interval_join.lua", specs = interval,
    from = "    if time <= min then timeless() end\n", to = "" },
  { rule = "S57", file = "lua/moontide/runtime/interval_join.lua", specs = interval,
    from = "  call.out_time = time > row.time and time or row.time", to = "  call.out_time = time" },
  { rule = "S57", file = "lua/moontide/runtime/interval_join.lua", specs = interval,
    from = "new_side(right_slots, left_slots, -interval.upper, -interval.lower)", to = "new_side(right_slots, left_slots, interval.lower, interval.upper)" },
  { rule = "S57", file = "engine/dataflow/operators/call_interval.c", specs = interval,
    from = "return upper > 0 ? upper : 0;", to = "return upper;" },
  { rule = "S57", file = "engine/dataflow/operators/call_interval.c", specs = interval,
    from = "shifted(call->watermark, -kept)", to = "shifted(call->watermark, -kept - 1)" },
  { rule = "S57", file = "engine/dataflow/operators/call_interval.c", specs = interval,
    from = "shifted(time, kept_for(side->upper)));", to = "shifted(time, kept_for(side->upper) + 1));" },
  { rule = "S57", file = "engine/state/timed_found.c", specs = interval,
    from = "row.time < from || row.time > to", to = "row.time <= from || row.time > to" },
  { rule = "S57", file = "engine/dataflow/operators/call_interval.c", specs = interval,
    from = "first == INT64_MAX ? status", to = "first != INT64_MAX ? status" },
  { rule = "S57", file = "engine/state/timed_chunks.c", specs = random,
    from = "own->last < from ||", to = "own->last <= from ||" },
  { rule = "S57", file = "lua/moontide/interval_join.lua", specs = interval,
    from = "checked.lower + (checked.lower_exclusive and 1 or 0)", to = "checked.lower - (checked.lower_exclusive and 1 or 0)" },
  { rule = "S57", file = "lua/moontide/interval_join.lua", specs = interval,
    from = "checked.upper - (checked.upper_exclusive and 1 or 0)", to = "checked.upper - (checked.lower_exclusive and 1 or 0)" },

  { rule = "S58", file = "lua/moontide/window_join.lua", specs = joins,
    from = "keyed_side(join, 2, \"right\")", to = "keyed_side(join, 2, \"left\")" },
  { rule = "S58", file = "lua/moontide/window_join.lua", specs = joins,
    from = "if element.left ~= nil then lefts[#lefts + 1] = element.left", to = "if element.left then lefts[#lefts + 1] = element.left" },
  { rule = "S58", file = "lua/moontide/window_join.lua", specs = joins,
    from = "        if result ~= nil then out:collect(result) end\n", to = "        if result then out:collect(result) end\n" },
  { rule = "S58", file = "lua/moontide/window_join.lua", specs = joins,
    from = "      for _, right in ipairs(rights) do\n", to = "      for _, right in ipairs { rights[1] } do\n" },
}
