--- Triggers: what decides when a window fires. The built-in ones are tables of the
--- same form as an author's own (S23 to S29).
local ffi = require "ffi"
local describe = require "moontide.describe"
local nearest = require "moontide.nearest"
local options = require "moontide.options"
local state = require "moontide.state"
local state_table = require "moontide.state_table"
local units = require "moontide.units"
local where = require "moontide.where"

local M = {}

---@alias TriggerAnswer "continue"|"fire"|"purge"|"fire_and_purge"

---@class Trigger
---@field state? table<string, StateDescriptor|ValueState|ListState|MapState|ReducingState|AggregatingState> of a key's window
---@field on_element? fun(self: Process, value: any, timestamp: number?, window: Window, ctx: TriggerContext): TriggerAnswer
---@field on_event_time? fun(self: Process, time: number, window: Window, ctx: TriggerContext): TriggerAnswer
---@field on_processing_time? fun(self: Process, time: number, window: Window, ctx: TriggerContext): TriggerAnswer
---@field on_merge? fun(self: Process, window: Window, ctx: TriggerContext) its states hold what was merged
---@field clear? fun(self: Process, window: Window, ctx: TriggerContext)
---@field state_names? string[] sorted
---@field shown? string as a plan shows it
---@field default? boolean it is the window's own and has no state
local Trigger = { __name = "trigger" }

local huge = math.huge

local function last_of(window)
  return window.max_timestamp or huge
end

local function built_in(shown, callbacks)
  callbacks.state = callbacks.state or {}
  callbacks.state_names = {}
  for name in pairs(callbacks.state) do table.insert(callbacks.state_names, name) end
  table.sort(callbacks.state_names)
  callbacks.shown = shown
  return setmetatable(callbacks, Trigger)
end

--- Fire when the watermark reaches the window's end; a late element fires at once (S20, S23).
---
---     keyed:window(mt.tumbling { size = "1h" }):trigger(mt.trigger.event_time()):count("hourly")
---@return Trigger
function M.event_time()
  return built_in("event_time()", {
    on_element = function(_, _, _, window, ctx)
      local last = last_of(window)
      if last <= ctx:current_watermark() then return "fire" end
      ctx:register_event_time_timer(last)
      return "continue"
    end,
    on_event_time = function(_, time, window) return time == last_of(window) and "fire" or "continue" end,
    on_merge = function(_, window, ctx)
      local last = last_of(window)
      if last > ctx:current_watermark() then ctx:register_event_time_timer(last) end
    end,
    clear = function(_, window, ctx) ctx:delete_event_time_timer(last_of(window)) end,
  })
end

--- Fire when the wall clock has passed the window's end.
---
---     keyed:window(mt.tumbling { size = "1m", time = "processing" }):trigger(mt.trigger.processing_time()):count("each_minute")
---@return Trigger
function M.processing_time()
  return built_in("processing_time()", {
    on_element = function(_, _, _, window, ctx)
      ctx:register_processing_time_timer(last_of(window))
      return "continue"
    end,
    on_processing_time = function() return "fire" end,
    on_merge = function(_, window, ctx)
      local last = last_of(window)
      if last > ctx:current_processing_time() then ctx:register_processing_time_timer(last) end
    end,
    clear = function(_, window, ctx) ctx:delete_processing_time_timer(last_of(window)) end,
  })
end

local add = function(a, b) return a + b end
local min = function(a, b) return a < b and a or b end

-- S28: in int64, in the engine (L1). The table `window` knows its end alone, which is all that is needed.
local function next_fire(window, timestamp, interval)
  local C, times = require "moontide.engine", require "moontide.runtime.times"
  if timestamp == nil then error("a trigger of event time needs records with time stamps", 0) end
  local stop = window["end"]
  local shape = ffi.new("struct window", 0, stop and times.to_engine(stop) or 0x7fffffffffffffffLL)
  return times.from_engine(C.window_next_fire(shape, times.to_engine(timestamp), interval))
end

local function fire_next(self, at, ctx)
  self.fire_time:add(at)
  ctx:register_event_time_timer(at)
end

--- Fire each interval of event time that has elements, and at the window's end (S28).
---
---     keyed:window(mt.tumbling { size = "1d" }):trigger(mt.trigger.continuous_event_time("1h")):count("so_far_today")
---@param interval number|string
---@return Trigger
function M.continuous_event_time(interval)
  local ms = units.duration(interval)
  if not ms or ms < 1 then where.raise('mt.trigger.continuous_event_time: needs a duration above 0 such as "3s", got %s', describe(interval)) end
  return built_in(("continuous_event_time(%s)"):format(units.duration_text(ms)), {
    state = { fire_time = state.reducing_state { reduce = min } },
    on_element = function(self, _, timestamp, window, ctx)
      local last = last_of(window)
      if last <= ctx:current_watermark() then return "fire" end
      ctx:register_event_time_timer(last)
      if self.fire_time:get() == nil then fire_next(self, next_fire(window, timestamp, ms), ctx) end
      return "continue"
    end,
    on_event_time = function(self, time, window, ctx)
      local last = last_of(window)
      if time == last then return "fire" end
      if self.fire_time:get() ~= time then return "continue" end
      self.fire_time:clear()
      fire_next(self, min(time + ms, last), ctx)
      return "fire"
    end,
    on_merge = function(self, _, ctx)
      local at = self.fire_time:get()
      if at ~= nil then ctx:register_event_time_timer(at) end
    end,
    clear = function(self, _, ctx)
      local at = self.fire_time:get()
      if at == nil then return end
      ctx:delete_event_time_timer(at)
      self.fire_time:clear()
    end,
  })
