--- Evictors: what drops elements of a window before or after its function (S30).
--- The built-in ones have the form of an author's own: lists in, the list to keep out.
local ffi = require "ffi"
local describe = require "moontide.describe"
local nearest = require "moontide.nearest"
local options = require "moontide.options"
local units = require "moontide.units"
local where = require "moontide.where"

local M = {}

---@class WindowElement
---@field value any
---@field timestamp? number

---@alias EvictFunction fun(elements: WindowElement[], window: Window, ctx: ClockContext): WindowElement[]

---@class Evictor
---@field before? EvictFunction what is kept for the function
---@field after? EvictFunction what is kept for the next time
---@field own? boolean it is the author's: what it answers may be anything
---@field last? integer it keeps so many of the last elements, without a function
---@field when? "before"|"after" the function
---@field blind? boolean it looks at no value
---@field shown string as a plan shows it
local Evictor = { __name = "evictor" }

local function new(what, when, shown, fields)
  if when == nil then when = "before" end
  if when ~= "before" and when ~= "after" then where.raise('%s: the last argument is "before" or "after" the function, got %s', what, describe(when)) end
  fields[when], fields.evict, fields.when = fields.evict, nil, when
  fields.shown = ("%s, %s)"):format(shown, when)
  return setmetatable(fields, Evictor)
end

--- Keep the last so many elements.
---
---     keyed:window(mt.global_window {}):trigger(mt.trigger.count(2)):evictor(mt.evictor.count(4)):count("last_four")
---@param count integer
---@param when? "before"|"after" the function; default "before"
---@return Evictor
function M.count(count, when)
  local what = "mt.evictor.count"
  if type(count) ~= "number" or count % 1 ~= 0 or count < 0 then where.raise("%s: needs a whole number, not below 0, got %s", what, describe(count)) end
  return new(what, when, ("count(%d"):format(count), { last = math.min(count, 0xffffffff), blind = true })
end

-- Elements without a time are no reason to drop others: the first one decides, as in Flink.
local function keep_recent(elements, duration)
  if #elements == 0 or elements[1].timestamp == nil then return elements end
  local C, times = require "moontide.engine", require "moontide.runtime.times"
  local stamps, kept = ffi.new("int64_t[?]", #elements), ffi.new("uint32_t[?]", #elements)
  for i, element in ipairs(elements) do
    stamps[i - 1] = element.timestamp == nil and times.none or times.to_engine(element.timestamp)
  end
  local list = {}
  for i = 0, C.window_keep_recent(stamps, #elements, duration, kept) - 1 do list[i + 1] = elements[kept[i] + 1] end
  return list
end

--- Keep the elements that are less than a duration older than the latest.
---
---     keyed:window(mt.global_window {}):trigger(mt.trigger.count(2)):evictor(mt.evictor.time("2s")):count("recent")
---@param duration number|string
---@param when? "before"|"after" the function; default "before"
---@return Evictor
function M.time(duration, when)
  local what = "mt.evictor.time"
  local ms = units.duration(duration)
  if not ms or ms < 0 then where.raise('%s: needs a duration such as "2s", got %s', what, describe(duration)) end
  return new(what, when, "time(" .. units.duration_text(ms), { blind = true, evict = function(elements) return keep_recent(elements, ms) end })
end

local function keep_near(elements, threshold, delta)
  local kept, last = {}, elements[#elements]
  for _, element in ipairs(elements) do
    if not (delta(element.value, last.value) >= threshold) then kept[#kept + 1] = element end
  end
  return kept
end

--- Keep the elements whose distance from the last one is below a threshold.
---
---     keyed:window(mt.global_window {}):trigger(mt.trigger.count(2))
---       :evictor(mt.evictor.delta(10, function(element, last) return last.price - element.price end)):count("near")
---@param threshold number
---@param delta fun(element: any, last: any): number
---@param when? "before"|"after" the function; default "before"
---@return Evictor
function M.delta(threshold, delta, when)
  local what = "mt.evictor.delta"
  if type(threshold) ~= "number" or threshold ~= threshold then where.raise("%s: needs a number first, got %s", what, describe(threshold)) end
  options.callable(what, delta, "the second argument")
  return new(what, when, ("delta(%g"):format(threshold), { evict = function(elements) return keep_near(elements, threshold, delta) end })
end

local own_specs = { { name = "before", type = "function" }, { name = "after", type = "function" } }

--- An evictor in one form, or an error at the author's line.
---@param what string
---@param value any
---@return Evictor
function M.check(what, value)
  if getmetatable(value) == Evictor then return value end
  if type(value) ~= "table" or getmetatable(value) ~= nil then
    where.raise("%s: needs an evictor such as mt.evictor.count(4), or a table { before = fn, after = fn }, got %s", what, describe(value))
  end
  local checked = options.check(what, value, own_specs)
  if not checked.before and not checked.after then where.raise("%s: an evictor needs 'before' or 'after'", what) end
  checked.shown, checked.own = "of one's own", true
  return setmetatable(checked, Evictor)
end

local constructors = { "count", "time", "delta" }

--- What `mt.evictor` is: the constructors alone.
M.public = setmetatable({}, { __index = function(_, name)
  where.raise("mt.evictor has no '%s'%s", tostring(name), nearest.hint(name, constructors))
end })
for _, name in ipairs(constructors) do M.public[name] = M[name] end

return M
