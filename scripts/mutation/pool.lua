--- Work in several copies of the tree at once: a coroutine for each, that hands over
--- a process and goes on when that has ended.
local process = require "benchmark.process"

local M = {}

local pause_s = 0.01

--- In a coroutine of run(): start a program, and answer its exit status when it has ended.
---@param words string[]
---@param log string where its output goes
---@return integer
function M.call(words, log)
  return coroutine.yield(process.start(words, { output = log, errors = log .. ".errors" }))
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
      local status = slot.process and slot.process:ended()
      if status then resume(slot, status) end
    end
  end
end

return M
