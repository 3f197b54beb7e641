--- Keyed streams: what `key_by` answers. The rolling operators emit for every
--- record (S60); all of them are process steps with one value state.
local aggregates = require "moontide.aggregates"
local describe = require "moontide.describe"
local on_error = require "moontide.on_error"
local options = require "moontide.options"
local process = require "moontide.process"
local rolling = require "moontide.rolling"
local stream = require "moontide.stream"
local where = require "moontide.where"

---@class KeyedStream: Stream
local KeyedStream = { __name = "stream", base = stream.Stream }
setmetatable(KeyedStream, { __index = stream.Stream })

local M = {}

--- The stream that a key_by step emits.
---@param job Job
---@param step Step
---@return KeyedStream
function M.new(job, step)
  return setmetatable({ job = job, step = step, keyed = true }, KeyedStream)
end

local rolling_specs = { process.parallelism_spec, on_error.spec }

local function append(keyed, operator, name, definition, given)
  local what = ":" .. operator
  local checked = options.check(what, given, rolling_specs)
  definition.parallelism, definition.on_error = checked.parallelism, checked.on_error
  local step = process.step(what, keyed, name, definition)
  step.operator = operator
  return stream.new(keyed.job, stream.append(keyed, what, step))
end

--- Combine the records of each key, two at a time, and emit the combined value for every record.
---
---     keyed:reduce("total", function(a, b) return { id = a.id, amount = a.amount + b.amount } end)
---@param name string
---@param fn fun(a: any, b: any): any
---@param given? { parallelism: integer?, on_error: OnError? }
---@return Stream
function KeyedStream:reduce(name, fn, given)
  return append(self, "reduce", name, rolling.reduce(options.callable(":reduce", fn, "fn")), given)
end

--- Collect the records of each key in an accumulator and emit its result for every record.
---
---     keyed:aggregate("average", {
---       create = function() return { count = 0, sum = 0 } end,
---       add = function(acc, value) return { count = acc.count + 1, sum = acc.sum + value.amount } end,
---       result = function(acc) return acc.sum / acc.count end,
---     })
---@param name string
---@param aggregate Aggregate|Aggregates its own, or `mt.aggregates { ... }`
---@param given? { parallelism: integer?, on_error: OnError? }
---@return Stream
function KeyedStream:aggregate(name, aggregate, given)
  return append(self, "aggregate", name, aggregates.is(aggregate) and aggregates.rolling(aggregate) or rolling.aggregate(aggregate), given)
end

--- Count the records of each key and emit `{ key, count }` for every record.
---
---     keyed:count("clicks")
---@param name string
---@param given? { parallelism: integer?, on_error: OnError? }
---@return Stream
function KeyedStream:count(name, given)
  return append(self, "count", name, rolling.count(), given)
end

local function check_field(what, field)
  if options.is_field(field) then return field end
  where.raise('%s: needs a field after the name, as in %s("name", "amount"), got %s', what, what, describe(field))
end

--- Add up a field of the records of each key and emit `{ key, sum }` for every record.
---
---     keyed:sum("revenue", "amount")
---@param name string
---@param field string
---@param given? { parallelism: integer?, on_error: OnError? }
---@return Stream
function KeyedStream:sum(name, field, given)
  return append(self, "sum", name, rolling.sum(check_field(":sum", field)), given)
end

--- The smallest value of a field for each key so far: emits `{ key, min }` for every record.
---
---     keyed:min("cheapest", "amount")
---@param name string
---@param field string
---@param given? { parallelism: integer?, on_error: OnError? }
---@return Stream
function KeyedStream:min(name, field, given)
  return append(self, "min", name, rolling.min(check_field(":min", field)), given)
end

--- The largest value of a field for each key so far: emits `{ key, max }` for every record.
---
---     keyed:max("dearest", "amount")
---@param name string
---@param field string
---@param given? { parallelism: integer?, on_error: OnError? }
---@return Stream
function KeyedStream:max(name, field, given)
  return append(self, "max", name, rolling.max(check_field(":max", field)), given)
end

--- Group the records of each key by time, or by number.
---
---     keyed:window(mt.tumbling { size = "1h" }):allowed_lateness("5m"):count("hourly")
---@param window WindowAssigner `mt.tumbling { ... }` and its siblings
---@return WindowedStream
function KeyedStream:window(window)
  return require("moontide.windowed_stream").new(self, window)
end

--- Join each record with those of another stream that have the same key and a time from its own + `lower` to its own +
--- `upper`: `keyed:interval_join(other, { ... }):process(...)`.
---
---     keyed:interval_join(stream:key_by("id"), { lower = "-5s", upper = "5s" }):process("pairs", function(left, right, ctx, out)
---       out:collect { left = left, right = right }
---     end)
---@param other KeyedStream
---@param given IntervalJoinOptions
---@return IntervalJoin
function KeyedStream:interval_join(other, given)
  return require("moontide.interval_join").new(self, other, given)
end

local methods = { "window", "interval_join", "reduce", "aggregate", "count", "sum", "min", "max" }
for _, name in ipairs(stream.methods) do methods[#methods + 1] = name end
KeyedStream.__index = stream.index(KeyedStream, methods)

return M
