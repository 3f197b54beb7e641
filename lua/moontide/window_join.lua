--- What `stream:join(other, { ... })` and `stream:co_group(other, { ... })` answer: two
--- streams whose records meet in the windows that they share (S58).
---
--- Both sides become one keyed stream of `{ left = value }` and `{ right = value }` for a
--- window step, so that a session is one of both sides together.
local describe = require "moontide.describe"
local keyed_stream = require "moontide.keyed_stream"
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

local function key_function(side, key)
  if type(key) == "function" then return function(element) return key(element[side]) end end
  return function(element)
    local value = element[side]
    if type(value) ~= "table" then error(("the record is not a table: it has no field '%s' to key by"):format(key), 0) end
    if value[key] == nil then error(("the record has no field '%s' to key by"):format(key), 0) end
    return value[key]
  end
end

local taggers = {
  left = function(value) return { left = value } end,
  right = function(value) return { right = value } end,
}

local function keyed_side(join, number, side)
  local key = join.keys[side]
  local keyed = join.streams[number]:map(taggers[side]):key_by(key_function(side, key))
  keyed.step.key_given = key
  return keyed
end

-- The union of two keyed streams whose keys mean the same is keyed.
local function both_sides(join)
  local left, right = keyed_side(join, 1, "left"), keyed_side(join, 2, "right")
  return keyed_stream.new(left.job, left:union(right).step)
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

local function parted(elements)
  local lefts, rights = {}, {}
  for _, element in ipairs(elements) do
    if element.left ~= nil then lefts[#lefts + 1] = element.left else rights[#rights + 1] = element.right end
  end
  return lefts, rights
end

local functions = {}

function functions.join(fn)
  return function(_, _, elements, _, out)
    local lefts, rights = parted(elements)
    for _, left in ipairs(lefts) do
      for _, right in ipairs(rights) do
        local result = fn(left, right)
        if result ~= nil then out:collect(result) end
      end
    end
  end
end

function functions.co_group(fn)
  return function(key, _, elements, _, out)
    local lefts, rights = parted(elements)
    return fn(key, lefts, rights, out)
  end
end

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
  local definition = functions[kind](options.callable(what, fn, "fn"))
  local step = window_step.step(what, self.windowed.settings, name, window_contents.list(), definition, { apply = fn })
  step.operator, step.on_error = kind, checked.on_error
  steps.check_free(job, what, name)
  return stream.new(job, stream.append(both_sides(self.join), what, step))
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
