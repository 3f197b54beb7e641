--- The harness: a worker that is driven by hand. Its steps run through the same
--- loops, batches, alignment and state as in a job; a push, a mark or an end is done
--- when the call answers.
local ffi = require "ffi"
local C = require "moontide.engine"
local build_graph = require "moontide.testing.graph"
local check = require "moontide.runtime.fail"
local describe = require "moontide.describe"
local graph = require "moontide.runtime.graph"
local input = require "moontide.testing.input"
local lent = require "moontide.runtime.lent"
local on_error = require "moontide.on_error"
local options = require "moontide.options"
local output = require "moontide.testing.output"
local trace_guard = require "moontide.runtime.trace_guard"
local trace_limits = require "moontide.runtime.trace_limits"
local where = require "moontide.where"
local worker = require "moontide.runtime.worker"

local M = {}

---@class HarnessOptions
---@field inputs? integer
---@field channels? integer of each input: what a subtask upstream is in a job
---@field parallelism? integer
---@field subtask? integer from 0
---@field max_parallelism? integer key groups; default: the snapshot's, or by the parallelism
---@field backend? "rocksdb"|"memory"
---@field memory? number|string for state, as in mt.job
---@field mode? "exactly_once"|"at_least_once"
---@field processing_time? number
---@field restore? string|string[] snapshots, in the order of their subtasks
---@field on_error? OnError

---@class Harness
---@field inputs HarnessInput[]
local Harness = {}
Harness.__index = Harness

local closed = "the harness is closed"
local never = 2 ^ 53 -- a checkpoint that all others are before
local channels_max, inputs_max, groups_max = 1024, 64, 32768

local function snapshots(value)
  if type(value) == "string" then return { value } end
  if type(value) ~= "table" or #value == 0 then return nil, "a snapshot or a list of snapshots" end
  for _, snapshot in ipairs(value) do
    if type(snapshot) ~= "string" then return nil, "a list of snapshots" end
  end
  return value
end

local specs = {
  { name = "inputs", type = "integer", min = 1, max = inputs_max, default = 1 },
  { name = "channels", type = "integer", min = 1, max = channels_max, default = 1 },
  { name = "parallelism", type = "integer", min = 1, max = groups_max, default = 1 },
  { name = "subtask", type = "integer", min = 0, default = 0 },
  { name = "max_parallelism", type = "integer", min = 1, max = groups_max },
  { name = "backend", type = "choice", values = { "rocksdb", "memory" }, default = "rocksdb" },
  { name = "memory", type = "size", min = 1, default = 256 * 1024 * 1024 },
  { name = "mode", type = "choice", values = { "exactly_once", "at_least_once" }, default = "exactly_once" },
  { name = "processing_time", type = "integer", default = 0 },
  { name = "restore", type = "custom", check = snapshots },
  { name = "on_error", type = "custom", check = on_error.check, default = "fail" },
}

