--- Children, time and files of the system, as the measurements need them.
local ffi = require "ffi"
local C = ffi.C

ffi.cdef [[
struct bench_timespec { long seconds, nanoseconds; };
struct bench_poll { int descriptor; short wanted, found; };
int fork(void);
int execvp(const char *file, char *const arguments[]);
void _exit(int status);
struct bench_usage { long times[4]; long rss_max_kb; long others[13]; };
int wait4(int process, int *status, int options, struct bench_usage *usage);
int kill(int process, int signal);
int setpgid(int process, int group);
int prctl(int option, ...);
int pipe(int descriptors[2]);
int dup2(int from, int to);
int close(int descriptor);
int open(const char *path, int flags, ...);
long read(int descriptor, void *bytes, size_t count);
int poll(struct bench_poll *wait, unsigned long count, int timeout_ms);
int clock_gettime(int clock, struct bench_timespec *time);
int nanosleep(const struct bench_timespec *wanted, struct bench_timespec *left);
]]

local M = {}
local SIGKILL, NO_HANG, MONOTONIC, PARENT_DEATH_SIGNAL = 9, 1, 1, 1
local WRITE_CREATE_TRUNCATE = 577

local time = ffi.new "struct bench_timespec"

--- Seconds of the monotonic clock.
function M.now()
  C.clock_gettime(MONOTONIC, time)
  return tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
end

function M.sleep(seconds)
  local wanted = ffi.new("struct bench_timespec", math.floor(seconds), math.floor(seconds % 1 * 1e9))
  C.nanosleep(wanted, nil)
end

local Process = {}
Process.__index = Process

local function redirect(descriptor, path)
  C.dup2(C.open(path, WRITE_CREATE_TRUNCATE, ffi.cast("int", 420)), descriptor)
end

-- What the child does between fork and exec: nothing that allocates from Lua after the fork.
local function become(arguments, output, errors)
  C.setpgid(0, 0)
  C.prctl(PARENT_DEATH_SIGNAL, ffi.cast("unsigned long", SIGKILL)) -- who interrupts a script wants nothing of it left
  if type(output) == "cdata" then
    C.dup2(output[1], 1)
    C.close(output[0])
    C.close(output[1])
  else
    redirect(1, output)
  end
  redirect(2, errors)
  C.execvp(arguments[0], ffi.cast("char *const *", arguments))
  C._exit(127)
end

--- Starts a program in a process group of its own.
---@param words string[] the program and its arguments
---@param options { output: string?, errors: string? } files; without `output` it is read with read()
function M.start(words, options)
  local arguments = ffi.new("const char *[?]", #words + 1)
  for i, word in ipairs(words) do arguments[i - 1] = word end
  local output = options.output or ffi.new "int[2]"
  if not options.output then assert(C.pipe(output) == 0, "pipe") end
  local pid = C.fork()
  assert(pid >= 0, "fork")
  if pid == 0 then become(arguments, output, options.errors or "/dev/null") end
  local self = setmetatable({ pid = pid, words = words, begin = M.now() }, Process)
  if not options.output then
    C.close(output[1])
    self.descriptor = output[0]
  end
  return self
end

--- Some bytes of its output; "" at the end; nil if none came within `seconds`.
function Process:read(seconds)
  local wait = ffi.new("struct bench_poll", { self.descriptor, 1, 0 })
  if C.poll(wait, 1, seconds and math.ceil(seconds * 1000) or -1) <= 0 then return nil end
  local bytes = ffi.new "char[4096]"
  local count = tonumber(C.read(self.descriptor, bytes, 4096))
  return ffi.string(bytes, math.max(count, 0))
end

--- Has it ended? Its exit status then; 128 + signal where a signal ended it.
function Process:ended()
  if self.status then return self.status end
  local status, usage = ffi.new "int[1]", ffi.new "struct bench_usage"
  if C.wait4(self.pid, status, NO_HANG, usage) == 0 then return nil end
  -- Of the largest of itself and the children that it waited for.
  self.rss_max_mb = tonumber(usage.rss_max_kb) / 1024
  local signal = bit.band(status[0], 127)
  self.status = signal == 0 and bit.band(bit.rshift(status[0], 8), 255) or 128 + signal
  if self.descriptor then C.close(self.descriptor) end
  return self.status
end

--- Waits at most so long; the exit status, or nil.
function Process:wait(seconds)
  local limit = M.now() + (seconds or 1e9)
  while not self:ended() and M.now() < limit do M.sleep(0.002) end
  return self.status
end

--- Ends it and all that it started, at once: also what has left its process group.
function Process:kill()
  for _, pid in ipairs(M.tree(self.pid)) do C.kill(pid, SIGKILL) end
  C.kill(-self.pid, SIGKILL)
  return self:wait()
end

--- All of a program's output and its exit status.
function M.capture(words)
  local process, parts = M.start(words, { errors = "/dev/null" }), {}
  repeat
    local part = process:read()
    parts[#parts + 1] = part
  until part == ""
  return table.concat(parts), process:wait()
end

function M.read_file(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

--- The processes below this one, itself first.
function M.tree(pid)
  local list = { pid }
  local children = M.read_file(("/proc/%d/task/%d/children"):format(pid, pid)) or ""
  for child in children:gmatch("%d+") do
    for _, each in ipairs(M.tree(tonumber(child))) do list[#list + 1] = each end
  end
  return list
end

--- Seconds of processor time that a process has used, of all its threads.
function M.cpu_seconds(pid)
  local text = M.read_file(("/proc/%d/stat"):format(pid)) or ""
  local user, system = text:match("%) %S " .. ("%S+ "):rep(10) .. "(%d+) (%d+)")
  return user and (tonumber(user) + tonumber(system)) / 100 or 0
end

--- A figure of /proc/PID/status in megabytes: "VmRSS", "VmHWM", "RssAnon".
function M.memory_mb(pid, name)
  local text = M.read_file(("/proc/%d/status"):format(pid)) or ""
  return (tonumber(text:match(name .. ":%s+(%d+) kB")) or 0) / 1024
end

return M
