--- The command line of scripts/chaos.
local command_line = require "command_line"
local kinds = require "faults.chaos.kinds"

local M = {}

local line = {
  usage = "scripts/chaos [--kills N] [--seed S] [--backend rocksdb|memory] [--kind " .. table.concat(kinds.names, "|") .. "] [--points] [--parallelism N] [--keep]",
  flags = { ["--points"] = "points", ["--keep"] = "keep" },
  values = {
    ["--kills"] = command_line.whole(0), ["--seed"] = command_line.whole(0), ["--parallelism"] = command_line.whole(1),
    ["--backend"] = command_line.one_of("rocksdb", "memory"), ["--kind"] = command_line.one_of(unpack(kinds.names)),
  },
}

--- Kills, seed, points; backend, kind and parallelism are nil unless given: all are tried then.
function M.parse(words)
  local given = command_line.read_or_exit(line, words)
  given.kills = given.kills or (given.points and 0 or 20)
  given.seed = given.seed or os.time()
  return given
end

return M
