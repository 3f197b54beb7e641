--- Constructors of the connectors that are written in C, made from their option
--- tables: an option is written once, in C, and known here by itself.
local ffi = require "ffi"
local descriptor = require "moontide.descriptor"
local describe = require "moontide.describe"
local nearest = require "moontide.nearest"
local on_error = require "moontide.on_error"
local options = require "moontide.options"
local where = require "moontide.where"

local M = {}

local kinds = { source = 0, sink = 1, format = 2 }

-- The numbers of enum option_type.
local TEXT, NUMBER, INTEGER, BOOL, DURATION, SIZE, TEXTS, PAIRS, SIZE_OR_FALSE = 0, 1, 2, 3, 4, 5, 6, 7, 8

local function text_or_nil(pointer)
  return pointer ~= nil and ffi.string(pointer) or nil
end

local function whole_number(value)
  if type(value) == "number" and value % 1 == 0 and math.abs(value) <= 2 ^ 53 then return value end
  if ffi.istype("int64_t", value) then return value end
  return nil, "a whole number"
end

local function texts(value)
  if type(value) == "string" then value = { value } end
  local reason = "a text or a list of texts"
  if type(value) ~= "table" or #value == 0 then return nil, reason end
  local list = {}
  for key, text in pairs(value) do
    if type(key) ~= "number" or type(text) ~= "string" then return nil, reason end
    if options.has_zero_byte(text) then return nil, "texts without zero bytes" end
    list[key] = text
  end
  return list
end

local function pairs_of_texts(value)
  local reason = "a table of names and texts"
  if type(value) ~= "table" then return nil, reason end
  local out = {}
  for key, text in pairs(value) do
    if type(key) ~= "string" or type(text) ~= "string" then return nil, reason end
    if options.has_zero_byte(key) or options.has_zero_byte(text) then return nil, "names and texts without zero bytes" end
    out[key] = text
  end
  return out
end

-- How an option of C is checked in Lua.
local checks = {
  [TEXT] = { type = "string" },
  [NUMBER] = { type = "positive" },
  [INTEGER] = { type = "custom", check = whole_number },
  [BOOL] = { type = "boolean" },
  [DURATION] = { type = "duration", min = 0 },
  [SIZE] = { type = "size", min = 0 },
  [TEXTS] = { type = "custom", check = texts },
  [PAIRS] = { type = "custom", check = pairs_of_texts },
  [SIZE_OR_FALSE] = { type = "size", min = 1, off = -1 },
}

local function read_specs(pointer)
  local specs = {}
  while pointer ~= nil and pointer.name ~= nil do
    local check = checks[pointer.type]
    specs[#specs + 1] = {
      name = ffi.string(pointer.name), type = check.type, check = check.check, min = check.min, off = check.off,
      required = pointer.required, c_type = pointer.type,
      fallback = text_or_nil(pointer.fallback), help = text_or_nil(pointer.help) or "",
    }
    pointer = pointer + 1
  end
  return specs
end

---@class ConnectorTable
---@field name string
---@field help string
---@field specs OptionSpec[]
---@field has_format boolean
---@field index integer its place among those of its kind
---@field replayable? boolean
---@field guarantee? "exactly_once"|"at_least_once"

local function read_kind(C, kind, number)
  local tables = {}
  for index = 0, C.connector_count(number) - 1 do
    local entry = {
      name = ffi.string(C.connector_name(number, index)),
      help = text_or_nil(C.connector_help(number, index)) or "",
      specs = read_specs(C.connector_options(number, index)),
      has_format = C.connector_has_format(number, index), index = index,
    }
    if kind == "source" then entry.replayable = C.connector_replayable(index) end
    if kind == "sink" then entry.guarantee = C.connector_exactly_once(index) and "exactly_once" or "at_least_once" end
    tables[entry.name] = entry
  end
  return tables
end

local known

--- All tables of the engine: { source = { [name] = ConnectorTable }, sink = ..., format = ... }.
---@return table<string, table<string, ConnectorTable>>
function M.tables()
  if not known then
    local C, tables = require "moontide.engine", {}
    for kind, number in pairs(kinds) do tables[kind] = read_kind(C, kind, number) end
    known = tables
  end
  return known
end

