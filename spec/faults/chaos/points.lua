-- The names of engine/base/crash_points.h, and a round that dies at one of them.
local attempt = require "faults.chaos.attempt"

local M = {}

local PASSAGES = 3
local ATTEMPTS_MAX = 40

function M.names()
  local names = {}
  for line in io.lines("engine/base/crash_points.h") do
    names[#names + 1] = line:match('^CRASH_POINT%("([^"]+)"%)')
  end
  return names
end

-- Tags are set by a command of their own, on the data of a job that was killed.
local function tag(round, point)
  round:attempt("commit.after_sync:3")
  local environment = { MOONTIDE_CRASH_POINT = point }
  local listed = attempt.run { "checkpoints", round.data, "--format", "json" }
  local id = listed.out:match('"id":(%d+)')
  if not id then return false end
  for _, name in ipairs { "first", "second" } do
    local ended = attempt.run({ "checkpoints", round.data, "tag", id, name }, environment)
    if ended.killed then
      round.kills, round.attempts = round.kills + 1, round.attempts + 1
      return true
    end
  end
  return false
end

--- Die at the first, second and third passage of the point, each in an attempt of its own, and
--- now and then at a random time before it: some points are passed only by a job that is
--- restored. Answers how often it died there, and what went wrong.
function M.strike(round, name, random)
  if name:match("^tag%.") then return tag(round, name) and 1 or 0 end
  local struck, wanted = 0, 1
  for i = 1, ATTEMPTS_MAX do
    if struck == PASSAGES then break end
    -- Every second attempt without the point: it leaves behind what a restore has to clear up.
    local free = i % 2 == 0 and random(20, 250) or nil
    local ended = round:attempt(not free and ("%s:%d"):format(name, wanted) or nil, free)
    if ended.problem then return struck, ended.problem end
    if not free and ended.killed then struck, wanted = struck + 1, wanted % PASSAGES + 1 end
    if not free and not ended.killed then return struck end
  end
  return struck
end

return M
