--- Descriptors of sources and sinks: what `mt.file { ... }` and its siblings
--- answer, and what `job:from` and `:to` take. A descriptor opens nothing.
local describe = require "moontide.describe"
local where = require "moontide.where"

local M = {}

---@class Descriptor
---@field class "source"|"sink"|"connector" what it can be; a connector may be both
---@field connector string its name: "file", "values", "lua"
---@field shown string its constructor's name
---@field resolve? fun(self: Descriptor, direction: string): Endpoint where the direction decides which options it takes
---@field where Where? the author's call
---@field options? table
---@field definition? table of what is written in Lua
local Descriptor = { __name = "source or sink" }

---@class Source: Descriptor
---@class Sink: Descriptor
---@class Connector: Source, Sink

---@class Endpoint what a step needs to know of its connector
---@field connector string
---@field connector_options table
---@field definition? table
---@field on_error? OnError
---@field guarantee? "exactly_once"|"at_least_once" of a sink
---@field replayable? boolean of a source
---@field has_format? boolean

--- A descriptor that was made by a call of the author.
---@param class "source"|"sink"|"connector"
---@param connector string
---@param fields table
---@return Descriptor
function M.new(class, connector, fields)
  fields.class = class
  fields.connector = connector
  fields.shown = fields.shown or connector
  fields.where = where.caller()
  return setmetatable(fields, Descriptor)
end

--- Is `value` a source or sink?
---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Descriptor
end

local examples = { source = 'mt.file { path = "in.jsonl", format = "json" }', sink = 'mt.stdout { format = "json" }' }

local function refuse(what, value, direction)
  local hint = type(value) == "function" and ": call it with its options" or ""
  where.raise("%s: needs a %s such as %s, got %s%s", what, direction, examples[direction], describe(value), hint)
end

--- Decide for a direction; a wrong one, or options that belong to the other one, are errors of the author.
---@param what string who asks: "job:from"
---@param value any
---@param direction "source"|"sink"
---@return Endpoint
function M.resolve(what, value, direction)
  if not M.is(value) then refuse(what, value, direction) end
  if value.class ~= "connector" and value.class ~= direction then
    where.raise("%s: mt.%s is a %s, not a %s", what, value.shown, value.class, direction)
  end
  -- The mistake is in the constructor's table, which may lie on another line than the place that uses it.
  if value.resolve then return where.on_behalf(value.where, value.resolve, value, direction) end
  return {
    connector = value.connector,
    connector_options = value.options or {},
    definition = value.definition,
    guarantee = value.guarantee,
    replayable = value.replayable,
  }
end

return M
