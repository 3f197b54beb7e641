--- Options of one named table, checked against a list of what there is.
---
--- A list of specs is the whole knowledge about a table of options: name, type,
--- default and range. Every mistake is an error at the author's line that
--- names the option, what was given and what would be right.
local describe = require "moontide.describe"
local later = require "moontide.later"
local nearest = require "moontide.nearest"
local units = require "moontide.units"
local where = require "moontide.where"

local M = {}

---@class OptionSpec
---@field name string
---@field type string a name in the table of types below
---@field default? any taken where nothing was given, as it is
---@field required? boolean
---@field min? number of a number, duration or size
---@field max? number
---@field values? string[] of type "choice"
---@field specs? OptionSpec[] of type "options"
---@field off? any what `false` means where it is allowed; nil: it is not
---@field check? fun(value: any, what: string, path: string): any, string? of type "custom": the value to keep, or nil and what would be right

--- Is it a text that would end early in C?
---@param value any
---@return boolean
function M.has_zero_byte(value)
  return type(value) == "string" and value:find("\0", 1, true) ~= nil
end

--- Can it be the name of a field?
---@param value any
---@return boolean
function M.is_field(value)
  return type(value) == "string" and value ~= "" and not M.has_zero_byte(value)
end

local function in_range(number, spec)
  return number and number >= (spec.min or -math.huge) and number <= (spec.max or math.huge)
end

local function range_text(spec)
  if spec.min and spec.max then return (" from %d to %d"):format(spec.min, spec.max) end
  if spec.min == 1 then return " above 0" end
  if spec.min == 0 then return ", not below 0" end
  return ""
end

local function quoted(values)
  local list = {}
  for i, value in ipairs(values) do list[i] = '"' .. value .. '"' end
  return table.concat(list, ", ", 1, #list - 1) .. (#list > 1 and " or " or "") .. list[#list]
end

local function contains(values, value)
  for _, known in ipairs(values) do
    if known == value then return true end
  end
  return false
end

local function of_type(name)
  return function(value) if type(value) == name then return value end end
end

-- type -> { parse(value, spec) -> the value to keep, or nil and at times what would be right, text(spec) -> "must be <text>" }
local types = {
  string = {
    parse = function(value)
      if M.has_zero_byte(value) then return nil, "a text without zero bytes" end
      if type(value) == "string" and value ~= "" then return value end
    end,
    text = function() return "a text that is not empty" end,
  },
  number = {
    parse = function(value, spec)
      if type(value) == "number" and value == value and in_range(value, spec) then return value end
    end,
    text = function(spec) return "a number" .. range_text(spec) end,
  },
  integer = {
    parse = function(value, spec)
      if type(value) == "number" and value % 1 == 0 and math.abs(value) <= 2 ^ 53 and in_range(value, spec) then return value end
    end,
    text = function(spec) return "a whole number" .. range_text(spec) end,
  },
  positive = {
    parse = function(value) if type(value) == "number" and value > 0 and value < math.huge then return value end end,
    text = function() return "a number above 0" end,
  },
  boolean = { parse = of_type("boolean"), text = function() return "true or false" end },
  ["function"] = { parse = of_type("function"), text = function() return "a function" end },
  duration = {
    parse = function(value, spec)
      local ms = units.duration(value)
      if in_range(ms, spec) then return ms end
    end,
    text = function(spec) return 'a duration' .. range_text(spec) .. ' (milliseconds, or "250ms", "5s", "10m", "2h", "1d")' end,
  },
  size = {
    parse = function(value, spec)
      local size = units.size(value)
      if in_range(size, spec) then return size end
    end,
    text = function(spec) return 'a size' .. range_text(spec) .. ' (bytes, or "64KB", "256MB", "2GB")' end,
  },
  choice = {
    parse = function(value, spec) if contains(spec.values, value) then return value end end,
    text = function(spec) return quoted(spec.values) end,
  },
  value = {
    parse = function(value) if type(value) ~= "function" and type(value) ~= "thread" then return value end end,
    text = function() return "a value that a record may have" end,
  },
}

local function expected(spec, reason)
  local text = reason or types[spec.type].text(spec)
  return spec.off ~= nil and text .. ", or false" or text
end

local function choice_hint(spec, value)
  local near = spec.values and nearest.name(value, spec.values)
  return near and (' (did you mean "%s"?)'):format(near) or ""
end

local function refuse(what, path, spec, value, reason)
  where.raise("%s: option '%s' must be %s, got %s%s", what, path, expected(spec, reason), describe(value), choice_hint(spec, value))
end

local function parse(what, path, spec, value)
  if spec.type == "options" then return M.check(what, value, spec.specs, path) end
  if value == false and spec.off ~= nil then return spec.off end
  local kept, reason
  if spec.type == "custom" then kept, reason = spec.check(value, what, path) else kept, reason = types[spec.type].parse(value, spec) end
  if kept == nil then refuse(what, path, spec, value, reason) end
  return kept
end

local function names_of(specs)
  local names = {}
  for i, spec in ipairs(specs) do names[i] = spec.name end
  return names
end

local function refuse_unknown(what, given, specs, path)
  local names = names_of(specs)
  local unknown = {}
  for name in pairs(given) do
    if not contains(names, name) then unknown[#unknown + 1] = name end
  end
  if #unknown == 0 then return end
  -- One of several is named, always the same one (the order of pairs() varies).
  table.sort(unknown, function(a, b) return tostring(a) < tostring(b) end)
  local name = unknown[1]
  local prefix = path and path .. "." or ""
  if type(name) ~= "string" then
    where.raise("%s: options%s are given by name, got the value %s at place %s%s", what, path and " of '" .. path .. "'" or "",
      describe(given[name]), tostring(name), nearest.hint(nil, names))
  end
  local text = later.text(what, name)
  if text then where.raise("%s: option '%s%s': %s", what, prefix, name, text) end
  where.raise("%s: unknown option '%s%s'%s", what, prefix, name, nearest.hint(name, names))
end

--- Check a table of options and answer a new one with its defaults filled in and durations and sizes as numbers.
---@param what string who asks, as the message begins: "mt.job"
---@param given table? nil is an empty one
---@param specs OptionSpec[]
---@param path string? the name of the option that this table is, for nested ones
---@return table
function M.check(what, given, specs, path)
  if given == nil then given = {} end
  if type(given) ~= "table" or getmetatable(given) ~= nil then
    local name = path and "option '" .. path .. "'" or "options"
    where.raise("%s: %s must be one table of names and values, got %s", what, name, describe(given))
  end
  refuse_unknown(what, given, specs, path)
  local out = {}
  for _, spec in ipairs(specs) do
    local full = path and path .. "." .. spec.name or spec.name
    local value = given[spec.name]
    if value ~= nil then
      out[spec.name] = parse(what, full, spec, value)
    elseif spec.required then
      where.raise("%s: option '%s' is required", what, full)
    elseif spec.type == "options" then
      out[spec.name] = M.check(what, nil, spec.specs, full)
    else
      out[spec.name] = spec.default
    end
  end
  return out
end

--- A function, or an error at the author's line.
---@param what string ":map"
---@param value any
---@param name string what the function is for: "fn"
---@return function
function M.callable(what, value, name)
  if type(value) ~= "function" then where.raise("%s: %s must be a function, got %s", what, name, describe(value)) end
  return value
end

return M
