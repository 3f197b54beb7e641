-- The monotonic clock.
local ffi = require "ffi"

ffi.cdef [[
struct spec_time { long seconds, nanoseconds; };
int clock_gettime(int clock, struct spec_time *time);
]]
local C = ffi.C
local MONOTONIC = 1

local M = {}

local time = ffi.new "struct spec_time"

--- Milliseconds since some moment.
---@return number
function M.now_ms()
  C.clock_gettime(MONOTONIC, time)
  return tonumber(time.seconds) * 1000 + tonumber(time.nanoseconds) / 1e6
end

return M