local function new_handle(checked)
  local restore = checked.restore or {}
  local config = ffi.new("struct harness_config", {
    parallelism = checked.parallelism, subtask = checked.subtask, max_parallelism = checked.max_parallelism or 0,
    at_least_once = checked.mode == "at_least_once", memory_backend = checked.backend == "memory", memory_bytes = checked.memory,
  })
  local list, handle = ffi.new("struct slice[?]", #restore + 1), ffi.new("struct harness *[1]")
  for i, snapshot in ipairs(restore) do list[i - 1].data, list[i - 1].bytes = snapshot, #snapshot end
  if C.harness_new(config, list, #restore, handle) < 0 then where.raise("testing.harness: %s", ffi.string(C.error_message())) end
  return ffi.gc(handle[0], C.harness_free) -- the net for tests that end without close()
end

local opened_by_author = { process = true, connect = true, window = true }

-- S18c: where all channels had finished, no code of the author runs any more, open and close neither. A sink is
-- opened all the same: what it had prepared is still to be committed (S42).
local function rest_if_finished(self, built, channels)
  for _, step in ipairs(built.inputs) do
    for channel = 0, channels - 1 do
      if not C.harness_was_ended(self._handle, step, channel) then return end
    end
  end
  for _, operator in ipairs(built.graph.operators) do
    local definition = opened_by_author[operator.terminal] and operator.step.definition
    if definition then definition.open, definition.close = nil, nil end
  end
end

local function open_worker(self, built, channels)
  local plan = C.harness_plan(self._handle)
  graph.fill(plan, built.job, built.graph, { channels = channels, emit = 1 })
  check(C.harness_open(self._handle))
  rest_if_finished(self, built, channels)
  self._worker_handle = C.harness_worker(self._handle)
  self._worker = worker.new(self._worker_handle, built.job, built.graph)
  self._output = output.new(self._worker_handle, built)
end

local function end_restored(self)
  for _, one in ipairs(self.inputs) do
    for k, channel in ipairs(one.channels) do
      if C.harness_was_ended(self._handle, one.step, k - 1) then channel:finish() end
    end
  end
end

local function prepare(self, build, checked)
  local built = build_graph(build, checked)
  open_worker(self, built, checked.channels)
  self.inputs = {}
  C.by_hand_set_clock(self._worker_handle, self._processing_time)
  for i, step in ipairs(built.inputs) do self.inputs[i] = input.new(self, step, i, checked.channels) end
  self:_run()
  end_restored(self)
end

--- Build the steps and open them.
---@param build fun(...: Stream): Stream
---@param given? HarnessOptions
---@return Harness
function M.new(build, given)
  local what = "testing.harness"
  options.callable(what, build, "the first argument")
  trace_guard.install()
  trace_limits.raise()
  local checked = options.check(what, given, specs)
  if checked.subtask >= checked.parallelism then
    where.raise("%s: option 'subtask' must be below 'parallelism', got %d and %d", what, checked.subtask, checked.parallelism)
  end
  local self = setmetatable({ _handle = new_handle(checked), _processing_time = checked.processing_time }, Harness)
  local ok, message = xpcall(prepare, function(failure)
    return type(failure) == "string" and failure or tostring(failure)
  end, self, build, checked)
  if not ok then
    self:_free()
    error(message, 0)
  end
  return self
end

function Harness:_free()
  if not self._handle then return end
  if self._worker then self._worker:give_up(never) end -- what a failure has left open
  for _, call in pairs(self._worker and self._worker.calls or {}) do lent.take_back(call, closed) end
  C.harness_free(ffi.gc(self._handle, nil))
  self._handle, self._worker_handle, self._worker = nil, nil, nil
end

function Harness:_check_open()
  if not self._handle then where.raise(closed) end
  if self._failed then where.raise("the harness has failed, only close() is left to call; it failed with: %s", self._failed) end
end

-- Everything that can be done is done: a worker by hand answers WORKER_IDLE instead of waiting.
function Harness:_run()
  repeat
    local answer = self._worker:run()
    if answer == C.WORKER_FAILED then
      self._failed = ffi.string(C.harness_failure(self._handle))
      error(self._failed, 0)
    end
  until not C.by_hand_feed(self._worker_handle)
end

--- A record into channel 1 of input 1.
---@param value any
---@param timestamp? number
function Harness:push(value, timestamp)
  return self.inputs[1].channels[1]:push(value, timestamp)
end

--- The end of channel 1 of input 1.
function Harness:finish()
  return self.inputs[1].channels[1]:finish()
end

--- A watermark on channel 1 of input 1.
---@param time number milliseconds, or math.huge
function Harness:watermark(time)
  return self.inputs[1].channels[1]:watermark(time)
end

--- Channel 1 of input 1 has nothing for now.
function Harness:idle()
  return self.inputs[1].channels[1]:idle()
end

--- Channel 1 of input 1 goes on.
function Harness:active()
  return self.inputs[1].channels[1]:active()
end

--- The channels that alignment holds back; what is pushed there waits.
---@return { input: integer, channel: integer }[]
function Harness:blocked()
  self:_check_open()
  local list = {}
  for i, one in ipairs(self.inputs) do
    for k in ipairs(one.channels) do
      if C.by_hand_blocked(self._worker_handle, one.step, k - 1) then list[#list + 1] = { input = i, channel = k } end
    end
  end
  return list
end

--- Move the clock of processing time.
---@param time number milliseconds
function Harness:set_processing_time(time)
  self:_check_open()
  if type(time) ~= "number" or time % 1 ~= 0 or time < self._processing_time then
    where.raise("set_processing_time: needs whole milliseconds not before %d, got %s", self._processing_time, describe(time))
  end
  self._processing_time = time
  C.by_hand_set_clock(self._worker_handle, time)
  self:_run()
end

--- Take what came out since the last call, in order: records, and marks.
---@return { value: any, timestamp: number?, watermark: number?, status: string?, barrier: integer?, cancelled: integer?, ended: boolean? }[]
function Harness:output()
  self:_check_open()
  return self._output:take()
end

--- Take what came out since the last call: the values alone.
---@return any[]
function Harness:values()
  self:_check_open()
  return self._output:values()
end

--- Take what ctx:output(tag) sent since the last call.
---@param tag string
---@return { value: any, timestamp: number? }[]
function Harness:side_output(tag)
  self:_check_open()
  if type(tag) ~= "string" or tag == "" then where.raise("side_output: needs a tag, got %s", describe(tag)) end
  return self._output:side(tag)
end

--- Rows of keyed state of all steps: one a value, list element, map entry.
---@return integer
function Harness:state_size()
  self:_check_open()
  return check(tonumber(C.harness_state_rows(self._handle)))
end

--- Pending timers.
---@param domain "event"|"processing"
---@return integer
function Harness:timer_count(domain)
  self:_check_open()
  if domain ~= "event" and domain ~= "processing" then where.raise('timer_count: needs "event" or "processing", got %s', describe(domain)) end
  return check(tonumber(C.by_hand_timers(self._worker_handle, domain == "event" and 0 or 1)))
end

--- Records that came too late for a window or a join and had no output of their own, since it was opened.
---@return integer
function Harness:late_count()
  self:_check_open()
  return tonumber(C.by_hand_late(self._worker_handle))
end

local function take_snapshot(handle, bytes)
  check(C.harness_snapshot_take(handle, bytes))
  return ffi.string(bytes.data, bytes.bytes)
end

--- All that these steps remember now, for `restore`. Nothing of it shows in the output.
---@return string
function Harness:snapshot()
  self:_check_open()
  C.harness_snapshot_begin(self._handle)
  self:_run()
  local bytes = ffi.new("struct buffer")
  local ok, snapshot = pcall(take_snapshot, self._handle, bytes)
  C.buffer_deinit(bytes)
  if not ok then error(snapshot, 0) end
  return snapshot
end

--- Close the steps and give everything back. A second call does nothing.
function Harness:close()
  if not self._handle then return end
  local ok, message = true, nil
  if not self._failed then
    C.harness_finish(self._handle)
    ok, message = pcall(self._run, self)
  end
  self:_free()
  if not ok then error(message, 0) end
end

return M
