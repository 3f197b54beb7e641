--- Windows: what `keyed:window(...)` takes. A constructor only describes; which
--- windows a time belongs to is computed in the engine (S19 to S22, S29).
local describe = require "moontide.describe"
local evictor = require "moontide.evictor"
local options = require "moontide.options"
local trigger = require "moontide.trigger"
local units = require "moontide.units"
local where = require "moontide.where"

local M = {}

---@class WindowAssigner
---@field kind "tumbling"|"sliding"|"session"|"global"
---@field time "event"|"processing" the clock that moves it
---@field size number of a session: its gap, 0 where `gap` answers it
---@field slide number
---@field offset number
---@field stagger "aligned"|"natural"|"random"
---@field gap? fun(value: any): number|string of a session whose records say their own
---@field merging boolean may two windows become one?
---@field trigger? Trigger that replaces the default one
---@field evictor? Evictor
local Assigner = { __name = "window" }

local time_spec = { name = "time", type = "choice", values = { "event", "processing" }, default = "event" }
local stagger_spec = { name = "stagger", type = "choice", values = { "aligned", "natural", "random" }, default = "aligned" }
local size_spec = { name = "size", type = "duration", min = 1, required = true }
local offset_spec = { name = "offset", type = "duration", default = 0 }

local function new(kind, fields)
  fields.kind = kind
  fields.size, fields.slide = fields.size or 0, fields.slide or fields.size or 0
  fields.offset, fields.stagger = fields.offset or 0, fields.stagger or "aligned"
  fields.merging = kind == "session"
  return setmetatable(fields, Assigner)
end

local function check_offset(what, offset, limit, of)
  if math.abs(offset) < limit then return end
  where.raise("%s: option 'offset' must be less than the %s of %s either way, got %s", what, of, units.duration_text(limit),
    units.duration_text(offset))
end

--- Windows of one size, one after the other.
---
---     keyed:window(mt.tumbling { size = "1h" }):count("hourly")
---@param given { size: number|string, offset: number|string|nil, time: "event"|"processing"|nil, stagger: "aligned"|"natural"|"random"|nil }
---@return WindowAssigner
function M.tumbling(given)
  local what = "mt.tumbling"
  local checked = options.check(what, given, { size_spec, offset_spec, time_spec, stagger_spec })
  check_offset(what, checked.offset, checked.size, "size")
  return new("tumbling", checked)
end

local slide_spec = { name = "slide", type = "duration", min = 1, required = true }

--- Windows of one size, of which one begins every `slide`: a record belongs to several, or with a slide above the size to none.
---
---     keyed:window(mt.sliding { size = "1h", slide = "5m" }):count("last_hour")
---@param given { size: number|string, slide: number|string, offset: number|string|nil, time: "event"|"processing"|nil, stagger: "aligned"|"natural"|"random"|nil }
---@return WindowAssigner
function M.sliding(given)
  local what = "mt.sliding"
  local checked = options.check(what, given, { size_spec, slide_spec, offset_spec, time_spec, stagger_spec })
  check_offset(what, checked.offset, checked.slide, "slide")
  return new("sliding", checked)
end

local function check_gap(value)
  if type(value) == "function" then return value end
  local gap = units.duration(value)
  if gap and gap >= 1 then return gap end
  return nil, 'a duration above 0 (milliseconds, or "30m") or a function(value) that answers one'
end

local gap_spec = { name = "gap", type = "custom", check = check_gap, required = true }

--- Windows that last as long as no two records are further apart than the gap. Sessions that touch become one.
---
---     keyed:window(mt.session { gap = "30m" }):count("visits")
---@param given { gap: number|string|(fun(value: any): number|string), time: "event"|"processing"|nil }
---@return WindowAssigner
function M.session(given)
  local checked = options.check("mt.session", given, { gap_spec, time_spec })
  if type(checked.gap) == "number" then checked.size, checked.gap = checked.gap, nil end
  return new("session", checked)
end

--- One window for each key that never ends: without a trigger it never fires.
---
---     keyed:window(mt.global_window {}):trigger(mt.trigger.count(100)):count("hundreds")
---@param given? { time: "event"|"processing"|nil }
---@return WindowAssigner
function M.global_window(given)
  return new("global", options.check("mt.global_window", given, { time_spec }))
end

local count_specs = {
  { name = "size", type = "integer", min = 1, required = true },
  { name = "slide", type = "integer", min = 1 },
  time_spec,
}

--- Windows of so many records of a key; with a slide the last so many of them, each `slide` records.
---
---     keyed:window(mt.count_window { size = 100 }):sum("hundreds", "amount")
---     keyed:window(mt.count_window { size = 100, slide = 10 }):sum("last_hundred", "amount")
---@param given { size: integer, slide: integer?, time: "event"|"processing"|nil }
---@return WindowAssigner
function M.count_window(given)
  local checked = options.check("mt.count_window", given, count_specs)
  local fields = { time = checked.time }
  if checked.slide then
    fields.trigger, fields.evictor = trigger.count(checked.slide), evictor.count(checked.size)
  else
    fields.trigger = trigger.purging(trigger.count(checked.size))
  end
  return new("global", fields)
end

--- A window, or an error at the author's line.
---@param what string
---@param value any
---@return WindowAssigner
function M.check(what, value)
  if getmetatable(value) == Assigner then return value end
  local hint = type(value) == "function" and ": call it with its options" or ""
  where.raise('%s: needs a window such as mt.tumbling { size = "1h" }, got %s%s', what, describe(value), hint)
end

local shapes = {
  tumbling = function(window) return "tumbling " .. units.duration_text(window.size) end,
  sliding = function(window) return ("sliding %s every %s"):format(units.duration_text(window.size), units.duration_text(window.slide)) end,
  session = function(window)
    return "session, gap " .. (window.gap and "by the function at " .. where.definition(window.gap) or units.duration_text(window.size))
  end,
  global = function() return "global" end,
}

--- A window as a plan shows it.
---@param window WindowAssigner
---@return string
function M.text(window)
  local parts = { shapes[window.kind](window) }
  if window.offset ~= 0 then parts[#parts + 1] = "offset " .. units.duration_text(window.offset) end
  if window.stagger ~= "aligned" then parts[#parts + 1] = window.stagger end
  if window.time == "processing" then parts[#parts + 1] = "processing time" end
  return table.concat(parts, ", ")
end

return M
