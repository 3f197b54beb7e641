-- Files for the specs of this folder: made, damaged, and used by children that get killed.
local ffi = require "ffi"
local bit = require "bit"
local temporary = require "support.temporary"

local M = {}

M.seed = tonumber(os.getenv "SEED") or os.time()

local function line_of(command)
  local pipe = assert(io.popen(command))
  local line = pipe:read "*l"
  pipe:close()
  return line
end

function M.exists(path) return line_of(("test -e '%s' && echo yes || echo no"):format(path)) == "yes" end

--- All files and directories below, as paths relative to `root`, sorted.
function M.tree(root)
  local list, pipe = {}, assert(io.popen(("cd '%s' && find . -mindepth 1 | LC_ALL=C sort"):format(root)))
  for path in pipe:lines() do list[#list + 1] = path:sub(3) end
  pipe:close()
  return list
end

--- Call `visit(damaged_text, description)` with `text` cut short at each 16th and with 64 single bits flipped.
function M.damages(text, visit)
  for i = 0, 15 do
    local bytes = math.floor(#text * i / 16)
    visit(text:sub(1, bytes), ("cut to %d of %d bytes"):format(bytes, #text))
  end
  math.randomseed(M.seed)
  for _ = 1, 64 do
    local at, mask = math.random(#text), 2 ^ math.random(0, 7)
    local flipped = text:sub(1, at - 1) .. string.char(bit.bxor(text:byte(at), mask)) .. text:sub(at + 1)
    visit(flipped, ("seed %d: bit flipped in byte %d of %d"):format(M.seed, at, #text))
  end
end

--- Run a Lua program in a session of its own, so that a crash point kills nobody else. Answers its exit status (137: killed) and output.
function M.child(program, environment)
  local path = os.tmpname()
  temporary.write(path, program)
  local assignments = {}
  for name, value in pairs(environment or {}) do assignments[#assignments + 1] = ("%s='%s'"):format(name, value) end
  local command = ("exec 2>&1; env %s setsid -w luajit '%s'; echo \" status=$?\""):format(table.concat(assignments, " "), path)
  local pipe = assert(io.popen("sh -c '" .. command:gsub("'", "'\\''") .. "' 2>/dev/null"))
  local output = pipe:read "*a"
  pipe:close()
  os.remove(path)
  return tonumber(output:match "status=(%d+)%s*$"), output
end

--- What a child's program begins with: C, the library, as in a spec.
M.prelude = [[
package.path = "spec/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path
local ffi = require "ffi"
local C = require "support.engine"
local function check(status) if status < 0 then error(ffi.string(C.error_message()), 2) end return status end
local function slice(text) return ffi.new("struct slice", { text, #text }) end
]]

--- All names of crash points that begin with `prefix`.
function M.crash_points(C, prefix)
  local names, all, i = {}, C.crash_points(), 0
  while all[i] ~= nil do
    local name = ffi.string(all[i])
    if name:sub(1, #prefix) == prefix then names[#names + 1] = name end
    i = i + 1
  end
  assert(#names > 0)
  return names
end

return M
