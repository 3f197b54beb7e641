--- The handler of a window step: its states, its trigger and its function, bound to
--- the cells of its worker.
local ffi = require "ffi"
local C = require "moontide.engine"
local blame = require "moontide.runtime.blame"
local binding = require "moontide.runtime.binding"
local check = require "moontide.runtime.fail"
local collector = require "moontide.runtime.collector"
local context = require "moontide.runtime.context"
local describe = require "moontide.describe"
local lent = require "moontide.runtime.lent"
local made_fields = require "moontide.runtime.made_fields"
local saved = require "moontide.runtime.saved"
local side_outputs = require "moontide.runtime.side_outputs"
local state_migration = require "moontide.runtime.state_migration"
local units = require "moontide.units"
local used_fields = require "moontide.runtime.used_fields"
local values = require "moontide.runtime.values"
local window_context = require "moontide.runtime.window_context"
local window_elements = require "moontide.runtime.window_elements"
local window_emit = require "moontide.runtime.window_emit"
local window_loops = require "moontide.runtime.window_loops"
local window_merge = require "moontide.runtime.window_merge"
local window_timers = require "moontide.runtime.window_timers"

local late, timeless, too_long = 1, 2, 3

-- A record that no window took: late, without a time, with a key that is too long, or in a gap between windows.
local function skipper(call, operator)
  local tag, records, has_sides = operator.step.late, call.windows.late, operator.step.contents.kind == "sides"
  local outputs, unread = side_outputs.new(call, operator.ports, operator.rest_port)
  local output = tag and outputs[tag]
  return function(i)
    if records[i] == timeless then
      error("a window of event time needs records with time stamps, and this one has none: call :assign_timestamps", 0)
    end
    if records[i] == too_long then error(("the key of %d bytes is too long to stand beside a window"):format(call.keys[i].bytes), 0) end
    if records[i] ~= late then return end
    if not tag then return C.call_count_late(call) end
    local value = values.decode(call.values[i], call.bytes)
    if has_sides then value = call.input == 0 and { left = value } or { right = value } end
    if output then output:collect(value) else unread(tag, value) end
  end
end

local function gap_ms(fn, gap)
  local ms = units.duration(gap)
  if not ms or ms < 1 then blame.raise(fn, "gap", "the gap of a session must be a duration above 0, got %s", describe(gap)) end
  return ms
end

-- The gap of a session, of which a record may say its own (S29d).
local function gap_function(window)
  local gap, size = window.gap, window.size
  if not gap then return function() return size end end
  return function(value) return gap_ms(gap, gap(value)) end
end

-- The states of the trigger as its `self`, of the window function's as what it is added to.
local function states_of_panes(call, step, guarded)
  local names, descriptors = {}, {}
  for slot, state in ipairs(step.pane_states) do names[slot], descriptors[state.name] = state.name, state.descriptor end
  local aggregate = not step.evictor and step.contents.aggregate
  local fields = { ["window-contents"] = aggregate and made_fields.of_aggregate(aggregate) or nil }
  local panes = call.windows.panes
  lent.count_with(panes, call)
  return binding.bind_states(panes, names, descriptors, guarded, fields)
end

local function with_prefix(states, prefix, names)
  local named = {}
  for _, name in ipairs(names) do named[name] = states[prefix .. name] end
  return named
end

local answers = { fire = true, purge = true, fire_and_purge = true }

-- What the trigger answered, if that is not "continue".
local function actor(trigger, fire, purge)
  return function(answer, pane, callback)
    if not answers[answer] then
      blame.raise(trigger[callback], callback, '\'%s\' of the trigger must answer "continue", "fire", "purge" or "fire_and_purge", got %s', callback,
        describe(answer))
    end
    if answer ~= "purge" then fire(pane) end
    if answer ~= "fire" then purge() end
  end
end

local function purger(bound)
  local kept, kept_right = bound.kept, bound.kept_right
  if not kept_right then return function() kept:clear() end end
  return function()
    kept:clear()
    kept_right:clear()
  end
end

