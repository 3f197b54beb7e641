-- Runs a job as its author would: build/moontide run, from the top of the tree.
local temporary = require "support.temporary"

local M = {}

local executable = os.getenv("MOONTIDE_EXECUTABLE") or "build/moontide"

function M.lines(text)
  local list = {}
  for line in text:gmatch("([^\n]*)\n") do list[#list + 1] = line end
  return list
end

--- Run `script` with the words of `options`; `environment` is "NAME=value ..." or nil.
--- Answers stdout, the exit status and stderr. The job has a process group of its own:
--- a crash point kills the group.
function M.run(script, options, environment)
  local directory = temporary.folder()
  local command = ("env %s setsid -w '%s' run %s --no-progress %s </dev/null >'%s/out' 2>'%s/err'; echo $? >'%s/status'"):format(
    environment or "", executable, script, options or "", directory, directory, directory)
  os.execute(command)
  local out, err = temporary.read(directory .. "/out"), temporary.read(directory .. "/err")
  local status = tonumber(temporary.read(directory .. "/status"))
  temporary.remove(directory)
  return out, status, err
end

--- The text of all files of a directory that do not begin with a dot, by name.
function M.parts(directory)
  local texts = {}
  local pipe = assert(io.popen(("ls '%s' 2>/dev/null"):format(directory)))
  for name in pipe:lines() do texts[#texts + 1] = temporary.read(directory .. "/" .. name) end
  pipe:close()
  return texts
end

return M
