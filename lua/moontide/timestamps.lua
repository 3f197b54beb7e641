--- `stream:assign_timestamps`: where records have their time, and how far behind
--- it the watermark follows.
local ffi = require "ffi"
local on_error = require "moontide.on_error"
local options = require "moontide.options"
local where = require "moontide.where"

local M = {}

---@class TimestampOptions
---@field field? string where a record has its time
---@field unit? "ms"|"s"|"us"|"ns"|"iso8601" of the field; default "ms"
---@field format? string of the field, as strptime has it: "%Y/%m/%d %H:%M"
---@field fn? fun(value: any): number, number? instead of a field: milliseconds, and perhaps a watermark
---@field max_out_of_orderness? number|string how much earlier than the latest one a record may be
---@field idle_timeout? number|string a split without records for longer holds time back no more
---@field emit? integer a watermark after this many records of a split
---@field max_drift? number|string a source that is further ahead of the slowest one waits
---@field name? string
---@field on_error? OnError

local units = { ms = 1, s = 2, us = 3, ns = 4, iso8601 = 5 }
local unit_format = 6

local specs = {
  { name = "field", type = "string" },
  { name = "unit", type = "choice", values = { "ms", "s", "us", "ns", "iso8601" } },
  { name = "format", type = "string" },
  { name = "fn", type = "function" },
  { name = "max_out_of_orderness", type = "duration", min = 0 },
  { name = "idle_timeout", type = "duration", min = 1 },
  { name = "emit", type = "integer", min = 1 },
  { name = "max_drift", type = "duration", min = 0 },
  { name = "name", type = "string" },
  on_error.spec,
}

local function check_origin(what, given)
  if given.fn then
    for _, name in ipairs { "field", "unit", "format" } do
      if given[name] then where.raise("%s: 'fn' answers the time itself: '%s' has no meaning beside it", what, name) end
    end
  elseif not given.field then
    where.raise("%s: needs 'field', the name of the field with the time, or 'fn'", what)
  end
  if given.unit and given.format then where.raise("%s: a field has a 'unit' or a 'format', not both", what) end
end

-- What a format may say, only its reader knows.
local function check_format(what, text)
  local C = require "moontide.engine"
  local made = ffi.new "struct time_format *[1]"
  if C.time_format_new(ffi.new("struct slice", text, #text), made) < 0 then
    where.raise("%s: option 'format': %s, got %q", what, ffi.string(C.error_message()), text)
  end
  C.time_format_free(made[0])
end

local straight = { source = true, map = true, filter = true, flat_map = true, union = true, assign_timestamps = true, process = true }

-- Only a source can wait: behind an exchange, whom should a step hold back?
local function check_straight(what, stream)
  local all = stream.job.steps
  local function look(step)
    if stream.keyed or not straight[step.kind] or step.keyed then
      where.raise("%s: 'max_drift' makes sources wait: it goes before key_by and all that deals out records, and this stream comes from step '%s'",
        what, step.name)
    end
    for _, input in ipairs(step.inputs) do look(all[input.step]) end
  end
  look(stream.step)
end

--- The fields of a step from the options of `assign_timestamps`.
---@param what string
---@param stream Stream that it is called on
---@param given TimestampOptions
---@return table
function M.step(what, stream, given)
  local checked = options.check(what, given, specs)
  check_origin(what, checked)
  if checked.format then check_format(what, checked.format) end
  if checked.max_drift then check_straight(what, stream) end
  return {
    kind = "assign_timestamps", name = checked.name, on_error = checked.on_error, fn = checked.fn, field = checked.field,
    unit = checked.format and unit_format or units[checked.unit or "ms"], format = checked.format or "",
    max_out_of_orderness = checked.max_out_of_orderness or 0, idle_timeout = checked.idle_timeout or 0, emit = checked.emit,
    max_drift = checked.max_drift,
    -- A function that answers watermarks alone decides about them, unless a bound is asked for too.
    punctuated_alone = checked.fn ~= nil and checked.max_out_of_orderness == nil,
  }
end

return M
