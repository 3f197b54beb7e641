-- One round: an input, a job that is killed and started again until it has finished, and the
-- comparison of what it committed with what it should have.
local attempt = require "faults.chaos.attempt"
local kinds = require "faults.chaos.kinds"
local temporary = require "support.temporary"

local M = {}
local Round = {}
Round.__index = Round

local function shell(command)
  assert(os.execute(command) == 0, command)
end

--- `case`: kind, backend, parallelism (a number or a function answering one for each attempt), steps (nil, or a
--- function answering the parallelism of steps by name for each attempt),
--- split, memory, base_bytes, walked_places, ring_bytes, records, seed, pause_us, patience, tolerable, restart, storage;
--- reader: published parts are taken away after each attempt; home: where its directory is made.
function M.new(case)
  local directory = temporary.folder(case.home)
  local self = setmetatable({ case = case, directory = directory, data = directory .. "/data", out = directory .. "/out",
    taken = directory .. "/taken", input = directory .. "/input", kills = 0, attempts = 0, restores = {} }, Round)
  shell(("mkdir '%s' '%s'"):format(self.out, self.taken))
  self.model = kinds[case.kind].model
  self.records = self.model.records(case.records, case.seed)
  self.model.write_input(self.input, self.records, case.kind)
  return self
end

function Round:remove()
  temporary.remove(self.directory)
end

--- The words of `moontide` for the next attempt.
function Round:words()
  local case = self.case
  local parallelism = type(case.parallelism) == "function" and case.parallelism() or case.parallelism
  local words = { "run", kinds[case.kind].script, "--data", self.data, "--no-progress", "--parallelism", tostring(parallelism) }
  local settings = { input = self.input, out = self.out, kind = case.kind, backend = case.backend, memory = case.memory,
    seed = case.seed, split = case.split, pause_us = case.pause_us, tolerable = case.tolerable,
    restart = case.restart, storage = case.storage }
  for step, own in pairs(case.steps and case.steps() or {}) do settings[step] = own end
  for name, value in pairs(settings) do
    words[#words + 1] = "--set"
    words[#words + 1] = name .. "=" .. tostring(value)
  end
  return words
end

--- One attempt; `point` is "name:N" or nil, `kill_ms` a time or nil.
function Round:attempt(point, kill_ms)
  local environment = {
    MOONTIDE_BASE_BYTES = tostring(self.case.base_bytes or ""), MOONTIDE_WALKED_PLACES = tostring(self.case.walked_places or ""),
    MOONTIDE_RING_BYTES = tostring(self.case.ring_bytes or ""), MOONTIDE_CRASH_POINT = point or "",
  }
  local ended = attempt.run(self:words(), environment, kill_ms)
  if self.case.reader then shell(("find '%s' -type f -not -name '.*' -exec mv -t '%s' {} +"):format(self.out, self.taken)) end
  self.attempts = self.attempts + 1
  self.kills = self.kills + (ended.killed and 1 or 0)
  if ended.checkpoint then self.restores[#self.restores + 1] = ended.checkpoint end
  if ended.timed_out then ended.problem = "it does not end" end
  if not ended.killed and ended.status ~= 0 then ended.problem = ("it ended with status %s: %s"):format(ended.status, ended.err) end
  return ended
end

--- The texts of all committed parts.
function Round:parts()
  local texts = {}
  local pipe = assert(io.popen(("find '%s' '%s' -type f -not -name '.*'"):format(self.out, self.taken)))
  for path in pipe:lines() do
    local file = assert(io.open(path, "rb"))
    texts[#texts + 1] = file:read("*a")
    file:close()
  end
  pipe:close()
  return texts
end

--- The differences between the committed output and the model's, and the number of lines.
function Round:compare()
  return self.model.compare(self:parts(), self.records, { kind = self.case.kind, seed = self.case.seed, ordered = not self.case.split })
end

return M
