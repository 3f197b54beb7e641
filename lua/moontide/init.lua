--- Moontide's public names. What stands here is what a job's script sees.
local aggregates = require "moontide.aggregates"
local evictor = require "moontide.evictor"
local job = require "moontide.job"
local later = require "moontide.later"
local nearest = require "moontide.nearest"
local sinks = require "moontide.sinks"
local sources = require "moontide.sources"
local state = require "moontide.state"
local trigger = require "moontide.trigger"
local where = require "moontide.where"
local window = require "moontide.window"

---@class moontide
---@field file fun(options: table): Connector files: `path` as a source, `dir` as a sink
---@field sequence fun(options: { from: integer?, to: integer?, rate: number? }): Source integers, made in C
---@field stdin fun(options: { format: string }): Source
---@field stdout fun(options: { format: string? }?): Sink
---@field collect fun(options: { name: string? }?): Sink kept in memory, for tests and the prompt
---@field blackhole fun(options: table?): Sink takes everything, keeps nothing
local mt = {
  job = job.new,

  values = sources.values,
  generator = sources.generator,
  source = sources.source,
  sink = sinks.sink,

  value_state = state.value_state,
  list_state = state.list_state,
  map_state = state.map_state,
  reducing_state = state.reducing_state,
  aggregating_state = state.aggregating_state,
  operator_list_state = state.operator_list_state,
  union_list_state = state.union_list_state,

  tumbling = window.tumbling,
  sliding = window.sliding,
  session = window.session,
  global_window = window.global_window,
  count_window = window.count_window,
  trigger = trigger.public,
  evictor = evictor.public,
  aggregates = aggregates.aggregates,
  agg = aggregates.agg,

  --- Stands for null: nil ends lists and cannot be stored in tables.
  null = require "moontide.null",
  --- What `--set key=value` gave.
  ---@type table<string, string>
  args = {},
  log = require "moontide.log",
}

local function known_names(connectors)
  local names = connectors.names()
  for name in pairs(mt) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- Connectors written in C are looked up when they are asked for: describing a job of Lua sources needs no engine.
local function find_connector(_, name)
  if type(name) ~= "string" or name:sub(1, 1) == "_" then return nil end
  local connectors = require "moontide.connectors"
  local constructor = connectors.constructor(name)
  local text = later.text("mt", name)
  if text then where.raise("mt.%s: %s", name, text) end
  if not constructor then where.raise("moontide has no '%s'%s", name, nearest.hint(name, known_names(connectors))) end
  rawset(mt, name, constructor)
  return constructor
end

return setmetatable(mt, { __index = find_connector })
