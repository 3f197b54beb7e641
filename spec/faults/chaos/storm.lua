-- Rounds of kills until as many were done as were asked for, and their report.
local clock = require "support.clock"
local kinds = require "faults.chaos.kinds"
local points = require "faults.chaos.points"
local rounds = require "faults.chaos.round"

local M = {}
local Storm = {}
Storm.__index = Storm

local TRIES_MAX = 4

function M.new(options)
  local self = setmetatable({ options = options, kills = 0, attempts = 0, rounds = 0, lines = 0, failed = 0,
    restores = 0, struck = {}, missed = {}, began_ms = clock.now_ms() }, Storm)
  math.randomseed(options.seed)
  self.random, self.print = math.random, options.print or print
  return self
end

function Storm:_case(kind, backend)
  local random, options = self.random, self.options
  local small = kinds[kind].small
  backend = options.backend or backend
  local parallelism = options.parallelism or random(1, 4)
  -- Every fourth job changes its parallelism from attempt to attempt, or all of a kind.
  if not options.parallelism and (random(4) == 1 or kinds[kind].rescaled) then parallelism = function() return random(1, 4) end end
  -- So do steps by themselves, in every third.
  local steps = random(3) == 1 and function()
    local own = {}
    for _, step in ipairs { "lines", "first", "second", "sink" } do own[step] = random(2) == 1 and random(1, 4) or nil end
    return own
  end or nil
  return {
    kind = kind, backend = backend, parallelism = parallelism, steps = steps, seed = random(1, 2 ^ 30),
    split = random(2) == 1 and "32KB" or nil, memory = small and backend == "rocksdb" and ({ "1KB", "300KB", "3MB" })[random(3)] or "64MB",
    base_bytes = random(3) > 1 and random(20, 400) * 1024 or nil, records = kinds[kind].records, pause_us = random(1, 8) * 1000,
    walked_places = random(2) == 1 and 1 or nil, ring_bytes = random(3) == 1 and 1 or nil, reader = kind ~= "lua_sink" and random(2) == 1,
  }
end

local function describe(case)
  local parallelism = type(case.parallelism) == "number" and case.parallelism or "changing"
  if case.steps then parallelism = parallelism .. ", steps" end
  local flags = (case.walked_places and "walker " or "") .. (case.reader and "reader " or "") .. (case.ring_bytes and "rings" or "")
  return ("%-8s %-7s %-5s parallelism %-15s split %-5s base %-5s %-19s"):format(case.kind, case.backend, case.memory, parallelism, case.split or "-",
    case.base_bytes and math.floor(case.base_bytes / 1024) .. "KB" or "-", flags)
end

-- Short delays fall into the start, the restore and the first checkpoints; longer ones anywhere.
function Storm:_delay()
  local span = ({ 30, 120, 400 })[self.random(3)]
  return self.random(1, span) * (self.options.patience or 1)
end

function Storm:_finish(round, label, problem)
  local case, ended = round.case, nil
  if not problem then
    ended = round:attempt()
    problem = ended.problem
  end
  local report, lines = { count = 0 }, 0
  if not problem then report, lines = round:compare() end
  if problem then report = { count = 1, problem } end
  local newest = round.restores[#round.restores]
  self.print(("%-4s %s: %d kills, %d attempts, restored from %s, %d lines, %d differences%s"):format(report.count == 0 and "ok" or "BAD",
    describe(case), round.kills, round.attempts, newest and "checkpoint " .. table.concat(round.restores, " ") or "nothing", lines, report.count,
    label and "; " .. label or ""))
  for _, difference in ipairs(report) do self.print("     " .. difference) end
  self.kills, self.attempts, self.rounds = self.kills + round.kills, self.attempts + round.attempts, self.rounds + 1
  self.lines, self.restores = self.lines + lines, self.restores + #round.restores
  if report.count > 0 then self.failed = self.failed + 1 end
  if report.count > 0 and self.options.keep then self.print("     kept: " .. round.directory) else round:remove() end
end

--- Kills at random times, at most `kills`.
function Storm:_random_round(case, kills)
  local round, problem = rounds.new(case), nil
  while round.kills < kills do
    local ended = round:attempt(nil, self:_delay())
    problem = ended.problem
    if problem or not ended.killed then break end
  end
  self:_finish(round, nil, problem)
end

function Storm:_point_round(name, case)
  local round = rounds.new(case)
  local struck, problem = points.strike(round, name, self.random, self.options.passages or 3)
  self.struck[name] = (self.struck[name] or 0) + struck
  self:_finish(round, ("%s: killed there %d times"):format(name, struck), problem)
end

-- Bases of RocksDB's own files exist where state does not fit into memory; old files go when a base takes their place.
local function needs_rows(name)
  return name:match("rows$") or name:match("^base%.")
end

-- A point that no attempt came by is tried again, in a job that takes twice as long: a checkpoint
-- or a base may take longer on this machine than an attempt was given.
function Storm:strike(name, kind, backend)
  if needs_rows(name) then kind = "rows" end
  for try = 1, TRIES_MAX do
    local case = self:_case(kind, backend)
    case.patience = 2 ^ (try - 1)
    case.pause_us, case.base_bytes = 8000 * case.patience, 20 * 1024
    if needs_rows(name) and backend == "rocksdb" then case.memory = "1KB" end
    self:_point_round(name, case)
    if self.struck[name] > 0 or self.failed > 0 then return end
  end
end

function Storm:run()
  local options = self.options
  self.print(("seed %d"):format(options.seed))
  local number = 0
  while self.kills < options.kills and self.failed == 0 do
    local backend = number % 2 == 0 and "rocksdb" or "memory"
    local kind = options.kind or kinds.names[math.floor(number / 2) % #kinds.names + 1]
    self:_random_round(self:_case(kind, backend), math.min(options.kills - self.kills, 40))
    number = number + 1
  end
  if not options.points then return end
  for i, name in ipairs(points.names()) do
    local kind = i % 2 == 1 and "rows" or "plain"
    for _, backend in ipairs(options.backend and { options.backend } or { "rocksdb", "memory" }) do
      self:strike(name, kind, backend)
    end
  end
end

--- True when all is well.
function Storm:report()
  local names, never = points.names(), {}
  if self.options.points then
    for _, name in ipairs(names) do
      if (self.struck[name] or 0) == 0 then never[#never + 1] = name end
    end
    self.print(("points passed: %d of %d%s"):format(#names - #never, #names, #never > 0 and "; never: " .. table.concat(never, ", ") or ""))
  end
  self.print(("seed %d: %d rounds, %d kills, %d attempts, %d restores, %d lines, %d rounds failed, %.1f s"):format(self.options.seed, self.rounds,
    self.kills, self.attempts, self.restores, self.lines, self.failed, (clock.now_ms() - self.began_ms) / 1000))
  return self.failed == 0 and #never == 0
end

return M
