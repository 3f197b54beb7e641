--- How often a worker's garbage is collected. What most jobs leave behind are texts that
--- lived for one record, while what stays is a megabyte or two. Lua's default lets
--- as much garbage gather as there is that stays: then the texts, and the table that all
--- texts are looked up in, no longer lie in the processor's caches, and each new text
--- waits for memory. A small heap is therefore collected sooner. A large one is not: each
--- collection goes through all that stays.
---
--- A pause that the author of a job has set is left alone.
---
--- What C holds for an object of Lua's is not seen by the collector: objects that are left
--- before they are used up would fill the memory while Lua's heap is small. It is counted
--- here, and all garbage is collected when that may be more than Lua's own heap.
---
--- Iterations over maps that are left before their end cost time too, until their callback ends: each is kept as of its
--- start. Where many are open, those that nobody can reach are collected; the larger the heap, the more seldom.
local M = {}

local steps_between = 1024
local pause_default, pause_small = 200, 130
local small_kilobytes = 4096
local unseen_kilobytes_max = 32 * 1024
local open_least, open_per_kilobyte = 64, 1 / 128

local pause, steps = nil, 0
local unseen_kilobytes = 0 -- held by C, for what is used and for what is not any more

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

--- C holds so many bytes more for an object, until its finalizer is run or it is used up.
---@param bytes number
function M.took(bytes)
  unseen_kilobytes = unseen_kilobytes + bytes / 1024
  if unseen_kilobytes > unseen_kilobytes_max and unseen_kilobytes > collectgarbage "count" then
    collectgarbage()
    unseen_kilobytes = 0
  end
end

--- An object of so many bytes is used up, and C has freed them.
---@param bytes number as told to took()
function M.gave(bytes)
  unseen_kilobytes = math.max(0, unseen_kilobytes - bytes / 1024)
end

--- So many iterations may be open before left_open() is to be called.
M.open_max = open_least

--- Frees those iterations that are not used any more.
---@param count_open fun(): integer
function M.left_open(count_open)
  collectgarbage()
  M.open_max = math.max(open_least, 2 * count_open(), collectgarbage "count" * open_per_kilobyte)
end

return M
