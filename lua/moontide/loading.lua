--- Runs a job's script, which describes the job and returns: one that does not return is stopped at its line, and
--- one that would end the process is told so.
---
--- Compiled loops run no hooks, so the JIT is off meanwhile: a script is short, and what it makes is compiled later.
local units = require "moontide.units"
local where = require "moontide.where"

local M = {}

local instructions = 100000

-- The processor time that a script may use, by the clock of its own thread: other workers load at the same time, and
-- waiting for a file is no loop. MOONTIDE_LOADING_MS lets a test have less.
local limit_ms = tonumber(os.getenv("MOONTIDE_LOADING_MS")) or 30000

--- The script has made a job: its watchdog says how long things may take.
---@param watchdog_ms number 0: for ever
function M.allow(watchdog_ms)
  limit_ms = watchdog_ms == 0 and math.huge or math.max(limit_ms, watchdog_ms)
end

local too_long = "the script did not come to its end in %s: it describes a job, returns it, and does not run it"

-- A script may catch the error, in its loop: then it is raised in the loop itself, by a look at each instruction.
-- Those of run() are among them. What is raised comes out as it was, whatever it has passed on its way.
local function watch(clock_ms)
  local begun, told = clock_ms(), {}
  function told.look()
    if clock_ms() - begun <= limit_ms then return end
    debug.sethook(told.look, "", 1)
    local place = where.caller()
    if not place or not place.line then return end
    told.message = ("%s: %s"):format(where.text(place), too_long:format(units.duration_text(limit_ms)))
    error(told.message, 0)
  end
  debug.sethook(told.look, "", instructions)
  return told
end

local function exit()
  where.raise("os.exit would end the whole process, and all else that it does: call error() to end the job")
end

--- Call a script's chunk, as pcall() does.
---@param chunk function
---@param clock_ms fun(): number processor time of this thread
---@return boolean ok
---@return any answer
function M.run(chunk, clock_ms)
  local compiles = jit.status()
  os.exit = exit
  jit.off()
  local told = watch(clock_ms)
  local ok, answer = pcall(chunk)
  if debug.gethook() == told.look then debug.sethook() end
  if compiles then jit.on() end
  return ok, not ok and told.message or answer
end

return M
