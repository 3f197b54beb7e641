--- What `stream:join(other, { ... })` and `stream:co_group(other, { ... })` answer: two
--- streams whose records meet in the windows that they share (S58).
---
--- Both sides are inputs of one window step, so that a session is one of both sides together.
local describe = require "moontide.describe"
local nearest = require "moontide.nearest"
local on_error = require "moontide.on_error"
local options = require "moontide.options"
local process = require "moontide.process"
local steps = require "moontide.steps"
local stream = require "moontide.stream"
local where = require "moontide.where"
local window_contents = require "moontide.window_contents"
local window_step = require "moontide.window_step"
local windowed_stream = require "moontide.windowed_stream"

---@class WindowJoinKeys
---@field left string|fun(value: any): any the key of this stream's records: a field, or what a function answers
---@field right string|fun(value: any): any of the other one's

---@class WindowJoin
---@field package kind "join"|"co_group"
---@field package streams Stream[]
---@field package keys WindowJoinKeys
local WindowJoin = { __name = "join" }

---@class WindowedJoin a join whose windows are given; may be described further
---@field package join WindowJoin
---@field package windowed WindowedStream for its settings
local WindowedJoin = { __name = "windowed join" }

local M = {}

local function check_key(value)
  if type(value) == "function" or (type(value) == "string" and value ~= "") then return value end
  return nil, "a field or a function"
end

local key_specs = {
  { name = "left", type = "custom", check = check_key, required = true },
  { name = "right", type = "custom", check = check_key, required = true },
}

--- Join two streams.
---@param kind "join"|"co_group"
---@param left Stream
---@param right any
---@param keys any
---@return WindowJoin
function M.new(kind, left, right, keys)
  local what = ":" .. kind
  if not stream.is(right) then where.raise("%s: needs the other stream, got %s", what, describe(right)) end
  if right.job ~= left.job then where.raise("%s: the other is a stream of another job, '%s'", what, right.job.name) end
  return setmetatable({ kind = kind, streams = { left, right }, keys = options.check(what, keys, key_specs) }, WindowJoin)
end

local function keyed_sides(join)
  return { join.streams[1]:key_by(join.keys.left), join.streams[2]:key_by(join.keys.right) }
end

--- The windows in which records meet; each side's are those of its own times.
---
---     stream:join(other, { left = "id", right = "user" }):window(mt.tumbling { size = "1m" }):apply("named", function(click, user)
---       return { page = click.page, name = user.name }
---     end)
---@param window WindowAssigner `mt.tumbling { ... }` and its siblings
---@return WindowedJoin
function WindowJoin:window(window)
  return setmetatable({ join = self, windowed = windowed_stream.new(self.streams[1], window) }, WindowedJoin)
end

local function with(windowed_join, windowed)
  return setmetatable({ join = windowed_join.join, windowed = windowed }, WindowedJoin)
end

--- Fire by another trigger than the window's own. It sees elements as `{ left = value }` and `{ right = value }`.
---@param trigger Trigger
---@return WindowedJoin
function WindowedJoin:trigger(trigger) return with(self, self.windowed:trigger(trigger)) end

--- Drop elements before or after the function. It sees elements as `{ left = value }` and `{ right = value }`.
---@param evictor Evictor
---@return WindowedJoin
function WindowedJoin:evictor(evictor) return with(self, self.windowed:evictor(evictor)) end

--- Take late records until the watermark is so far behind the window's end.
---@param duration number|string
---@return WindowedJoin
function WindowedJoin:allowed_lateness(duration) return with(self, self.windowed:allowed_lateness(duration)) end

--- Send records that are too late for all their windows to a side output, as `{ left = value }` and `{ right = value }`.
---@param tag string
---@return WindowedJoin
function WindowedJoin:side_output_late(tag) return with(self, self.windowed:side_output_late(tag)) end

local step_specs = { on_error.spec }

--- Name the step and say what becomes of a window. Of a join the function gets each pair, and what it answers is emitted
--- (nothing for nil); of a co-group it gets all elements of both sides, `(key, lefts, rights, out)`.
---
---     stream:co_group(other, { left = "id", right = "id" }):window(mt.session { gap = "30m" }):apply("counts", function(key, lefts, rights, out)
---       out:collect { key = key, lefts = #lefts, rights = #rights }
---     end)
---@param name string
---@param fn (fun(left: any, right: any): any)|(fun(key: any, lefts: any[], rights: any[], out: Collector))
---@param given? { on_error: OnError? }
---@return Stream
function WindowedJoin:apply(name, fn, given)
  local what, kind, job = ":apply", self.join.kind, self.join.streams[1].job
  process.check_name(what, name)
  local checked = options.check(what, given, step_specs)
  local definition = { process = options.callable(what, fn, "fn") }
  local step = window_step.step(what, self.windowed.settings, name, window_contents.sides(kind == "join"), definition, { apply = fn })
  step.operator, step.on_error = kind, checked.on_error
  steps.check_free(job, what, name)
  return stream.new(job, stream.append_all(keyed_sides(self.join), what, step))
end

local function index_of(class, shown, names)
  return function(_, name)
    local method = rawget(class, name)
    if method ~= nil or type(name) ~= "string" then return method end
    where.raise("%s has no method '%s'%s", shown, name, nearest.hint(name, names))
  end
end

WindowJoin.__index = index_of(WindowJoin, "a join", { "window" })
WindowedJoin.__index = index_of(WindowedJoin, "a join", { "trigger", "evictor", "allowed_lateness", "side_output_late", "apply" })

return M
