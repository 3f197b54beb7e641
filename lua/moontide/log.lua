--- `mt.log`: lines in the job's log.
---
--- Where a job runs, the engine replaces `write` by one that adds step and
--- subtask. This one serves scripts that are loaded without an engine.
local nearest = require "moontide.nearest"
local where = require "moontide.where"

local M = {}

local levels = { debug = 1, info = 2, warn = 3, error = 4 }

--- Lines below this level are left out where no engine says otherwise.
M.level = "info"

--- Are lines of a level written? Others are not even made. The runtime puts its own function here.
---@param level "debug"|"info"|"warn"|"error"
---@return boolean
function M.is_on(level) return levels[level] >= levels[M.level] end

--- Write one line. The runtime puts its own function here.
---@param level "debug"|"info"|"warn"|"error"
---@param text string
function M.write(level, text)
  io.stderr:write(os.date("!%Y-%m-%dT%H:%M:%SZ "), ("%-5s "):format(level), text, "\n")
end

local function text_of(format, ...)
  if select("#", ...) == 0 then return tostring(format) end
  local ok, text = pcall(string.format, format, ...)
  if ok then return text end
  -- A log line must not end the job: what does not fit its format is shown as it is.
  local parts = { tostring(format) }
  for i = 1, select("#", ...) do parts[i + 1] = tostring((select(i, ...))) end
  return table.concat(parts, " ")
end

--- Details for whoever searches a fault: `mt.log.debug("key %s", key)`.
---@param format any a format as string.format takes it, or one value
---@param ... any
function M.debug(format, ...)
  if M.is_on("debug") then M.write("debug", text_of(format, ...)) end
end

--- What happens in the ordinary course: `mt.log.info("opened")`.
---@param format any a format as string.format takes it, or one value
---@param ... any
function M.info(format, ...)
  if M.is_on("info") then M.write("info", text_of(format, ...)) end
end

--- What somebody should look at: `mt.log.warn("price of %s is 0", id)`.
---@param format any a format as string.format takes it, or one value
---@param ... any
function M.warn(format, ...)
  if M.is_on("warn") then M.write("warn", text_of(format, ...)) end
end

--- What went wrong: `mt.log.error("no rate for %s", currency)`.
---@param format any a format as string.format takes it, or one value
---@param ... any
function M.error(format, ...)
  if M.is_on("error") then M.write("error", text_of(format, ...)) end
end

-- Reached only by a name that is none of them.
return setmetatable(M, { __index = function(_, name)
  where.raise("mt.log has no '%s'%s", tostring(name), nearest.hint(name, { "debug", "info", "warn", "error" }))
end })