local function sorted_names(...)
  local seen, names = {}, {}
  for _, set in ipairs { ... } do
    for name in pairs(set) do
      if not seen[name] then names[#names + 1] = name end
      seen[name] = true
    end
  end
  table.sort(names)
  return names
end

--- The names of all constructors, sorted.
---@return string[]
function M.names()
  return sorted_names(M.tables().source, M.tables().sink)
end

local function append_new(specs, more)
  local seen = {}
  for _, spec in ipairs(specs) do seen[spec.name] = true end
  for _, spec in ipairs(more) do
    if not seen[spec.name] then specs[#specs + 1] = spec end
  end
end

--- Everything that a connector takes in one direction: its own options, `format`, and those of that format.
local function specs_of(entry, format)
  local specs = {}
  append_new(specs, entry.specs)
  append_new(specs, { { name = "on_error", type = "custom", check = on_error.check } })
  if not entry.has_format then return specs end
  append_new(specs, { { name = "format", type = "string" } })
  if format then append_new(specs, format.specs) end
  return specs
end

-- A sink writes what any reader understands; what a source reads is the author's to say.
local default_format = { sink = "json" }

local function format_of(what, direction, given)
  local formats = M.tables().format
  local names = sorted_names(formats)
  local name = given.format == nil and default_format[direction] or given.format
  if name == nil then where.raise("%s: option 'format' is required (known: %s)", what, table.concat(names, ", ")) end
  if not formats[name] then
    where.raise("%s: option 'format' is no format that there is, got %s%s", what, describe(name), nearest.hint(name, names))
  end
  return formats[name]
end

local function has_option(specs, name)
  for _, spec in ipairs(specs) do
    if spec.name == name then return true end
  end
  return false
end

-- An option of the other direction, or of another format, is a likelier mistake than a misspelt name.
local function refuse_foreign(connector, direction, format, specs)
  local other = direction == "source" and "sink" or "source"
  local other_entry = M.tables()[other][connector.connector]
  for _, name in ipairs(sorted_names(connector.given)) do
    local foreign = not has_option(specs, name)
    if foreign and other_entry and has_option(other_entry.specs, name) then
      where.raise("mt.%s: '%s' is an option of the %s, and this is used as a %s", connector.connector, tostring(name), other, direction)
    end
    for _, format_name in ipairs(foreign and format and sorted_names(M.tables().format) or {}) do
      if has_option(M.tables().format[format_name].specs, name) then
        where.raise('mt.%s: \'%s\' is an option of format "%s", and the format is "%s"', connector.connector, tostring(name),
          format_name, format.name)
      end
    end
  end
end

-- What is wrong with the values of options that have the right type, only the format knows.
local function check_format(what, direction, format, settings)
  local C = require "moontide.engine"
  local specs = C.connector_options(kinds.format, format.index)
  local values = ffi.gc(C.options_new(), C.options_free)
  local status = 0
  for _, setting in ipairs(settings) do
    if status == 0 then status = C.options_set(values, specs, setting.name, setting.key, setting.text) end
  end
  if status == 0 then status = C.options_complete(values, specs) end
  if status == 0 then status = C.connector_format_check(kinds[direction], format.index, values) end
  if status < 0 then where.raise("%s: %s", what, ffi.string(C.error_message())) end
end

local function resolve(connector, direction)
  local what = "mt." .. connector.connector
  local entry = M.tables()[direction][connector.connector]
  local format = entry.has_format and format_of(what, direction, connector.given) or nil
  local specs = specs_of(entry, format)
  refuse_foreign(connector, direction, format, specs)
  local checked = options.check(what, connector.given, specs)
  local policy = checked.on_error
  checked.on_error = nil
  if format then
    checked.format = format.name
    check_format(what, direction, format, select(2, M.settings { kind = direction, connector = connector.connector, connector_options = checked }))
  end
  return {
    connector = connector.connector, connector_options = checked, on_error = policy,
    has_format = entry.has_format, guarantee = entry.guarantee, replayable = entry.replayable,
  }
end

local function copy_options(what, given)
  if given == nil then return {} end
  if type(given) ~= "table" or getmetatable(given) ~= nil then
    where.raise("%s: options must be one table of names and values, got %s", what, describe(given))
  end
  local copy = {}
  for name, value in pairs(given) do copy[name] = value end
  return copy
end

local function class_of(name)
  local source, sink = M.tables().source[name], M.tables().sink[name]
  if source and sink then return "connector" end
  return source and "source" or sink and "sink" or nil
end

--- The constructor of the connector with this name, or nil if there is none.
---@param name string
---@return (fun(options: table?): Descriptor)?
function M.constructor(name)
  local class = class_of(name)
  if not class then return nil end
  return function(given)
    local made = descriptor.new(class, name, { given = copy_options("mt." .. name, given), resolve = resolve })
    -- With one direction only, everything can be said at once.
    if class ~= "connector" then resolve(made, class) end
    return made
  end
end

--- The unit of an option of a step's connector or format: "duration", "size" or nil.
---@param step Step a source or sink that is written in C
---@param name string
---@return "duration"|"size"|nil
function M.unit(step, name)
  local tables = M.tables()
  local format = tables.format[step.connector_options.format]
  for _, spec in ipairs(specs_of(tables[step.kind][step.connector], format)) do
    if spec.name == name then return (spec.type == "duration" or spec.type == "size") and spec.type or nil end
  end
end

local function text_of(value, c_type)
  if c_type == BOOL then return tostring(value) end
  if type(value) == "string" then return value end
  if type(value) == "cdata" then return (tostring(value):gsub("U?LL$", "")) end
  return (c_type == NUMBER and "%.17g" or "%.0f"):format(value)
end

local function append_settings(list, spec, value)
  if spec.c_type == TEXTS then
    for _, text in ipairs(value) do list[#list + 1] = { name = spec.name, text = text } end
  elseif spec.c_type == PAIRS then
    for _, key in ipairs(sorted_names(value)) do list[#list + 1] = { name = spec.name, key = key, text = value[key] } end
  else
    list[#list + 1] = { name = spec.name, text = text_of(value, spec.c_type) }
  end
end

--- The options of a source or sink step, and of its format, as options_set() takes them: in the order of the tables.
---@param step Step
---@return { name: string, key: string?, text: string }[] own
---@return { name: string, key: string?, text: string }[]? of_format
function M.settings(step)
  local own, of_format = {}, nil
  local entry = M.tables()[step.kind][step.connector]
  local format = entry.has_format and M.tables().format[step.connector_options.format] or nil
  for _, spec in ipairs(entry.specs) do
    local value = step.connector_options[spec.name]
    if value ~= nil then append_settings(own, spec, value) end
  end
  if format then of_format = {} end
  for _, spec in ipairs(format and format.specs or {}) do
    local value = step.connector_options[spec.name]
    if value ~= nil and not has_option(entry.specs, spec.name) then append_settings(of_format, spec, value) end
  end
  return own, of_format
end

return M
