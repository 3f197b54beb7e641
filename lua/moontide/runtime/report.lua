--- What a failure of user code reads like, and where it was.
local ffi = require "ffi"
local blame = require "moontide.runtime.blame"
local decode = require("moontide.runtime.values").decode
local encoding = require "moontide.runtime.encode"
local json_text = require "moontide.runtime.json_text"
local msgpack = require "moontide.runtime.msgpack"
local times = require "moontide.runtime.times"
local where = require "moontide.where"

local M = {}

local shown_bytes_max = 2000

-- Files of the library have this beginning, on disk as in the executable.
local library = debug.getinfo(1, "S").source:gsub("runtime[./]report.*$", "")

local function is_own(source)
  return source:sub(1, 1) == "=" or source:sub(1, #library) == library
end

-- Below it are the worker's own loop and, under test, the test.
local function is_worker(source)
  return source:sub(1, #library) == library and source:find("runtime[./]worker") ~= nil
end

-- Frames of the author's script, innermost first: "fraud.lua:14: in process_element".
local function user_frames(level, names)
  local frames = {}
  while #frames < 20 do
    local info = debug.getinfo(level, "Slnf")
    if not info or is_worker(info.source) then break end
    if info.what ~= "C" and not is_own(info.source) and info.currentline > 0 then
      local name = names[info.func] or info.name or "function at line " .. info.linedefined
      frames[#frames + 1] = ("%s:%d: in %s"):format(info.short_src:match("[^/]*$"), info.currentline, name)
    end
    level = level + 1
  end
  return frames
end

local function clipped(text)
  if #text <= shown_bytes_max then return text end
  return text:sub(1, shown_bytes_max) .. ("... (%d bytes)"):format(#text)
end

--- What error() was given: a table without __tostring by what is in it, for its address says nothing.
---@param message any
---@return string
function M.message_text(message)
  if type(message) == "string" then return message end
  local ok, text = pcall(tostring, message)
  if ok and type(text) == "string" and not (type(message) == "table" and text:find("^table: 0x")) then return text end
  return clipped(json_text(message))
end

-- Lines of the library say nothing to an author.
local function without_own_place(message)
  local place, rest = message:match("^([^\n]-%.lua:%d+): (.*)$")
  return place and is_own("@" .. place) and rest or message
end

--- The handler for xpcall: message and frames, taken while the stack still stands.
---@param names table<function, string> of callbacks
function M.catcher(names)
  return function(message)
    if blame.is(message) then
      return { message = message.text, frames = { message.fn and M.lines(message.fn, message.name) }, by_record = not message.fn }
    end
    return { message = without_own_place(M.message_text(message)), frames = user_frames(3, names) }
  end
end

--- What xpcall answered, in the catcher's form. Where memory has run out, or the stack within
--- compiled code, LuaJIT does not call the catcher: there is a message alone (`unplaced`). What the
--- callback held is garbage by now; LuaJIT does not collect it by itself when an allocation fails.
function M.caught(failure)
  if type(failure) == "table" then return failure end
  collectgarbage()
  return { message = tostring(failure), frames = {}, unplaced = true }
end

local function time_text(time)
  if time == nil then return "none" end
  if time == math.huge or time == -math.huge then return time > 0 and "MAX" or "MIN" end
  local seconds = math.floor(time / 1000)
  return os.date("!%Y-%m-%dT%H:%M:%S", seconds) .. (".%03dZ"):format(time - seconds * 1000)
end

-- What the steps that run before the failing one, in the same loop, make of a record: they are called once more.
local function passed(value, stages, count)
  for i = 1, count do
    local answer = stages[i].fn(value)
    if stages[i].kind == "map" then value = answer end
  end
  return value
end

local function value_at(call, operator, stage)
  return passed(decode(call.values[call.index], call.bytes), operator.stages, stage - 1)
end

local function is_record(call, value)
  call.scratch.used = 0
  return value ~= nil and pcall(encoding.encode, call.scratch, call.cell, value, encoding.place())
end

local function last_map(stages)
  for i = #stages, 1, -1 do
    if stages[i].kind == "map" then return i end
  end
end

--- Which of the operator's stages failed; one more than there are: the step behind them.
--- What a map answered is written behind all of them: that no record can hold it is the map's failure.
---@param call ffi.cdata* struct call
---@param operator Operator
---@param failure { message: string, frames: string[] }
---@return integer
function M.stage(call, operator, failure)
  if call.stage > 0 then return call.stage end
  local behind = #operator.stages + 1
  if behind == 1 or #failure.frames > 0 or call.request ~= 1 or call.index >= call.count then return behind end
  local ok, value = pcall(value_at, call, operator, behind)
  return ok and not is_record(call, value) and last_map(operator.stages) or behind
end

-- It may be sent as a dead letter. What no record can hold is passed between two functions only; then it is what came to the first.
local function record_of_failing(call, operator, stage)
  local value = value_at(call, operator, stage)
  if is_record(call, value) then return value end
  return value_at(call, operator, 1)
end

--- Key, time and value of the record that the failing step was given, as text; nil without one.
---@param call ffi.cdata* struct call
---@param operator Operator
---@param stage integer of M.stage
---@return { time: number?, text: string, value: any, key: any }?
function M.record(call, operator, stage)
  local timer = call.request == 7
  if not (timer or call.request == 1) or call.index >= call.count then return nil end
  local record = { time = times.from_engine((timer and call.timer_times or call.times)[call.index]) }
  if timer then
    record.text = call.domain == 0 and "(none: an event time timer)" or "(none: a processing time timer)"
  else
    local ok, value = pcall(record_of_failing, call, operator, stage)
    if ok then record.value = value end
    record.text = ok and clipped(json_text(value)) or "(unreadable)"
  end
  if call.keys ~= nil then
    local key = call.keys[call.index]
    if key.bytes > 0 and key.bytes < 65536 then
      record.key = msgpack.unpack(ffi.cast("const uint8_t *", call.bytes + key.offset))
    end
  end
  return record
end

--- A text as C has it, to which it would end at the first byte 0.
---@param text string
---@return string
function M.for_c(text)
  return (text:gsub("%z", "\\x00"))
end

-- "fraud.lua:14: attempt to ..." without the place, which stands on its own line.
local function bare(message)
  return (message:gsub("^[^\n]-%.lua:%d+: ", "", 1):gsub("^loop of [^\n]-:%d+: ", "", 1):gsub("^timers of [^\n]-:%d+: ", "", 1))
end

local with_addresses = { "table: ", "function: ", "thread: ", "userdata: ", "cdata<[^>\n]*>: ", "file %(" }

--- A text without the addresses that Lua shows: they differ from attempt to attempt.
---@param text string
---@return string
function M.without_addresses(text)
  for _, kind in ipairs(with_addresses) do text = text:gsub("(" .. kind .. ")0x%x+", "%1") end
  return text
end

-- By what the engine asks for (enum call_request), which callbacks may have run.
local asked = { [1] = { "process_element", "fn", "write" }, [2] = { "poll", "fn" }, [3] = { "open" }, [4] = { "close" }, [7] = { "on_timer" },
  [8] = { "abort" } }

--- The lines of a function of the author, by the name that it has for him.
---@param fn function
---@param name string
---@return string
function M.lines(fn, name)
  local info = debug.getinfo(fn, "S")
  local last = info.lastlinedefined > info.linedefined and "-" .. info.lastlinedefined or ""
  return ("%s:%d%s: in %s"):format(info.short_src:match("[^/]*$"), info.linedefined, last, name)
end

-- Where the stack or the memory has run out, or what a function answered is wrong: the lines of the callback that ran.
local function callback_frames(call, step, names)
  local inputs = call.request == 1 and step.input_callbacks
  for _, name in ipairs(inputs and { inputs[call.input + 1] } or asked[tonumber(call.request)] or {}) do
    local fn = step.definition and rawget(step.definition, name) or rawget(step, name)
    local info = type(fn) == "function" and debug.getinfo(fn, "S")
    if info and info.what ~= "C" and not is_own(info.source) then return { M.lines(fn, names[fn] or name) } end
  end
  return {}
end

local methods = { source = "from", sink = "to" }

--- The line of the script that a step was written in, as frames of functions are: "fraud.lua:14: in sum".
---@param step Step
---@return string
function M.place(step)
  return ("%s: in %s"):format(where.text(step.where):match("[^/]*$"), step.role and "on_error" or step.operator or methods[step.kind] or step.kind)
end

local function frames_of(failure)
  if #failure.frames > 0 then return failure.frames end
  local place = failure.message:match("^([^\n]-%.lua:%d+): ")
  return { place and place:match("[^/]*$") }
end

local answering = { [1] = true, [2] = true, [7] = true }

--- A failure that no line of the author is known of: the function of the step that ran, else the step itself.
---@param failure { message: string, frames: string[] }
---@param call ffi.cdata* struct call
---@param step Step
---@param names table<function, string> of callbacks
function M.find_place(failure, call, step, names)
  if #frames_of(failure) > 0 then return end
  local is_answer = not failure.by_record and answering[tonumber(call.request)] -- and no other failure to open or close
  failure.frames = (is_answer or failure.unplaced) and callback_frames(call, step, names) or {}
  if #failure.frames == 0 and step.where then failure.frames[1] = M.place(step) end
end

--- The report of a record that is dropped: what went wrong, and where.
---@param failure { message: string, frames: string[] }
---@return string
function M.line(failure)
  local frame = frames_of(failure)[1]
  return M.for_c(bare(failure.message):match("^[^\n]*")) .. (frame and (" (%s)"):format(frame) or "")
end

--- The whole report.
---@param job_name string
---@param step_name string
---@param subtask integer
---@param failure { message: string, frames: string[] }
---@param record table?
---@return string
function M.text(job_name, step_name, subtask, failure, record)
  local lines = { ("moontide: job %q, step %q, subtask %d: %s"):format(job_name, step_name, subtask, bare(failure.message)) }
  for _, frame in ipairs(frames_of(failure)) do lines[#lines + 1] = "  " .. frame end
  if record then
    local key = record.key ~= nil and clipped(json_text(record.key)) or "none"
    lines[#lines + 1] = ("  key     %s     time %s"):format(key, time_text(record.time))
    lines[#lines + 1] = "  record  " .. record.text
    lines[#lines + 1] = '  state of this record was rolled back; on_error = "fail" (also: "skip", { dead_letter = sink })'
  end
  return M.for_c(table.concat(lines, "\n"))
end

return M
