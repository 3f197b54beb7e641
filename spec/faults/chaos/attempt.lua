-- One start of `moontide run` in a process group of its own, and its end: by itself, by a
-- crash point, or by SIGKILL to the whole group after a time.
local clock = require "support.clock"
local ffi = require "ffi"
local process = require "support.process"

local C = ffi.C
local LIMIT_MS = 120000

local M = {}

function M.executable()
  return os.getenv("MOONTIDE_EXECUTABLE") or "build/moontide"
end

--- The process, to be waited for.
function M.start(words, environment)
  return process.start({ M.executable(), unpack(words) }, { program = "/usr/bin/setsid", environment = environment })
end

--- Words of the command line, environment variables; `kill_ms`: kill the group after this time.
--- Answers { status (a number or "signal N"), killed, err, out, checkpoint, ms }.
function M.run(words, environment, kill_ms)
  local began = clock.now_ms()
  local deadline = began + (kill_ms or LIMIT_MS)
  local started = M.start(words, environment)
  local left = deadline - began
  while left > 0 and started:_pump(math.max(1, math.floor(left))) do left = deadline - clock.now_ms() end
  local late = left <= 0
  if late and C.kill(-started.pid, process.KILL) ~= 0 then C.kill(started.pid, process.KILL) end -- it may not lead a group yet
  local group = started.pid
  local status = started:wait()
  C.kill(-group, process.KILL) -- a child that outlives its parent by a moment
  return {
    status = status, err = started.err, out = started.out, ms = clock.now_ms() - began,
    killed = status == "signal 9", late = late, timed_out = late and not kill_ms,
    checkpoint = tonumber(started.err:match("goes on from checkpoint (%d+)")),
  }
end

return M
