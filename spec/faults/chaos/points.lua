-- The names of engine/base/crash_points.h, and a round that dies at one of them.
local attempt = require "faults.chaos.attempt"

local M = {}

local ATTEMPTS_MAX = 16
local LATE_MS = 400 -- times the case's patience: a point that was not passed by then is not passed in this attempt
local SURE_MS = 30000 -- for a point that every job passes, however slow the machine

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

-- The place where the attempt before has to die, so that a restore comes by the point: a part is cut
-- or unlinked where the last checkpoint was synced and not committed; it is renamed where nobody knew of the
-- commit; rows are cloned where some checkpoint already has a base of them.
-- At which passage, is drawn: what was written by then depends on the speed of the machine.
local SOWN = {
  ["recover.before_truncate"] = { "checkpoint.acknowledged", 2, 8 },
  ["recover.after_truncate"] = { "checkpoint.acknowledged", 2, 8 },
  ["recover.before_unlink"] = { "checkpoint.acknowledged", 2, 8 },
  ["recover.before_rename"] = { "commit.after_sync", 2, 5 },
  ["recover.after_rename"] = { "commit.after_sync", 2, 5 },
  ["restore.before_rows"] = { "checkpoint.completed", 5, 10 },
  ["restore.after_rows"] = { "checkpoint.completed", 5, 10 },
}

-- What an attempt before leaves behind, so that a restore has something to do: prepared parts
-- without their final names, a commit that nobody knows of, or anything.
local function sow(round, name, random)
  local sown = SOWN[name]
  if sown then return round:attempt(("%s:%d"):format(sown[1], random(sown[2], sown[3])), SURE_MS) end
  local point = ({ "sink.before_rename:%d", "commit.after_sync:%d", "sink.after_directory_sync:%d" })[random(4)]
  return round:attempt(point and point:format(random(1, 3)), random(60, LATE_MS) * round.case.patience)
end

--- Die at the first passage of the point, then at the second, up to `passages`, each in an attempt
--- of its own, and otherwise in between: some points are passed only by a job that is restored, some only where
--- the one before died at a certain place. Answers how often it died there, and what went wrong.
function M.strike(round, name, random, passages)
  if name:match("^tag%.") then return tag(round, name) and 1 or 0 end
  local struck, passage = 0, 1
  for i = 1, ATTEMPTS_MAX do
    if struck == passages then break end
    local ended
    if i % 2 == 0 then
      ended = sow(round, name, random)
    else
      ended = round:attempt(("%s:%d"):format(name, passage), LATE_MS * round.case.patience)
      local hit = ended.killed and not ended.late
      struck = struck + (hit and 1 or 0)
      passage = hit and passage + 1 or 1
    end
    if ended.problem or not ended.killed then return struck, ended.problem end
  end
  return struck
end

return M
