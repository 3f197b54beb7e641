--- For tests of jobs: one subtask of some steps driven by hand, and whole jobs
--- that are run, killed and restored.
local keys = require "moontide.testing.keys"
local where = require "moontide.where"

local M = {}

--- Steps under test: one subtask of them, in this Lua state, without threads, without a clock of its own.
---
---     local testing = require "moontide.testing"
---     local h = testing.harness(function(input) return input:key_by("id"):count("count") end)
---     h:push { id = "a" }
---     print(h:values()[1].count) -- 1
---     h:close()
---@param build fun(...: Stream): Stream gets a stream for each input and answers the stream whose records are the output
---@param options? HarnessOptions
---@return Harness
function M.harness(build, options)
  return require("moontide.testing.harness").new(build, options)
end

--- Run a whole job in processes of its own, killed as often as asked and restored.
---
---     local result = testing.run("job.lua", { parallelism = 2, kill_after = { checkpoints = 2, times = 3 } })
---     print(#result.sinks.results, result.kills)
---@param script string|fun(): Job a script's path, or a function without upvalues that answers a job
---@param options? { parallelism: integer?, args: table<string, any>?, kill_after: { checkpoints: integer?, times: integer? }? }
---@return { sinks: table<string, any[]>, kills: integer, checkpoints: integer }
function M.run(script, options)
  return require("moontide.testing.run")(script, options)
end

--- The key group of a key (S43).
---
---     testing.key_group("acct-17", 128)
---@param key any
---@param max_parallelism integer
---@return integer
function M.key_group(key, max_parallelism)
  keys.check_count("testing.key_group", "max_parallelism", max_parallelism)
  return keys.group(key, max_parallelism)
end

--- The subtask that a key belongs to (S43).
---
---     testing.subtask_of("acct-17", 4, 128)
---@param key any
---@param parallelism integer
---@param max_parallelism? integer by default as a job's
---@return integer
function M.subtask_of(key, parallelism, max_parallelism)
  keys.check_count("testing.subtask_of", "parallelism", parallelism)
  max_parallelism = max_parallelism or keys.groups_by_default(parallelism)
  keys.check_count("testing.subtask_of", "max_parallelism", max_parallelism)
  if parallelism > max_parallelism then
    where.raise("testing.subtask_of: parallelism %d is above max_parallelism %d", parallelism, max_parallelism)
  end
  return math.floor(keys.group(key, max_parallelism) * parallelism / max_parallelism)
end

return M
