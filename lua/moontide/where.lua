--- Errors at the author's line: the nearest caller that is not part of this library.
---
--- A level counted by hand would be wrong as soon as one method of the library
--- calls another, so the stack is searched. A call in tail position
--- (`return mt.job(...)`) has no frame of its own any more; then the position of
--- whoever called the script is all there is, or the script that is being loaded.
local M = {}

---@class Where
---@field file string as the script was named when it was loaded
---@field line? integer

---@type string? the job's script, as it was named
M.script = nil

-- Files of the library have this beginning, on disk as in the executable.
local own = debug.getinfo(1, "S").source
local library = own:gsub("where%.lua$", ""):gsub("where$", "")

local function position(info)
  local file = info.source:sub(1, 1) == "@" and info.source:sub(2) or info.short_src
  return { file = file, line = info.currentline }
end

-- While on_behalf() runs: the place that mistakes belong to.
local behalf

--- Where the author called the library, or nil if no author is on the stack.
---@return Where?
function M.caller()
  if behalf then return behalf end
  local level = 2
  while true do
    local info = debug.getinfo(level, "Sl")
    if not info then return M.script and { file = M.script } end
    if info.what ~= "C" and info.source:sub(1, #library) ~= library then return position(info) end
    level = level + 1
  end
end

--- "fraud.lua:3", "fraud.lua" where the line is not known, or "?" for nil.
---@param where Where?
---@return string
function M.text(where)
  if not where then return "?" end
  return where.line and ("%s:%d"):format(where.file, where.line) or where.file
end

--- Where a function was written, as "fraud.lua:12".
---@param fn function
---@return string
function M.definition(fn)
  local info = debug.getinfo(fn, "S")
  info.currentline = info.linedefined
  return M.text(position(info))
end

--- Call `fn` so that errors raised in it are reported at a place that was noted earlier.
---@param place Where?
---@param fn function
---@param ... any
---@return any
function M.on_behalf(place, fn, ...)
  local before = behalf
  behalf = place
  local ok, result = pcall(fn, ...)
  behalf = before
  if not ok then error(result, 0) end
  return result
end

--- Raise an error at a place that was noted earlier.
---@param where Where?
---@param format string
---@param ... any
function M.raise_at(where, format, ...)
  local message = select("#", ...) > 0 and format:format(...) or format
  error(where and M.text(where) .. ": " .. message or message, 0)
end

--- Raise an error at the author's line.
---@param format string
---@param ... any
function M.raise(format, ...)
  M.raise_at(M.caller(), format, ...)
end

return M