end

--- Fire when so many elements have come since it fired last; the window keeps them (S27).
---
---     keyed:window(mt.global_window {}):trigger(mt.trigger.count(4)):count("each_four")
---@param count integer
---@return Trigger
function M.count(count)
  if type(count) ~= "number" or count % 1 ~= 0 or count < 1 then
    where.raise("mt.trigger.count: needs a whole number above 0, got %s", describe(count))
  end
  return built_in(("count(%d)"):format(count), {
    state = { count = state.reducing_state { reduce = add } },
    on_element = function(self)
      self.count:add(1)
      if self.count:get() < count then return "continue" end
      self.count:clear()
      return "fire"
    end,
    on_merge = function() end, -- the sum of the counts is all there is to it
    clear = function(self) self.count:clear() end,
  })
end

--- Fire when an element is further than a threshold from the one that fired last.
---
---     keyed:window(mt.global_window {})
---       :trigger(mt.trigger.delta(10, function(last_fired, new) return math.abs(new.price - last_fired.price) end)):count("moves")
---@param threshold number
---@param delta fun(last_fired: any, new: any): number
---@return Trigger
function M.delta(threshold, delta)
  local what = "mt.trigger.delta"
  if type(threshold) ~= "number" or threshold ~= threshold then where.raise("%s: needs a number first, got %s", what, describe(threshold)) end
  options.callable(what, delta, "the second argument")
  return built_in(("delta(%g)"):format(threshold), {
    state = { last_fired = state.value_state() },
    on_element = function(self, value)
      local last = self.last_fired:value()
      if last ~= nil and not (delta(last, value) > threshold) then return "continue" end
      self.last_fired:update(value)
      return last ~= nil and "fire" or "continue"
    end,
    clear = function(self) self.last_fired:clear() end,
  })
end

--- Fire when everything has ended: at the watermark MAX (S31).
---
---     keyed:window(mt.global_window {}):trigger(mt.trigger.end_of_stream()):count("all")
---@return Trigger
function M.end_of_stream()
  return built_in("end_of_stream()", {
    on_element = function(_, _, _, _, ctx)
      ctx:register_event_time_timer(huge)
      return "continue"
    end,
    on_event_time = function(_, time) return time == huge and "fire" or "continue" end,
    on_merge = function(_, _, ctx) ctx:register_event_time_timer(huge) end,
    clear = function(_, _, ctx) ctx:delete_event_time_timer(huge) end,
  })
end

local function purging_callback(callback)
  return callback and function(self, a, b, c, d)
    local answer = callback(self, a, b, c, d)
    return answer == "fire" and "fire_and_purge" or answer
  end
end

--- Fire when another trigger does, and then forget the elements (S26).
---
---     keyed:window(mt.global_window {}):trigger(mt.trigger.purging(mt.trigger.count(4))):count("four_by_four")
---@param trigger Trigger
---@return Trigger
function M.purging(trigger)
  local inner = M.check("mt.trigger.purging", trigger)
  return built_in(("purging(%s)"):format(inner.shown), {
    state = inner.state,
    on_element = purging_callback(inner.on_element),
    on_event_time = purging_callback(inner.on_event_time),
    on_processing_time = purging_callback(inner.on_processing_time),
    on_merge = inner.on_merge,
    clear = inner.clear,
  })
end

local own_specs, reserved = { state_table.spec "state" }, {}
for _, name in ipairs { "on_element", "on_event_time", "on_processing_time", "on_merge", "clear" } do
  own_specs[#own_specs + 1] = { name = name, type = "function" }
  reserved[name] = true
end

--- A trigger in one form, or an error at the author's line.
---@param what string
---@param value any
---@return Trigger
function M.check(what, value)
  if getmetatable(value) == Trigger then return value end
  if type(value) ~= "table" or getmetatable(value) ~= nil then
    where.raise("%s: needs a trigger such as mt.trigger.count(4), or a table { on_element = fn, ... }, got %s", what, describe(value))
  end
  local checked = options.check(what, value, own_specs)
  state_table.check(what, checked.state, reserved)
  checked.state = state_table.copy(checked.state)
  return built_in("of one's own", checked)
end

--- Why a trigger cannot be used where windows merge (S29c), or nil.
---@param trigger Trigger
---@return string?
function M.unmergeable(trigger)
  if not trigger.on_merge then return "it has no 'on_merge'" end
  for _, name in ipairs(trigger.state_names) do
    local descriptor = trigger.state[name]
    if descriptor.kind == "value" or descriptor.kind == "map" then
      return ("its state '%s' is a %s state, which cannot be merged"):format(name, descriptor.kind)
    end
    if descriptor.kind == "aggregating" and not descriptor.merge then return ("its state '%s' has no 'merge'"):format(name) end
  end
  return nil
end

local function own(trigger)
  trigger.default = true
  return trigger
end

--- The trigger that a window has where its author gives none; nil: it never fires.
---@param window WindowAssigner
---@return Trigger?
function M.of_window(window)
  if window.kind == "global" then return window.trigger end
  return own(window.time == "event" and M.event_time() or M.processing_time())
end

local constructors = { "event_time", "processing_time", "continuous_event_time", "count", "delta", "end_of_stream", "purging" }

--- What `mt.trigger` is: the constructors alone.
M.public = setmetatable({}, { __index = function(_, name)
  where.raise("mt.trigger has no '%s'%s", tostring(name), nearest.hint(name, constructors))
end })
for _, name in ipairs(constructors) do M.public[name] = M[name] end

return M
