--- Finds finished traces with constants that are no objects, and no numbers (kept_tables.lua says how they come into being):
--- the bits of a value of one type, taken for one of another.
---
--- Such a text must never be met by the collector, nor be looked into: all that is asked for is its address. It stands on the
--- stack when it has been asked for, and is overwritten there.
local bit = require "bit"
local ffi = require "ffi"
local trace_code = require "moontide.runtime.trace_code"
local _, util = pcall(require, "jit.util")

require("jit").off(true, true) -- as trace_guard.lua is

local operation = trace_code.operation

-- Types of constants, as instructions have them. Those of 64 bits take two places.
local text, number = 4, 14
local is_wide = {}
for _, of_type in ipairs { 0, 3, text, 6, 7, 8, 9, 10, 11, 12, number, 21, 22 } do is_wide[of_type] = true end

local last_place = -4 -- behind it lie nil, false and true

-- An address is the lower 47 bits of a value.
local address_mask = 0x7fffffffffffULL
local bits = ffi.new "union { double number; uint64_t bits; }"

local function address_in(value)
  if type(value) ~= "number" then return tonumber(address_mask) end
  bits.number = value
  return tonumber(bit.band(bits.bits, address_mask))
end

-- What addresses a text would have that is another value of a table that the trace makes.
local function wrong_addresses(trace, last)
  local found = { [address_in(nil)] = true }
  for place = 1, last do
    local kind, made_of = trace_code.at(trace, place)
    if kind == operation.TDUP then
      for _, value in next, (util.tracek(trace, made_of)) do
        if type(value) == "number" then found[address_in(value)] = true end
      end
    end
  end
  return found
end

local function is_wrong(value, of_type, addresses)
  if of_type == number then return type(value) ~= "number" end
  return of_type == text and type(value) == "string" and addresses[tonumber(("%p"):format(value)) or 0] == true
end

local function search(trace, info, addresses)
  local place = -info.nk
  while place <= last_place do
    local value, of_type, slot = util.tracek(trace, place)
    if is_wrong(value, of_type, addresses) then return true end
    local is_null = type(value) == "number" and value == 0 and of_type ~= number -- which an int64_t of 0 is not
    place = place + (is_wide[of_type] and not slot and not is_null and 2 or 1)
  end
  return false
end

local nothing, stack_slots = {}, 200

--- Has a finished trace constants that are none? The collector must not run until it is thrown away.
---@param trace integer
---@return boolean
return function(trace)
  local info = util.traceinfo(trace)
  local is_found = search(trace, info, wrong_addresses(trace, info.nins))
  unpack(nothing, 1, stack_slots) -- writes over what search() left on the stack
  return is_found
end
