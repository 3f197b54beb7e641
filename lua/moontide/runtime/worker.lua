--- The driver of one worker: asks the engine what is to be done in Lua, does it,
--- and decides about records that user code fails on.
local C = require "moontide.engine"
local collector = require "moontide.runtime.collector"
local garbage = require "moontide.runtime.garbage"
local handlers = require "moontide.runtime.handlers"
local json_text = require "moontide.runtime.json_text"
local log = require "moontide.log"
local physical = require "moontide.runtime.physical"
local report = require "moontide.runtime.report"

local M = {}

local Worker = {}
Worker.__index = Worker

local callbacks = { "open", "close", "process_element", "on_timer", "poll", "snapshot", "restore", "write", "prepare", "commit", "abort", "fn" }

-- Functions by what the author calls them, for reports.
local function callback_names(job)
  local names = {}
  for _, step in ipairs(job.steps) do
    if step.fn then names[step.fn] = step.kind end
    for fn, name in pairs(step.callbacks or {}) do names[fn] = name end
    for _, name in ipairs(callbacks) do
      local fn = step.definition and rawget(step.definition, name)
      if type(fn) == "function" then names[fn] = name end
    end
  end
  return names
end

--- Bind a job's operators to an engine worker.
---@param handle ffi.cdata* struct worker
---@param job Job
---@param graph table
function M.new(handle, job, graph)
  local self = setmetatable({ handle = handle, job = job, operators = graph.operators, handlers = {}, calls = {}, letters = {}, opened = {} }, Worker)
  self.names = callback_names(job)
  self.catch = report.catcher(self.names)
  for index, operator in ipairs(graph.operators) do
    if operator.kind == "call" then
      local call = C.worker_call(handle, index - 1)
      self.calls[index] = call
      self.handlers[index] = handlers.make(call, job, operator)
    end
  end
  return self
end

local function letter_collector(self, index, port)
  local key = index * 64 + port
  self.letters[key] = self.letters[key] or collector(self.calls[index], port)
  return self.letters[key]
end

local function send_letter(self, index, port, step, failure, record)
  letter_collector(self, index, port):collect {
    step = step.name, error = failure.message, record = record and record.value, key = record and record.key,
  }
end

-- The step of a stage of an operator.
local function step_at(operator, stage)
  return operator.stages[stage] or operator.step
end

local function describe(self, index, failure)
  local operator, call = self.operators[index], self.calls[index]
  local stage = report.stage(call, operator, failure)
  local step, record = step_at(operator, stage), report.record(call, operator, stage)
  report.find_place(failure, call, step, self.names)
  local text = report.text(self.job.name, step.name, tonumber(call.subtask), failure, record)
  local place = ("%s|%s|%s|%s"):format(step.name, failure.message, record and json_text(record.key) or "", record and record.text or "")
  return text, report.for_c(report.without_addresses(place)), record, step
end

-- A callback threw: 0 to fail, else the loop goes on behind the record.
local function recover(self, index, failure)
  local operator, call = self.operators[index], self.calls[index]
  local text, place, record, step = describe(self, index, failure)
  local policy = physical.policy(self.job, step)
  if policy == "fail" or not record then
    C.worker_fail(self.handle, text, place)
    return false, text
  end
  C.call_rollback(call)
  C.worker_count_error(self.handle, index - 1, step.name, report.line(failure))
  if call.pass_input then C.call_drop(call, call.index) end
  if type(policy) == "table" then send_letter(self, index, operator.dead_ports[policy.dead_letter], step, failure, record) end
  call.stage = 0
  call.index = call.index + 1
  return true
end

-- Whose callback runs in this Lua state.
local running = { worker = nil, index = 0 }

--- The step whose callback runs, as log lines name it; nil between callbacks.
---@return string?
function M.place()
  local worker = running.worker
  if not worker then return nil end
  local operator, call = worker.operators[running.index], worker.calls[running.index]
  return ("step %q, subtask %d"):format(step_at(operator, call.stage).name, tonumber(call.subtask))
end

--- Do what the engine asked of operator `index`: false and the report if the job fails by it.
function Worker:handle_call(index)
  local handler, request = self.handlers[index], tonumber(self.calls[index].request)
  while true do
    running.worker, running.index = self, index
    local ok, failure = xpcall(handler, self.catch)
    running.worker = nil
    if ok then
      if request == C.CALL_OPEN then self.opened[index] = true elseif request == C.CALL_CLOSE then self.opened[index] = nil end
      return true
    end
    local go_on, text = recover(self, index, report.caught(failure))
    if not go_on then return false, text end
  end
end

-- The last calls of an operator. One that fails keeps none of the others from being made.
local function call_at_last(self, index, request)
  self.calls[index].request = request
  C.worker_enter(self.handle, index - 1)
  running.worker, running.index = self, index
  local ok, failure = xpcall(self.handlers[index], self.catch)
  if not ok then log.warn("%s", report.line(report.caught(failure))) end
  running.worker = nil
  C.worker_enter(self.handle, -1)
end

--- Where the run came to no end (it failed, or was cancelled): what is open is closed, and what sinks have prepared
--- for checkpoints above `completed`, which hold it for nobody, is aborted (S42).
---@param completed integer
function Worker:give_up(completed)
  for index, operator in ipairs(self.operators) do
    if self.opened[index] and operator.terminal == "sink" then
      self.calls[index].checkpoint = completed
      call_at_last(self, index, C.CALL_GIVE_UP)
    end
    if self.opened[index] then call_at_last(self, index, C.CALL_CLOSE) end
  end
  self.opened = {}
end

--- Run until the job ends. Answers enum worker_answer.
function Worker:run()
  while true do
    local step = C.worker_next(self.handle)
    if step < 0 then return step end
    self:handle_call(step + 1)
    garbage.tend()
  end
end
-- The loop waits inside the engine; what is hot are the loops that it calls.
jit.off(Worker.run)
jit.off(Worker.handle_call)

return M
