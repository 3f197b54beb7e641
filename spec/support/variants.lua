-- The ways in which every case of a rule is played: on both backends, as it is
-- written, and with a snapshot and restore behind its steps, at the same parallelism and,
-- where it has keys, at others. A way with `at` is played once for each step; the first play
-- of one that is `stored` has no memory for rows on RocksDB, so that they lie in the store.
local moved = require "support.moved"

local M = {}

local function never() end

local function each_of(count, first)
  return function(step) return step % count == first and 1 or nil end
end

local function behind(at)
  return function(step) return step == at and 1 or nil end
end

local rounds = { 3, 2, 1 }
local function round_about(step) return rounds[(step - 1) % #rounds + 1] end

local function away(at)
  return function(step) return step == at and 3 or step == at + 1 and 2 or nil end
end

M.ways = {
  { name = "as it is", plays = { never }, stored = true },
  { name = "a restore behind each step", plays = { each_of(1, 0) } },
  { name = "a restore behind every other step", plays = { each_of(2, 0), each_of(2, 1) }, stored = true },
  { name = "a restore behind one step", plays = {}, at = behind },
  { name = "restores at 1, 3 and 2 subtasks", plays = { round_about }, at = away, keyed = true },
}
M.backends = { "rocksdb", "memory" }

local function with_trace(failure)
  return type(failure) == "string" and debug.traceback(failure) or failure
end

-- One play; answers how many steps the longest of its harnesses had.
local function play(given, own, body)
  local opened, steps, what = {}, 0, own.what
  local function open(build, changes)
    local all = { backend = own.backend, moves = own.moves, memory = own.memory, what = what }
    for _, options in ipairs { given, changes or {} } do
      for name, value in pairs(options) do all[name] = value end
    end
    opened[#opened + 1] = moved.new(build, all)
    return opened[#opened]
  end
  local ok, failure = xpcall(body, with_trace, open, what)
  for _, h in ipairs(opened) do
    steps = math.max(steps, h.steps)
    if ok then h:close() else pcall(h.close, h) end
  end
  if ok then return steps end
  if type(failure) == "string" then failure = what .. ": " .. failure end
  error(failure, 0)
end

--- Play a case in one way.
---@param way table of M.ways
---@param backend string
---@param given Given
---@param body fun(open: (fun(build: function, changes?: Given): table), what: string) opens harnesses and drives them
function M.play(way, backend, given, body)
  local steps = 0
  for i, moves in ipairs(way.plays) do
    local what, memory = ("%s, %s, play %d"):format(backend, way.name, i), way.stored and i == 1 and backend == "rocksdb" and 1 or nil
    steps = play(given, { backend = backend, moves = moves, memory = memory, what = what }, body)
  end
  if not way.at then return end
  local at = 1
  repeat -- the first play tells how many there are
    local what = ("%s, %s: from step %d"):format(backend, way.name, at)
    steps = math.max(steps, play(given, { backend = backend, moves = way.at(at), what = what }, body))
    at = at + 1
  until at >= steps
end

local function applies(way, given)
  if given.breaks == false then return #way.plays == 1 and way.plays[1] == never end
  return not way.keyed or given.key ~= nil
end

--- Play a case in all ways that apply: those at other parallelisms where `given.key` tells the key of a record,
--- only the first where `given.breaks` is false.
function M.all(given, body)
  for _, backend in ipairs(M.backends) do
    for _, way in ipairs(M.ways) do
      if applies(way, given) then M.play(way, backend, given, body) end
    end
  end
end

--- The name of a case's spec for a way.
function M.title(name, backend, way)
  return ("%s (%s, %s)"):format(name, backend, way.name)
end

--- The same, a spec for each way.
---@param it function the spec's own
---@param name string which quotes the rule or case
function M.it(it, name, given, body)
  for _, backend in ipairs(M.backends) do
    for _, way in ipairs(M.ways) do
      if applies(way, given) then it(M.title(name, backend, way), function() M.play(way, backend, given, body) end) end
    end
  end
end

return M
