--- Which fields of a record a function can see. A function that only reads
--- `value.name` with names known from its byte code needs no other field decoded:
--- making a Lua string costs more than all else that happens to most records.
---
--- Conservative: any other use of the parameter (passed on, stored, returned,
--- compared, indexed by a variable, captured by a closure) gives nil, "all".
local bit = require "bit"
local has_util, util = pcall(require, "jit.util")

local M = {}

local band, rshift = bit.band, bit.rshift

-- Operand modes of lj_bc.h that name registers.
local mode_dst, mode_base, mode_var, mode_rbase = 1, 2, 3, 4

local function opcode_of(fn)
  return band((util.funcbc(fn, 1)), 0xff)
end

-- Opcodes are learnt from functions that are known to begin with them: their numbers differ between LuaJITs.
local op_get_field = has_util and opcode_of(function(a) return a.x end)
local op_return_nothing = has_util and opcode_of(function() end)
local op_new_closure = has_util and opcode_of(function() return function() end end)

local function reads_range(mode, operand, register)
  return (mode == mode_base or mode == mode_rbase) and operand <= register
end

-- Adds the field that an instruction reads from the register; false if it uses the register in any other way.
local function look_at(fn, instruction, mode, register, fields)
  local op = band(instruction, 0xff)
  local a, b, c = band(rshift(instruction, 8), 0xff), rshift(instruction, 24), band(rshift(instruction, 16), 0xff)
  local mode_a, mode_b, mode_c = band(mode, 7), band(rshift(mode, 3), 15), band(rshift(mode, 7), 15)
  if op == op_new_closure then return false end
  if op == op_return_nothing then return true end
  if mode_b == 0 then c = rshift(instruction, 16) end -- one operand of 16 bits instead of two
  if (mode_a == mode_dst or mode_a == mode_var) and a == register then return false end
  if reads_range(mode_a, a, register) then return false end
  if op == op_get_field and b == register then
    fields[util.funck(fn, -c - 1)] = true
    return true
  end
  if mode_b ~= 0 and (mode_b == mode_var and b == register or reads_range(mode_b, b, register)) then return false end
  return not (mode_c == mode_var and c == register or reads_range(mode_c, c, register))
end

--- The fields that `fn` reads of its parameter `index` (from 1), added to `fields`; false if it may see all of it.
---@param fn function
---@param index integer
---@param fields table<string, true>
---@return boolean
function M.add(fn, index, fields)
  if not has_util then return false end
  local info = util.funcinfo(fn)
  if not info.params or info.params < index or info.isvararg or info.children then return false end
  for pc = 1, info.bytecodes - 1 do
    local instruction, mode = util.funcbc(fn, pc)
    if not instruction then break end
    if not look_at(fn, instruction, mode, index - 1, fields) then return false end
  end
  return true
end

local parameter = { flat_map = 1, key = 1, process = 2, sink = 2 }

--- The fields that an operator's functions see of an input record; nil: all.
---@param operator Operator
---@param fn function? of its terminal
---@return table<string, true>?
function M.of_operator(operator, fn)
  local fields = {}
  for _, stage in ipairs(operator.stages) do
    if not M.add(stage.fn, 1, fields) then return nil end
    if stage.kind == "map" then return fields end -- what follows sees what the map answers
  end
  local index = parameter[operator.terminal]
  if not index or not M.add(fn, index, fields) then return nil end
  return fields
end

return M
