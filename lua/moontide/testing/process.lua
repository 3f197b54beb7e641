--- A process in a group of its own, that can be killed with all its children.
local ffi = require "ffi"

-- Declared without types of glibc. Another module may have declared these too, with types of its own: arguments go in as void pointers.
ffi.cdef [[
int posix_spawn(int *pid, const char *path, const void *actions, const void *attributes, char *const *words, char *const *environment);
int posix_spawn_file_actions_init(void *actions);
int posix_spawn_file_actions_destroy(void *actions);
int posix_spawn_file_actions_addopen(void *actions, int target, const char *path, int flags, unsigned mode);
int posix_spawnattr_init(void *attributes);
int posix_spawnattr_destroy(void *attributes);
int posix_spawnattr_setflags(void *attributes, short flags);
int posix_spawnattr_setpgroup(void *attributes, int group);
int poll(void *list, unsigned long count, int timeout_ms);
int kill(int pid, int signal);
int waitpid(int pid, int *status, int options);
extern char **environ;
]]
local C = ffi.C

local SETPGROUP, WNOHANG, SIGKILL, O_RDONLY, O_APPENDING = 2, 1, 9, 0, 0x441
local opaque = ffi.typeof("uint64_t[128]") -- more than glibc's structs of actions and attributes have
local any = ffi.typeof("void *")

local M = {}

---@class TestedProcess
local Process = {}
Process.__index = Process

local function words_of(list)
  local words = ffi.new("const char *[?]", #list + 1)
  for i, text in ipairs(list) do words[i - 1] = text end
  return words
end

local function new_attributes()
  local attributes = opaque()
  local pointer = any(attributes)
  C.posix_spawnattr_init(pointer)
  C.posix_spawnattr_setflags(pointer, SETPGROUP)
  C.posix_spawnattr_setpgroup(pointer, 0)
  return attributes
end

local function new_actions(out_path, err_path)
  local actions = opaque()
  local pointer = any(actions)
  C.posix_spawn_file_actions_init(pointer)
  C.posix_spawn_file_actions_addopen(pointer, 0, "/dev/null", O_RDONLY, 0)
  C.posix_spawn_file_actions_addopen(pointer, 1, out_path, O_APPENDING, 420)
  C.posix_spawn_file_actions_addopen(pointer, 2, err_path, O_APPENDING, 420)
  return actions
end

--- Start a program, its output appended to two files.
---@param list string[] the program's path first
---@param out_path string
---@param err_path string
---@return TestedProcess
function M.start(list, out_path, err_path)
  local actions, attributes, pid = new_actions(out_path, err_path), new_attributes(), ffi.new("int[1]")
  local words = words_of(list)
  local status = C.posix_spawn(pid, list[1], any(actions), any(attributes), ffi.cast("char *const *", words), C.environ)
  C.posix_spawn_file_actions_destroy(any(actions))
  C.posix_spawnattr_destroy(any(attributes))
  if status ~= 0 then error(("cannot start '%s' (error %d): build moontide, or name it in MOONTIDE_EXECUTABLE"):format(list[1], status), 0) end
  return setmetatable({ pid = pid[0] }, Process)
end

local function answer_of(status)
  local signal = status % 128
  if signal ~= 0 then return "signal " .. signal end
  return math.floor(status / 256) % 256
end

--- How it ended, or nil while it runs: a number, or "signal N".
function Process:poll()
  if self.ended then return self.ended end
  local status = ffi.new("int[1]")
  if C.waitpid(self.pid, status, WNOHANG) == self.pid then self.ended = answer_of(status[0]) end
  return self.ended
end

--- Kill it and its children, and wait until it is gone.
function Process:kill()
  if self.ended then return end
  C.kill(-self.pid, SIGKILL)
  local status = ffi.new("int[1]")
  if C.waitpid(self.pid, status, 0) == self.pid then self.ended = answer_of(status[0]) end
end

--- Wait a moment.
function M.pause(milliseconds)
  C.poll(nil, 0, milliseconds)
end

return M
