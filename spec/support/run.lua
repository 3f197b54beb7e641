-- Jobs for specs of the command line: written into a directory of their own, run by
-- processes that are gone, like the directory, after the test.
local process = require "support.process"
local temporary = require "support.temporary"

local M = {}
local Run = {}
Run.__index = Run

--- A directory, and what will be started in it.
function M.new()
  local directory = temporary.folder()
  return setmetatable({ directory = directory, data = directory .. "/data", _started = {} }, Run)
end

function Run:destroy()
  for _, started in ipairs(self._started) do started:destroy() end
  temporary.remove(self.directory)
end

function Run:write(name, text)
  return temporary.write(self.directory .. "/" .. name, text)
end

function Run:read(name)
  return temporary.read(self.directory .. "/" .. name)
end

--- A script: `options` are those of mt.job as Lua text, `steps` what follows the source.
function Run:job(options, steps, source)
  return self:write("job.lua", ([[
local mt = require "moontide"
local job = mt.job("tide", %s)
job:from(%s)
%s
return job
]]):format(options or "{}", source or "mt.sequence { from = 1, to = 1000 }", steps or "  :to(mt.blackhole {})"))
end

--- An input that never ends, slowly.
M.endless = "mt.sequence { from = 1, rate = 10000 }"

function Run:start(words, options)
  local started = process.start(words, options)
  self._started[#self._started + 1] = started
  return started
end

--- Start `moontide run` of a script in the data directory, with more words.
function Run:run(script, ...)
  return self:start { "run", script, "--data", self.data, "--no-progress", ... }
end

--- The same, and wait until the job answers that it runs.
function Run:run_until_running(script, ...)
  local started = self:run(script, ...)
  started:wait_until("the job runs", function() return self:ask("status"):match('"state":"running"') end)
  return started
end

--- The output of a command about the data directory, its exit status and stderr.
function Run:command(name, ...)
  return process.run { name, self.data, ... }
end

--- The same as one text, "" where it failed.
function Run:ask(name, ...)
  local out, status = self:command(name, "--format", "json", ...)
  return status == 0 and out or ""
end

return M
