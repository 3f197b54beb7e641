--- What `keyed:window(...)` answers: settings that describe a window further, until
--- one of the methods that name it makes a step of them.
local aggregates = require "moontide.aggregates"
local describe = require "moontide.describe"
local evictor = require "moontide.evictor"
local nearest = require "moontide.nearest"
local on_error = require "moontide.on_error"
local options = require "moontide.options"
local process = require "moontide.process"
local stream = require "moontide.stream"
local units = require "moontide.units"
local where = require "moontide.where"
local window = require "moontide.window"
local window_contents = require "moontide.window_contents"
local window_step = require "moontide.window_step"

---@class WindowedStream
---@field keyed KeyedStream
---@field settings WindowSettings
local WindowedStream = { __name = "windowed stream" }

local M = {}

--- Windows over a keyed stream.
---@param keyed KeyedStream
---@param value any what the author gave as the window
---@return WindowedStream
function M.new(keyed, value)
  return setmetatable({ keyed = keyed, settings = window_step.settings(window.check(":window", value)) }, WindowedStream)
end

-- A setting makes another windowed stream, so that one may be used twice.
local function with(windowed, name, value)
  local settings = {}
  for key, setting in pairs(windowed.settings) do settings[key] = setting end
  settings[name] = value
  return setmetatable({ keyed = windowed.keyed, settings = settings }, WindowedStream)
end

--- Fire by another trigger than the window's own, which is replaced (S27).
---
---     keyed:window(mt.tumbling { size = "1h" }):trigger(mt.trigger.count(100)):count("hundreds")
---@param trigger Trigger `mt.trigger.count(4)` and its siblings, or a table
---@return WindowedStream
function WindowedStream:trigger(trigger)
  return with(self, "trigger", window_step.check_trigger(":trigger", self.settings.window, trigger))
end

--- Drop elements before or after the window's function. All elements are kept then, also for `reduce` and `aggregate`.
---
---     keyed:window(mt.tumbling { size = "1h" }):evictor(mt.evictor.count(10)):count("at_most_ten")
---@param value Evictor `mt.evictor.count(4)` and its siblings, or a table
---@return WindowedStream
function WindowedStream:evictor(value)
  return with(self, "evictor", evictor.check(":evictor", value))
end

--- Take late records until the watermark is so far behind the window's end; each fires the window again (S23).
---
---     keyed:window(mt.tumbling { size = "1h" }):allowed_lateness("500ms"):count("hourly")
---@param duration number|string
---@return WindowedStream
function WindowedStream:allowed_lateness(duration)
  local ms = units.duration(duration)
  if not ms or ms < 0 then where.raise(':allowed_lateness: needs a duration such as "500ms", got %s', describe(duration)) end
  return with(self, "lateness", ms)
end

--- Send records that are too late for all their windows to a side output (S25), which is `stream:side_output(tag)` of the step.
---
---     keyed:window(mt.tumbling { size = "1h" }):side_output_late("late"):count("hourly")
---@param tag string
---@return WindowedStream
function WindowedStream:side_output_late(tag)
  if type(tag) ~= "string" or tag == "" then where.raise(":side_output_late: needs the tag of the output, got %s", describe(tag)) end
  return with(self, "late", tag)
end

local step_specs = { process.parallelism_spec, on_error.spec }

local function append(windowed, operator, step, given)
  local what = ":" .. operator
  local checked = options.check(what, given, step_specs)
  step.operator = operator
  step.parallelism, step.on_error = checked.parallelism or step.parallelism, checked.on_error or step.on_error
  local keyed = windowed.keyed
  return stream.new(keyed.job, stream.append(keyed, what, step))
end

--- Combine a window's elements, two at a time. What is emitted, or handed to the function, is the combined value.
---
---     keyed:window(mt.tumbling { size = "1h" }):reduce("dearest", function(a, b) return a.amount > b.amount and a or b end)
---@param name string
---@param fn fun(a: any, b: any): any
---@param window_fn? WindowDefinition|WindowFunction
---@param given? { parallelism: integer?, on_error: OnError? }
---@return Stream
function WindowedStream:reduce(name, fn, window_fn, given)
  local contents = window_contents.reduce(options.callable(":reduce", fn, "fn"))
  return append(self, "reduce", window_step.step(":reduce", self.settings, name, contents, window_fn, { reduce = fn }), given)
