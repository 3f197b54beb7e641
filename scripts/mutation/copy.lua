--- A copy of the tree with a build directory of its own, in which a fault may stand.
local edit = require "mutation.edit"
local pool = require "mutation.pool"
local process = require "benchmark.process"
local tidy = require "tidy"

local Copy = {}
Copy.__index = Copy

local M = {}

-- A fault may never end, or take all memory.
local memory_kb = 12 * 1024 * 1024

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

--- Copy what git knows or would add.
---@param root string
---@param path string of the directory that the copy makes
function M.new(root, path)
  local files = {}
  for _, file in ipairs(tidy.files(root)) do
    if process.read_file(root .. "/" .. file) then files[#files + 1] = file end
  end
  assert(os.execute("mkdir -p " .. quoted(path)) == 0)
  local list = path .. ".files"
  write(list, table.concat(files, "\n") .. "\n")
  local command = ("tar -C %s -cf - -T %s | tar -C %s -xf -"):format(quoted(root), quoted(list), quoted(path))
  assert(os.execute(command) == 0, "cannot copy the tree")
  return setmetatable({ path = path, logs = 0 }, Copy)
end

-- The status of a command in the copy (pool.timed_out: it took longer than `seconds`), and its log.
function Copy:_call(command, seconds)
  self.logs = self.logs + 1
  local log = ("%s.%d.log"):format(self.path, self.logs)
  local line = ("cd %s && ulimit -v %d && exec %s 2>&1"):format(quoted(self.path), memory_kb, command)
  return pool.call({ "nice", "sh", "-c", line }, log, seconds), log
end

--- Build what has changed; true, or false and the log.
---@return boolean, string
function Copy:build()
  local make = "make --no-print-directory -j2 -C build moontide moontide_shared"
  if not self.configured then make = "sh -c 'cmake -S . -B build -DCMAKE_BUILD_TYPE=Release && " .. make .. "'" end
  self.configured = true
  local status, log = self:_call(make, 1800)
  return status == 0, log
end

local function first_failed(log)
  return (process.read_file(log) or ""):match("FAILED [^\n]-:%d+ ([^\n]+)")
end

--- Run a spec file until its first failing test. Answers what was red, or nil where all is green.
---@param spec string
---@param seconds number
---@return string?, string log
function Copy:run(spec, seconds)
  local build, report = self.path .. "/build", self.path .. ".report"
  os.remove(report)
  local status, log = self:_call(("env MOONTIDE_REPORT=%s MOONTIDE_LIBRARY=%s MOONTIDE_EXECUTABLE=%s busted --no-keep-going -o scripts/report.lua %s"):format(
    quoted(report), quoted(build .. "/libmoontide.so"), quoted(build .. "/moontide"), quoted(spec)), seconds)
  local passed = tonumber((process.read_file(report) or ""):match("^(%d+)"))
  if status == 0 and passed and passed > 0 then return nil, log end
  local what = first_failed(log)
  if not what then what = status == pool.timed_out and ("no end in %d s"):format(seconds) or ("ended with status %d"):format(status) end
  return ("%s: %s"):format(spec, what), log
end

--- Put a fault in; the answer takes it out again.
---@param fault Fault
---@return fun()
function Copy:break_by(fault)
  local found = assert(edit.find(self.path, fault))
  local path = self.path .. "/" .. fault.file
  write(path, found.after)
  return function() write(path, found.before) end
end

return M