-- Two windows or more have become one: their states, what the trigger makes of it, and what it clears (S29).
local function merger(call, step, states, bound)
  local windows, panes, place, trigger = call.windows, call.windows.panes, bound.place, step.trigger or {}
  local merges = {}
  for i, state in ipairs(step.pane_states) do
    merges[i] = window_merge.of_state(panes, i - 1, state.descriptor.kind, states[state.name], i == 1 and step.contents.merge or nil)
  end
  return function()
    for _, merge in ipairs(merges) do merge(windows.merged_panes) end
    panes.index, place[0] = 0, 0
    if trigger.on_merge then trigger.on_merge(bound.trigger, bound.window_of(0), bound.trigger_ctx) end
    if trigger.clear then
      check(C.call_window_void(call))
      for pane = 1, windows.merged_windows do
        place[0] = pane
        trigger.clear(bound.trigger, bound.window_of(pane), bound.trigger_ctx)
      end
    end
    check(C.call_session_merged(call))
    panes.index, place[0] = 0, 0
  end
end

-- The end of a window: of its trigger, of what its function keeps, of everything.
local function forgetter(call, step, bound)
  local clear, trigger = step.definition.clear, step.trigger or {}
  local trigger_clear = not window_loops.is_direct(step) and trigger.clear
  return function()
    if trigger_clear then trigger_clear(bound.trigger, bound.window_of(0), bound.trigger_ctx) end
    if clear then clear(bound.self, bound.record:current_key(), bound.window_of(0)) end
    check(C.call_window_forget(call, 0))
  end
end

-- A stagger that was drawn is state; subtasks that are new take over what an old one has.
local function restore_stagger(call)
  local parts = saved.restored(call)
  local offset = #parts > 0 and parts[tonumber(call.subtask) % #parts + 1]
  if not offset then return end
  call.windows.shape.offset, call.windows.is_drawn = offset, true
end

local function bind(call, operator, guarded, self)
  local step = operator.step
  local states, trigger = states_of_panes(call, step, guarded), step.trigger or {}
  local outputs, unread = side_outputs.new(call, operator.ports, operator.rest_port, "out_time")
  local place = ffi.new("int32_t[1]")
  local bound = {
    guarded = guarded, self = self, place = place, kept = states[step.pane_states[1].name], start = step.contents.first, add = step.contents.add,
    kept_right = states["right-contents"], record = context(call, {}), out = collector(call, 0, nil, "out_time"),
    window_of = window_context.window_of(call, step.window.kind == "global"),
    ctx = window_context.window(call, outputs, unread), clock = window_context.clock(call), trigger_ctx = window_context.trigger(call, place),
    trigger = with_prefix(states, "trigger.", trigger.state_names or {}), on_element = trigger.on_element,
    on_event_time = trigger.on_event_time, on_processing_time = trigger.on_processing_time,
    skipped = skipper(call, operator), gap_of = gap_function(step.window),
  }
  if step.evictor then
    local decode = values.decoder(step.evictor.blind and used_fields.of_contents(step.contents) or nil)
    bound.elements = window_elements(call.windows.panes, step.contents.kind == "sides", decode)
  end
  bound.fire = window_emit(call, operator, bound)
  bound.act = actor(trigger, bound.fire, purger(bound))
  bound.merge = step.window.merging and merger(call, step, states, bound)
  bound.forget = forgetter(call, step, bound)
  state_migration(call, step)
  binding.set_states(self, step.state_names, binding.bind_states(call, step.state_names, step.definition.state, guarded))
  binding.set_states(self, step.window_state_names, with_prefix(states, "window.", step.window_state_names))
  return bound
end

--- What the worker calls for a window step.
---@param call ffi.cdata* struct call
---@param operator Operator
---@param guarded boolean
---@return table<integer, function> by enum call_request
return function(call, operator, guarded)
  local step = operator.step
  local definition, self = step.definition, {}
  local loop, fire

  local function unbind()
    binding.set_states(self, step.state_names, nil)
    binding.set_states(self, step.window_state_names, nil)
  end

  return {
    [1] = function() loop() end, -- CALL_BATCH
    [3] = function() -- CALL_OPEN
      unbind()
      restore_stagger(call)
      if definition.open then definition.open(self, binding.open_context(call)) end
      local bound = bind(call, operator, guarded, self)
      loop, fire = window_loops.make(call, operator, bound), window_timers(call, operator, bound)
    end,
    [4] = function() -- CALL_CLOSE
      unbind()
      if definition.close then definition.close(self) end
    end,
    [5] = function() -- CALL_SNAPSHOT
      if call.windows.is_drawn then saved.save(call, tonumber(call.windows.shape.offset)) end
    end,
    [7] = function() fire() end, -- CALL_TIMERS
  }
end
