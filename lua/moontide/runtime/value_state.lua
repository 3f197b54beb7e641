--- Value state, bound to a step's call cell: a slot of the current key's entry.
---
--- The class is made anew for each state from its source, so that each has byte
--- code of its own and a trace through it holds the state's numbers as constants.
local C = require "moontide.engine"
local copiers = require "moontide.runtime.copiers"
local copy = require "moontide.runtime.copy"
local encoding = require "moontide.runtime.encode"
local generate = require "moontide.runtime.generate"
local lend = require("moontide.runtime.lent").lend
local methods = require "moontide.runtime.methods"
local shapes = require "moontide.runtime.shapes"
local values = require "moontide.runtime.values"
local no_key = require "moontide.runtime.no_key"

local source = [[
local call, slot_index, default, plain_writes, C, decode, encode, place, no_key, copy_default = ...
local view, cell, scratch = call.view, call.cell, call.scratch
local ValueState = {}

function ValueState:value()
  local entries = call.entries
  if entries == nil then no_key() end
  local slot = entries[call.index].slots[slot_index]
  local tag = slot.tag
  if tag == 4 then return slot.number end
  if tag == 0 then return (copy_default(default)) end
  return (decode(slot))
end

local function write(value)
  if call.entries == nil then no_key() end
  scratch.used = 0
  if value == nil then cell.tag = 0 else encode(scratch, cell, value, place) end
  -- Asked for anew: what is kept in a local across encode's loops would be made an object.
  C.value_state_set(call.state, call.entries[call.index], slot_index, cell, scratch.bytes)
end

function ValueState:update(value)
  if plain_writes and type(value) == "number" then
    local entries = call.entries
    if entries == nil then no_key() end
    local entry = entries[call.index]
    local slot = entry.slots[slot_index]
    if slot.tag == 4 then
      if entry.dirty_epoch ~= view.epoch then C.keyed_state_touch(call.state, entry) end
      slot.number = value + 0
      return
    end
  end
  if value == nil and getmetatable(self) ~= ValueState then error("call it with a colon: state:update(value)", 2) end
  write(value)
end

function ValueState:clear()
  write(nil)
end

return ValueState
]]

-- A value of another version of the script may have other fields, which the code then stores again.
local function watching_decoder(place)
  return values.slot_decoder(function(id)
    local known = place.fields
    if not known then return end
    for _, name in ipairs(id and shapes.names(id) or { "" }) do
      if not known[name] then return encoding.forget_fields(place) end
    end
  end)
end

---@class StateBinding
---@field plain_writes boolean no undo is asked for, so a number may be stored over a number
---@field fields table<string, true>? all that the tables have that the step's code stores, if that is known

---@param binding StateBinding
return function(call, slot_index, descriptor, binding)
  local place = encoding.state_place(binding.fields)
  local default = copy(descriptor.default)
  local class = generate(source, "=value_state", call, slot_index, default, binding.plain_writes, C,
    watching_decoder(place), encoding.encode, place, no_key, copiers.of(default))
  return lend(call, methods(class, "a value state"))
end
