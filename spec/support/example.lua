-- Runs a job as its author would: build/moontide run, from the top of the tree.
local M = {}

local executable = os.getenv("MOONTIDE_EXECUTABLE") or "build/moontide"

local function read_all(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end
M.read_all = read_all

function M.lines(text)
  local list = {}
  for line in text:gmatch("([^\n]*)\n") do list[#list + 1] = line end
  return list
end

function M.temporary_directory()
  local pipe = assert(io.popen("mktemp -d"))
  local path = pipe:read("*l")
  pipe:close()
  return path
end

function M.remove(directory)
  os.execute("rm -rf '" .. directory .. "'")
end

--- Run `script` with the words of `options`; `environment` is "NAME=value ..." or nil.
--- Answers stdout, the exit status and stderr. The job has a process group of its own:
--- a crash point kills the group.
function M.run(script, options, environment)
  local directory = M.temporary_directory()
  local command = ("env %s setsid -w '%s' run %s --no-progress %s </dev/null >'%s/out' 2>'%s/err'; echo $? >'%s/status'"):format(
    environment or "", executable, script, options or "", directory, directory, directory)
  os.execute(command)
  local out, err = read_all(directory .. "/out"), read_all(directory .. "/err")
  local status = tonumber(read_all(directory .. "/status"))
  M.remove(directory)
  return out, status, err
end

--- The text of all files of a directory that do not begin with a dot, by name.
function M.parts(directory)
  local texts = {}
  local pipe = assert(io.popen(("ls '%s' 2>/dev/null"):format(directory)))
  for name in pipe:lines() do texts[#texts + 1] = read_all(directory .. "/" .. name) end
  pipe:close()
  return texts
end

return M
