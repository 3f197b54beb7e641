--- Whole jobs under test: `moontide run` in processes of its own, killed with
--- SIGKILL after so many checkpoints, started again, and its collected results read.
local ffi = require "ffi"
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"
local describe = require "moontide.describe"
local msgpack = require "moontide.runtime.msgpack"
local options = require "moontide.options"
local process = require "moontide.testing.process"
local where = require "moontide.where"

-- A run that takes longer without a new checkpoint hangs.
local limit_s = 300
local poll_ms = 2

local kill_specs = {
  { name = "checkpoints", type = "integer", min = 1, default = 1 },
  { name = "times", type = "integer", min = 0, default = 1 },
}

local function arguments(value)
  if type(value) ~= "table" then return nil, "a table of names and values for mt.args" end
  for name in pairs(value) do
    if type(name) ~= "string" or name == "" or name:find("=", 1, true) then return nil, "a table of names and values for mt.args" end
  end
  return value
end

local specs = {
  { name = "parallelism", type = "integer", min = 1, max = 32768 },
  { name = "args", type = "custom", check = arguments, default = {} },
  { name = "kill_after", type = "custom", check = function(value) return value end },
}

local function quoted(path)
  return "'" .. path:gsub("'", "'\\''") .. "'"
end

local function lines_of(command)
  local list, pipe = {}, assert(io.popen(command))
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

local function read(path)
  local file = io.open(path, "rb")
  if not file then return "" end
  local text = file:read("*a")
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
  return path
end

-- The path of a script; a function goes into one, as byte code.
local function script_of(script, directory)
  if type(script) == "string" then return script end
  if type(script) ~= "function" then where.raise("testing.run: needs a script's path or a function, got %s", describe(script)) end
  local name = debug.getupvalue(script, 1)
  if name then where.raise("testing.run: the function has the upvalue '%s', which another process does not have: require and define all inside", name) end
  return write(directory .. "/job.lua", string.dump(script))
end

local function command_of(script, checked, directory)
  local words = { os.getenv("MOONTIDE_EXECUTABLE") or "build/moontide", "run", script, "--data", directory .. "/data", "--no-progress" }
  if checked.parallelism then
    words[#words + 1], words[#words + 2] = "--parallelism", tostring(checked.parallelism)
  end
  local names = {}
  for name in pairs(checked.args) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    words[#words + 1], words[#words + 2] = "--set", name .. "=" .. tostring(checked.args[name])
  end
  return words
end

-- Numbers of checkpoints rise by one each, over all attempts.
local function newest_checkpoint(data)
  local newest = 0
  for _, name in ipairs(lines_of("ls " .. quoted(data .. "/checkpoints") .. " 2>/dev/null")) do
    newest = math.max(newest, tonumber(name:match("^chk%-(%d+)$")) or 0)
  end
  return newest
end

-- Until it ends by itself (the answer) or `wanted` more checkpoints have completed (nil: it was killed).
local function attempt(words, directory, wanted)
  local data = directory .. "/data"
  local first = newest_checkpoint(data)
  local running, seen, seen_at = process.start(words, directory .. "/out", directory .. "/err"), first, os.time()
  while not running:poll() do
    local newest = newest_checkpoint(data)
    if newest > seen then seen, seen_at = newest, os.time() end
    if wanted and newest - first >= wanted or os.time() - seen_at > limit_s then
      running:kill()
      if os.time() - seen_at > limit_s then error(("testing.run: no checkpoint and no end in %d seconds; stderr: %s"):format(limit_s, read(directory .. "/err")), 0) end
      return nil, newest_checkpoint(data) - first
    end
    process.pause(poll_ms)
  end
  return running:poll(), newest_checkpoint(data) - first
end

local function attempts(words, directory, kill_after)
  local kills, checkpoints = 0, 0
  while true do
    local wanted = kill_after and kills < kill_after.times and kill_after.checkpoints or nil
    local status, completed = attempt(words, directory, wanted)
    checkpoints = checkpoints + completed
    if status == 0 then return kills, checkpoints end
    if status then error(("testing.run: the job ended with %s:\n%s"):format(tostring(status), read(directory .. "/err")), 0) end
    kills = kills + 1
  end
end

-- Paths of the published parts of a sink, in the order in which they were written.
local function parts_of(directory)
  local paths = ffi.gc(ffi.new("struct buffer"), C.buffer_deinit)
  check(C.file_sink_paths(directory, paths))
  local list = {}
  for path in ffi.string(paths.data, paths.bytes):gmatch("%Z+") do list[#list + 1] = path end
  return list
end

-- Values are measured before they are read: the reader trusts its bytes.
local function read_values(list, path)
  local text = read(path)
  local base, offset = ffi.cast("const char *", text), 0
  local size = ffi.new("size_t[1]")
  while offset < #text do
    local rest = ffi.new("struct slice", base + offset, #text - offset)
    if C.msgpack_measure(rest, size) ~= 1 then error("testing.run: damaged results in " .. path, 0) end
    list[#list + 1] = (msgpack.unpack(base + offset))
    offset = offset + tonumber(size[0])
  end
end

local function collected(data)
  local sinks = {}
  for _, name in ipairs(lines_of("ls " .. quoted(data .. "/collect") .. " 2>/dev/null")) do
    sinks[name] = {}
    for _, path in ipairs(parts_of(data .. "/collect/" .. name)) do read_values(sinks[name], path) end
  end
  return sinks
end

local function run(script, checked, directory)
  local words = command_of(script_of(script, directory), checked, directory)
  local kills, checkpoints = attempts(words, directory, checked.kill_after)
  return { sinks = collected(directory .. "/data"), kills = kills, checkpoints = checkpoints }
end

--- See testing.run.
return function(script, given)
  local checked = options.check("testing.run", given, specs)
  checked.kill_after = checked.kill_after and options.check("testing.run", checked.kill_after, kill_specs, "kill_after")
  local directory = assert(lines_of("mktemp -d")[1], "no temporary directory")
  local ok, result = pcall(run, script, checked, directory)
  os.execute("rm -rf " .. quoted(directory))
  if not ok then error(result, 0) end
  return result
end
