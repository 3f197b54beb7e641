--- What `keyed:interval_join(other, { ... })` answers: two keyed streams whose records
--- meet where their times are near enough (S57).
local describe = require "moontide.describe"
local nearest = require "moontide.nearest"
local on_error = require "moontide.on_error"
local options = require "moontide.options"
local process = require "moontide.process"
local state = require "moontide.state"
local stream = require "moontide.stream"
local where = require "moontide.where"

---@class IntervalJoinOptions
---@field lower number|string of the right record's time less the left one's; may be negative
---@field upper number|string
---@field lower_exclusive? boolean
---@field upper_exclusive? boolean
---@field late_left? string the tag of late records of this stream; without one they are dropped
---@field late_right? string the tag of late records of the other one

---@class IntervalJoin
---@field left KeyedStream
---@field right KeyedStream
---@field settings { lower: number, upper: number, late_left: string?, late_right: string? }
local IntervalJoin = { __name = "interval join" }

local M = {}

local what = ":interval_join"

local specs = {
  { name = "lower", type = "duration", required = true },
  { name = "upper", type = "duration", required = true },
  { name = "lower_exclusive", type = "boolean", default = false },
  { name = "upper_exclusive", type = "boolean", default = false },
  { name = "late_left", type = "string" },
  { name = "late_right", type = "string" },
}

local function check_streams(left, right)
  if not stream.is(right) then where.raise("%s: needs the other keyed stream, got %s", what, describe(right)) end
  if right.job ~= left.job then where.raise("%s: the other is a stream of another job, '%s'", what, right.job.name) end
  if not right.keyed then where.raise("%s: the other stream has no key: call :key_by on it first", what) end
end

-- An exclusive bound is an inclusive one a millisecond further in.
local function settings_of(given)
  local checked = options.check(what, given, specs)
  local lower = checked.lower + (checked.lower_exclusive and 1 or 0)
  local upper = checked.upper - (checked.upper_exclusive and 1 or 0)
  if lower % 1 ~= 0 or upper % 1 ~= 0 then where.raise("%s: options 'lower' and 'upper' must be whole milliseconds", what) end
  if lower > upper then where.raise("%s: there is no time from %d ms to %d ms: 'lower' must not be above 'upper'", what, lower, upper) end
  return { lower = lower, upper = upper, late_left = checked.late_left, late_right = checked.late_right }
end

--- Join two keyed streams.
---@param left KeyedStream
---@param right any
---@param given any
---@return IntervalJoin
function M.new(left, right, given)
  check_streams(left, right)
  return setmetatable({ left = left, right = right, settings = settings_of(given) }, IntervalJoin)
end

-- The rows of each side: the newest beside their key, what is older in chunks.
local function buffers()
  local newest = { kind = "timed_rows", version = 1 }
  return { left = state.list_state(), left_newest = newest, right = state.list_state(), right_newest = newest }
end

local step_specs = { on_error.spec }

--- Call a function for each pair of records that meet. What it collects has the later one's time.
---
---     keyed:interval_join(other, { lower = "-5s", upper = "5s" }):process("pairs", function(left, right, ctx, out)
---       out:collect { left = left, right = right }
---     end)
---@param name string
---@param fn fun(left: any, right: any, ctx: IntervalJoinContext, out: Collector)
---@param given? { on_error: OnError? }
---@return Stream
function IntervalJoin:process(name, fn, given)
  local method = ":process"
  process.check_name(method, name)
  local checked = options.check(('%s("%s")'):format(method, name), given, step_specs)
  local step = {
    kind = "interval_join", name = name, interval = self.settings, fn = options.callable(method, fn, "fn"), on_error = checked.on_error,
    definition = { state = buffers() }, state_names = { "left", "left_newest", "right", "right_newest" }, timers = true,
  }
  return stream.new(self.left.job, stream.append_all({ self.left, self.right }, method, step))
end

function IntervalJoin.__index(_, name)
  local method = rawget(IntervalJoin, name)
  if method ~= nil or type(name) ~= "string" then return method end
  where.raise("an interval join has no method '%s'%s", name, nearest.hint(name, { "process" }))
end

return M
