--- Tells the engine, before the loop over a batch begins, under which keys the loop
--- will look into maps, so that what the processor's caches lack is fetched for all
--- records together. The keys are those of map_keys.lua; without any there is nothing
--- to tell. Nothing depends on what is told: a record whose expression fails, since it
--- is not what the function expects, is left to the function.
local C = require "moontide.engine"
local map_keys = require "moontide.runtime.map_keys"
local values = require "moontide.runtime.values"

local M = {}

-- For fewer records there is nothing to overlap.
local records_min = 8
-- Of one batch: records whose expressions fail, at the price of a raised error.
local failures_max = 16

local source = [[
local call, C, decode, slot, functions = ...
FUNCTIONS
local at = 0

local function where() return at end

local function loop(from)
  for i = from, call.count - 1 do
    at = i
    local value = decode(call.values[i], call.bytes)
    local key = EXPRESSION
    local kind = type(key)
    if kind == "number" then
      C.map_hint_number(call.state, call.entries[i], slot, key)
    elseif kind == "string" then
      C.map_hint_string(call.state, call.entries[i], slot, key, #key)
    end
  end
end

return loop, where
]]

local function source_of(expression)
  local functions = {}
  for name in pairs(map_keys.functions) do
    if expression:find(name, 1, true) then functions[#functions + 1] = ("local %s = functions.%s\n"):format(name, name) end
  end
  local parts = { FUNCTIONS = table.concat(functions), EXPRESSION = expression }
  return (source:gsub("%u%u+", parts))
end

-- Answers nil where the expression is more than a chunk may hold.
local function make_teller(call, key, slot, fields)
  local chunk = loadstring(source_of(key.expression), "=map hints")
  if not chunk then return nil end
  local loop, where = chunk(call, C, values.decoder(fields), slot, map_keys.functions)
  return function()
    if not C.map_hints_pay(call.state, slot) then return end
    local from = 0
    for _ = 1, failures_max do
      if pcall(loop, from) then break end
      from = where() + 1
    end
    C.map_hints_end(call.state)
  end
end

---@param call ffi.cdata* struct call
---@param names string[] of the step's states, in the order of their slots
---@param descriptors table<string, StateDescriptor>
---@param fn function (self, record, ...)
---@return fun()? tell to be called when a batch is at hand; nil: there is nothing to tell
function M.make(call, names, descriptors, fn)
  local slots, tellers = {}, {}
  for i, name in ipairs(names) do slots[name] = descriptors[name].kind == "map" and i - 1 or nil end
  local keys, fields = map_keys.of(fn, slots)
  for _, key in ipairs(keys) do tellers[#tellers + 1] = make_teller(call, key, slots[key.map], fields) end
  if #tellers == 0 then return nil end
  return function()
    if call.index > 0 or call.count < records_min or call.entries == nil then return end
    for _, tell in ipairs(tellers) do tell() end
  end
end

return M
