--- Time stamps between Lua and the engine (L2): whole milliseconds within ±2^53,
--- math.huge and -math.huge for MAX and MIN, nil for none.
local ffi = require "ffi"
local describe = require "moontide.describe"

local M = {}

local none = -0x7fffffffffffffffLL - 1
local max, min = 0x7fffffffffffffffLL, -0x7fffffffffffffffLL
local huge, floor = math.huge, math.floor
local int64_t = ffi.typeof("int64_t")

--- Milliseconds as the engine has them; raises for what is no time.
---@param time number
---@return ffi.cdata* int64_t
function M.to_engine(time)
  if type(time) == "number" then
    if time == huge then return max end
    if time == -huge then return min end
    if time == floor(time) and time >= -9007199254740992 and time <= 9007199254740992 then return (int64_t(time)) end
  elseif type(time) == "cdata" and ffi.istype(int64_t, time) and time >= -9007199254740992LL and time <= 9007199254740992LL then
    return time
  end
  error("a time stamp is a whole number of milliseconds within 2^53, or math.huge; got " .. (type(time) == "string" and describe(time) or tostring(time)), 3)
end

--- Would to_engine() take it?
---@param time any
---@return boolean
function M.is(time)
  return (pcall(M.to_engine, time))
end

--- A time of the engine as Lua has it.
---@param time ffi.cdata* int64_t
---@return number?
function M.from_engine(time)
  if time == none then return nil end
  if time == max then return huge end
  if time == min then return -huge end
  return (tonumber(time))
end

M.none = none
return M
