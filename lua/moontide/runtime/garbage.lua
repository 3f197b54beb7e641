--- How often a worker's garbage is collected. What most jobs leave behind are texts that
--- lived for one record, while what stays is a megabyte or two. Lua's default lets
--- as much garbage gather as there is that stays: then the texts, and the table that all
--- texts are looked up in, no longer lie in the processor's caches, and each new text
--- waits for memory. A small heap is therefore collected sooner. A large one is not: each
--- collection goes through all that stays.
---
--- A pause that the author of a job has set is left alone.
local M = {}

local steps_between = 1024
local pause_default, pause_small = 200, 130
local small_kilobytes = 4096

local pause, steps = nil, 0

local function set(wanted)
  if wanted == pause then return end
  local before = collectgarbage("setpause", wanted)
  if before == (pause or pause_default) then
    pause = wanted
  else
    collectgarbage("setpause", before)
    pause = false
  end
end

--- To be called for each step of a worker.
function M.tend()
  if steps == 0 and pause ~= false then set(collectgarbage "count" < small_kilobytes and pause_small or pause_default) end
  steps = (steps + 1) % steps_between
end

return M
