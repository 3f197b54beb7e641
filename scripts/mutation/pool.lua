--- Work in several copies of the tree at once: a coroutine for each, that hands over
--- a process and goes on when that has ended.
local process = require "benchmark.process"

local M = {}

local pause_s = 0.01

--- The exit status of what took too long.
M.timed_out = 124

--- In a coroutine of run(): start a program, and answer its exit status when it has ended.
--- After `seconds` it is killed, with all that it started.
---@param words string[]
---@param log string where its output goes
---@param seconds number
---@return integer
function M.call(words, log, seconds)
  local called = process.start(words, { output = log, errors = log .. ".errors" })
  called.deadline = process.now() + seconds
  return coroutine.yield(called)
end

local function status_of(called)
  local status = called:ended()
  if status or process.now() < called.deadline then return status end
  called:kill()
  return M.timed_out
end

--- Run `work(slot)` for slots 1 to `count`, until all have returned.
---@param count integer
---@param work fun(slot: integer)
function M.run(count, work)
  local slots, left = {}, count
  local function resume(slot, status)
    local ok, answer = coroutine.resume(slot.thread, status)
    if not ok then error(debug.traceback(slot.thread, tostring(answer)), 0) end
    slot.process = answer
    if coroutine.status(slot.thread) == "dead" then slot.process, left = nil, left - 1 end
  end
  for i = 1, count do
    slots[i] = { thread = coroutine.create(function() work(i) end) }
    resume(slots[i])
  end
  while left > 0 do
    process.sleep(pause_s)
    for _, slot in ipairs(slots) do
      local status = slot.process and status_of(slot.process)
      if status then resume(slot, status) end
    end
  end
end

return M
