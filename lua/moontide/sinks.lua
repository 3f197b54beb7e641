--- Sinks that are written in Lua by the author of a job.
local descriptor = require "moontide.descriptor"
local options = require "moontide.options"
local where = require "moontide.where"

local M = {}

local sink_specs = {
  { name = "open", type = "function" },
  { name = "write", type = "function", required = true },
  { name = "prepare", type = "function" },
  { name = "commit", type = "function" },
  { name = "abort", type = "function" },
  { name = "close", type = "function" },
}

---@class SinkDefinition
---@field open? fun(self: table)
---@field write fun(self: table, value: any)
---@field prepare? fun(self: table): any what was written since the last one, durable but not visible; the checkpoint keeps it
---@field commit? fun(self: table, prepared: any) makes it visible; may be repeated
---@field abort? fun(self: table, prepared: any) drops what the checkpoint did not come to keep: the job failed or was cancelled before. One that is killed calls nothing
---@field close? fun(self: table) also after a failure and when the job is cancelled

local function check_phases(checked)
  if (checked.prepare == nil) ~= (checked.commit == nil) then
    where.raise("mt.sink: 'prepare' and 'commit' come together, got only '%s'", checked.prepare and "prepare" or "commit")
  end
  if checked.abort and not checked.prepare then where.raise("mt.sink: 'abort' needs 'prepare' and 'commit'") end
end

--- A sink written in Lua: at least once, and with `prepare` and `commit` exactly once (S42).
---
---     stream:to(mt.sink { write = function(self, value) print(value) end })
---@param definition SinkDefinition
---@return Sink
function M.sink(definition)
  local checked = options.check("mt.sink", definition, sink_specs)
  check_phases(checked)
  local guarantee = checked.prepare and "exactly_once" or "at_least_once"
  return descriptor.new("sink", "lua", { shown = "sink", definition = checked, guarantee = guarantee })
end

return M
