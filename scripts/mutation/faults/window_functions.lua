-- S28, S30 to S32 and S60: continuous triggers, evictors, and what windows and rolling steps emit.
local window = { "spec/engine/time/window_spec.lua", "spec/semantics/window_triggers_spec.lua" }
local triggers = { "spec/semantics/window_triggers_spec.lua", "spec/semantics/window_sessions_spec.lua" }
local evictors = { "spec/semantics/window_evictors_spec.lua" }
local functions = { "spec/semantics/window_functions_spec.lua", "spec/semantics/windows_spec.lua" }
local aggregates = { "spec/semantics/windows_spec.lua", "spec/semantics/window_aggregates_spec.lua" }
local rolling = { "spec/lua/rolling_spec.lua" }

return {
  { rule = "S28", file = "engine/time/window.c", specs = window,
    from = "return next < last ? next : last;", to = "return last < next ? next : next;" },
  { rule = "S28", file = "engine/time/window.c", specs = window,
    from = "time_add(time - time % interval, interval)", to = "time_add(window_start(time, 0, interval), interval)" },
  { rule = "S28", file = "lua/moontide/trigger.lua", specs = triggers,
    from = "      if self.fire_time:get() ~= time then return \"continue\" end\n", to = "" },
  { rule = "S28", file = "lua/moontide/trigger.lua", specs = triggers,
    from = "      fire_next(self, min(time + ms, last), ctx)\n", to = "" },
  { rule = "S28", file = "lua/moontide/trigger.lua", specs = triggers,
    from = "      if at ~= nil then ctx:register_event_time_timer(at) end\n", to = "      if at == nil then ctx:register_event_time_timer(at) end\n" },
  { rule = "S28", file = "lua/moontide/trigger.lua", specs = triggers,
    from = "local min = function(a, b) return a < b and a or b end", to = "local min = function(a, b) return a < b and b or a end" },
  { rule = "S28", file = "lua/moontide/trigger.lua", specs = triggers,
    from = "      if time == last then return \"fire\" end\n", to = "" },

  { rule = "S30", file = "engine/time/window.c", specs = { "spec/engine/time/window_spec.lua" },
    from = "times[i] > latest - duration", to = "times[i] >= latest - duration" },
  { rule = "S30", file = "lua/moontide/evictor.lua", specs = evictors,
    from = "  if #elements == 0 or elements[1].timestamp == nil then return elements end\n", to = "  if #elements == 0 then return elements end\n" },
  { rule = "S30", file = "lua/moontide/evictor.lua", specs = evictors,
    from = "delta(element.value, last.value) >= threshold", to = "delta(element.value, last.value) > threshold" },
  { rule = "S30", file = "engine/state/window_list.c", specs = evictors,
    from = "for (uint32_t i = count; i < there", to = "for (uint32_t i = count + 1; i < there" },
  { rule = "S30", file = "engine/state/window_list.c", specs = evictors,
    from = "if (at == kept[next]) {", to = "if (at == kept[0] + next) {" },
  { rule = "S30", file = "lua/moontide/runtime/window_evict.lua", specs = evictors,
    from = "else elements_of:keep(all, elements) end", to = "end" },
  { rule = "S30", file = "lua/moontide/runtime/window_evict.lua", specs = evictors,
    from = "    elements = evict_after(elements, window)", to = "    evict_after(elements, window)" },
  { rule = "S30", file = "lua/moontide/runtime/window_evict.lua", specs = evictors,
    from = "    if not is_before then elements_of:keep_last(last) end\n", to = "" },

  { rule = "S31", file = "lua/moontide/runtime/window_emit.lua", specs = functions,
    from = "  call.out_time = C.call_window_max_timestamp(call, pane)\n", to = "  call.out_time = C.call_window_max_timestamp(call, pane) + 1\n" },
  { rule = "S31", file = "engine/dataflow/operators/call_windows.c", specs = { "spec/semantics/window_triggers_spec.lua" },
    from = "WINDOW_OF_ALL.start ? INT64_MAX :", to = "WINDOW_OF_ALL.start ? INT64_MAX - 1 :" },
  { rule = "S31", file = "lua/moontide/runtime/window_handler.lua", specs = functions,
    from = "side_outputs.new(call, operator.ports, operator.rest_port, \"out_time\")", to = "side_outputs.new(call, operator.ports, operator.rest_port)" },
  { rule = "S31", file = "lua/moontide/trigger.lua", specs = triggers,
    from = "return time == huge and \"fire\" or \"continue\" end", to = "return \"continue\" end" },

  { rule = "S32", file = "engine/dataflow/operators/aggregate_emit.c", specs = aggregates,
    from = "    out->times[out->count++] = window_max_timestamp(window);", to = "    out->times[out->count++] = window->end;" },
  { rule = "S32", file = "engine/dataflow/operators/aggregate_fire.c", specs = aggregates,
    from = "    operator_timers_fire(op, domain, now); /* what is left, behind what these emit */\n", to = "" },

  { rule = "S60", file = "lua/moontide/rolling.lua", specs = rolling,
    from = "      self.reduced:update(value)\n      out:collect(value)\n",
    to = "      if reduced ~= nil then out:collect(value) end\n      self.reduced:update(value)\n" },
  { rule = "S60", file = "lua/moontide/rolling.lua", specs = rolling,
    from = "      self.reduced:update(value)\n", to = "      if reduced == nil then self.reduced:update(value) end\n" },
  { rule = "S60", file = "lua/moontide/runtime/window_loops.lua", specs = aggregates,
    from = "      if is_new then content = start(value) else content = add(content, value) end\n      kept:update(content)\n",
    to = "      if is_new then content = start(value) else content = add(content, value) end\n      kept:update(content)\n      fire(pane)\n" },
}
