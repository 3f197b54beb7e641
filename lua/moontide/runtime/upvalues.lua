--- Which locals from around a function never change once they are set: a function that is called by the name of one
--- stays what it is.
local ffi = require "ffi"

local M = {}

-- An upvalue says of itself whether its local is assigned again (GCupval.immutable of LuaJIT's lj_obj.h, which its own
-- compiler goes by). Where it says so is learnt from upvalues of either kind.
local head_bytes, samples = 16, 4

local function head(fn, index)
  return ffi.cast("const uint8_t *", debug.upvalueid(fn, index))
end

local function kept(value)
  return function() return value end
end

local function assigned(value)
  return function(other)
    value = other
    return value
  end
end

local function tells(offset)
  for i = 1, samples do
    if head(kept(i), 1)[offset] ~= 1 or head(assigned(i), 1)[offset] ~= 0 then return false end
  end
  return true
end

local function place()
  local found
  for offset = 0, head_bytes - 1 do
    if tells(offset) then
      if found then return nil end
      found = offset
    end
  end
  return found
end

local offset = jit and debug.upvalueid and place()

--- Whether an upvalue (from 1) is never assigned again. False also where that cannot be told.
---@param fn function
---@param index integer
---@return boolean
function M.is_constant(fn, index)
  return offset ~= nil and head(fn, index)[offset] == 1
end

return M
