-- A running `moontide`: started without a shell, spoken to by signals, waited for
-- by what it prints and how it ends. Every wait has a limit and fails loudly.
local ffi = require "ffi"
local bit = require "bit"

ffi.cdef [[
struct spec_pollfd { int fd; short events, revents; };
typedef struct { char bytes[128]; } spec_file_actions;
int posix_spawn(int *pid, const char *path, const spec_file_actions *actions, const void *attributes, char *const *words, char *const *environment);
int posix_spawn_file_actions_init(spec_file_actions *actions);
int posix_spawn_file_actions_destroy(spec_file_actions *actions);
int posix_spawn_file_actions_adddup2(spec_file_actions *actions, int from, int to);
int posix_spawn_file_actions_addopen(spec_file_actions *actions, int target, const char *path, int flags, unsigned mode);
int pipe2(int ends[2], int flags);
int poll(struct spec_pollfd *list, unsigned long count, int timeout_ms);
long read(int descriptor, void *bytes, size_t count);
int close(int descriptor);
int kill(int pid, int signal);
int waitpid(int pid, int *status, int options);
extern char **environ;
]]
local C = ffi.C

local executable = os.getenv("MOONTIDE_EXECUTABLE") or "build/moontide"
local limit_s = 60 -- sanitizers and a loaded machine are slow
local O_CLOEXEC, WNOHANG, POLLIN = 0x80000, 1, 1

local M = { INT = 2, KILL = 9, TERM = 15 }
local Process = {}
Process.__index = Process

local function strings(list)
  local array = ffi.new("char *[?]", #list + 1)
  for i, text in ipairs(list) do array[i - 1] = ffi.cast("char *", text) end
  return array
end

local function environment_of(changes)
  local list, i = {}, 0
  while C.environ[i] ~= nil do
    local entry = ffi.string(C.environ[i])
    if (changes or {})[entry:match("^[^=]*")] == nil then list[#list + 1] = entry end
    i = i + 1
  end
  for name, value in pairs(changes or {}) do list[#list + 1] = name .. "=" .. value end
  return list
end

--- Start the program with these words. `options.environment` changes variables,
--- `options.program` runs another one.
function M.start(words, options)
  options = options or {}
  local program = options.program or executable
  local out, err, pid = ffi.new("int[2]"), ffi.new("int[2]"), ffi.new("int[1]")
  assert(C.pipe2(out, O_CLOEXEC) == 0 and C.pipe2(err, O_CLOEXEC) == 0)
  local actions = ffi.new("spec_file_actions")
  C.posix_spawn_file_actions_init(actions)
  C.posix_spawn_file_actions_addopen(actions, 0, "/dev/null", 0, 0)
  C.posix_spawn_file_actions_adddup2(actions, out[1], 1)
  C.posix_spawn_file_actions_adddup2(actions, err[1], 2)
  local list, environment = { program, unpack(words) }, environment_of(options.environment)
  local status = C.posix_spawn(pid, program, actions, nil, strings(list), strings(environment))
  C.posix_spawn_file_actions_destroy(actions)
  C.close(out[1])
  C.close(err[1])
  assert(status == 0, "cannot start " .. program)
  return setmetatable({ pid = pid[0], _pipes = { out = out[0], err = err[0] }, out = "", err = "" }, Process)
end

--- Run to the end: what it printed, its exit status (or "signal N"), its stderr.
function M.run(words, options)
  local process = M.start(words, options)
  local status = process:wait()
  return process.out, status, process.err
end

function Process:_read(name)
  local bytes = ffi.new("char[65536]")
  local count = tonumber(C.read(self._pipes[name], bytes, 65536))
  if count > 0 then
    self[name] = self[name] .. ffi.string(bytes, count)
  else
    C.close(self._pipes[name])
    self._pipes[name] = nil
  end
end

--- Wait a moment for output; false once both pipes have ended.
function Process:_pump(timeout_ms)
  local list, names = ffi.new("struct spec_pollfd[2]"), {}
  for name, descriptor in pairs(self._pipes) do
    list[#names].fd, list[#names].events = descriptor, POLLIN
    names[#names + 1] = name
  end
  if #names == 0 then return false end
  C.poll(list, #names, timeout_ms)
  for i, name in ipairs(names) do
    if list[i - 1].revents ~= 0 then self:_read(name) end
  end
  return true
end

--- Wait until `predicate` answers something true, which is returned.
function Process:wait_until(what, predicate)
  local deadline = os.time() + limit_s
  while true do
    local answer = predicate()
    if answer then return answer end
    local alive = self:_pump(5)
    if not alive or os.time() > deadline then
      error(("%s: not so; stdout: %s stderr: %s"):format(what, self.out:sub(-1000), self.err:sub(-1000)), 2)
    end
  end
end

--- Wait until stderr has a match of `pattern`; what it captured.
function Process:wait_for(pattern)
  return self:wait_until("stderr has " .. pattern, function() return self.err:match(pattern) end)
end

function Process:signal(number)
  assert(C.kill(self.pid, number) == 0, "the process has gone")
end

function Process:is_alive()
  return self.pid ~= nil and C.kill(self.pid, 0) == 0
end

--- The exit status, or "signal N".
function Process:wait()
  local deadline, status = os.time() + limit_s, ffi.new("int[1]")
  while C.waitpid(self.pid, status, WNOHANG) == 0 do
    if not self:_pump(5) then C.poll(nil, 0, 5) end
    if os.time() > deadline then
      C.kill(self.pid, M.KILL)
      error("the process does not end; stderr: " .. self.err:sub(-1000), 2)
    end
  end
  while self:_pump(0) and self:_has_pipes() do end
  self.pid = nil
  local number = bit.band(status[0], 0x7f)
  return number == 0 and bit.rshift(status[0], 8) or "signal " .. number
end

function Process:_has_pipes()
  return self._pipes.out or self._pipes.err
end

--- For after_each: whatever happened, nothing is left behind.
function Process:destroy()
  if self.pid then
    C.kill(self.pid, M.KILL)
    C.waitpid(self.pid, ffi.new("int[1]"), 0)
  end
  for _, descriptor in pairs(self._pipes) do C.close(descriptor) end
  self.pid, self._pipes = nil, {}
end

--- Is a process of this pid there (and not only waiting to be reaped)?
function M.exists(pid)
  local file = io.open("/proc/" .. pid .. "/stat")
  if not file then return false end
  local state = file:read("*a"):match("%) (%a)")
  file:close()
  return state ~= "Z" and state ~= "X"
end

return M