end

--- Collect a window's elements in an accumulator. What is emitted, or handed to the function, is its result.
---
---     keyed:window(mt.tumbling { size = "1h" }):aggregate("average", {
---       create = function() return { count = 0, sum = 0 } end,
---       add = function(acc, value) return { count = acc.count + 1, sum = acc.sum + value.amount } end,
---       result = function(acc) return acc.sum / acc.count end,
---       merge = function(a, b) return { count = a.count + b.count, sum = a.sum + b.sum } end,
---     })
---@param name string
---@param aggregate Aggregate|Aggregates with `merge` for sessions; or `mt.aggregates { ... }`
---@param window_fn? WindowDefinition|WindowFunction
---@param given? { parallelism: integer?, on_error: OnError? }
---@return Stream
function WindowedStream:aggregate(name, aggregate, window_fn, given)
  if aggregates.is(aggregate) then
    local several = aggregates.contents(aggregate, window_fn ~= nil)
    return append(self, "aggregate", window_step.step(":aggregate", self.settings, name, several, window_fn), given)
  end
  local contents = window_contents.aggregate(":aggregate", aggregate)
  local callbacks = { create = aggregate.create, add = aggregate.add, result = aggregate.result, merge = aggregate.merge }
  return append(self, "aggregate", window_step.step(":aggregate", self.settings, name, contents, window_fn, callbacks), given)
end

--- Call a function with all elements of a window, as it fires.
---
---     keyed:window(mt.session { gap = "30m" }):process("visits", function(key, window, elements, ctx, out)
---       out:collect { visitor = key, pages = #elements, from = window.start }
---     end)
---@param name string
---@param window_fn WindowDefinition|WindowFunction
---@return Stream
function WindowedStream:process(name, window_fn)
  return append(self, "process", window_step.step(":process", self.settings, name, window_contents.list(), window_fn))
end

local function append_field(windowed, operator, name, field, given)
  local what = ":" .. operator
  if not options.is_field(field) then
    where.raise('%s: needs a field after the name, as in %s("name", "amount"), got %s', what, what, describe(field))
  end
  return append(windowed, operator, window_step.step(what, windowed.settings, name, window_contents[operator](field)), given)
end

--- Count a window's elements: emits `{ key, window_start, window_end, count }`.
---
---     keyed:window(mt.tumbling { size = "1h" }):count("hourly")
---@param name string
---@param given? { parallelism: integer?, on_error: OnError? }
---@return Stream
function WindowedStream:count(name, given)
  return append(self, "count", window_step.step(":count", self.settings, name, window_contents.count()), given)
end

--- Add up a field: emits `{ key, window_start, window_end, sum }`.
---
---     keyed:window(mt.tumbling { size = "1h" }):sum("hourly", "amount")
---@param name string
---@param field string
---@param given? { parallelism: integer?, on_error: OnError? }
---@return Stream
function WindowedStream:sum(name, field, given)
  return append_field(self, "sum", name, field, given)
end

--- The smallest value of a field: emits `{ key, window_start, window_end, min }`.
---
---     keyed:window(mt.tumbling { size = "1h" }):min("cheapest", "amount")
---@param name string
---@param field string
---@param given? { parallelism: integer?, on_error: OnError? }
---@return Stream
function WindowedStream:min(name, field, given)
  return append_field(self, "min", name, field, given)
end

--- The largest value of a field: emits `{ key, window_start, window_end, max }`.
---
---     keyed:window(mt.tumbling { size = "1h" }):max("dearest", "amount")
---@param name string
---@param field string
---@param given? { parallelism: integer?, on_error: OnError? }
---@return Stream
function WindowedStream:max(name, field, given)
  return append_field(self, "max", name, field, given)
end

local methods = { "trigger", "evictor", "allowed_lateness", "side_output_late", "reduce", "aggregate", "process", "count", "sum", "min", "max" }

function WindowedStream.__index(_, name)
  local method = rawget(WindowedStream, name)
  if method ~= nil or type(name) ~= "string" then return method end
  where.raise("a windowed stream has no method '%s'%s", name, nearest.hint(name, methods))
end

return M
