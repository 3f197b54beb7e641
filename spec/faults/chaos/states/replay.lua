-- Plays a keyed step again in plain Lua over what it wrote, key by key in the order of the numbers that its lines carry.
--
-- In what order the records of a key are processed, and when timers of processing time fire, differs from run to run; the lines
-- say how it was. Given that, each of them must be what the step writes, and none may be missing.
--
-- An event is a line with what its head says (lines.lua); its `id` is the record's among the `records` of its input.
local plain_key = require "support.plain_key"

local M = {}
local Replay = {}
Replay.__index = Replay

-- Timers of processing time fire between two batches: they cannot be later than this.
local LATE_MS = 5000

local callbacks = { { "process_element" }, { "process_element1", "process_element2" } }

-- ---- One key ----

-- What is wrong with a record at this place; nil: nothing.
function Replay:record(event)
  local number = tonumber(event.what)
  local input = self.inputs[number]
  local record = input and input.records[event.id]
  if not record then return "there is no such record" end
  local last = self.last[number] or 0
  if input.ordered and record.n < last then return ("record %d was before it"):format(last) end
  self.last[number] = record.n
  if record.t and record.t <= self.fired then return ("the timer %d fired before it"):format(self.fired) end
  self.own:process(callbacks[#self.inputs][number], record, self.out)
end

-- The same for a timer. Event time rises, and has not come to a timer before all records of its time are there.
function Replay:timer(event)
  local own, domain = self.own, event.what
  if not own:take_timer(domain, event.n) then return "there is no such timer" end
  local earliest = own:earliest(domain)
  if domain == "processing" then
    if event.clock <= event.n then return "it has not come to that" end -- S8
  else
    if earliest and earliest < event.n then return ("the timer %d is before it"):format(earliest) end
    self.fired = event.n
  end
  own:on_timer(domain, event.n, self.out)
end

function Replay:event(event, number)
  if event.number ~= number then return ("it is number %d"):format(number) end
  self.now.clock = event.clock
  local problem
  if event.what == "event" or event.what == "processing" then problem = self:timer(event) else problem = self:record(event) end
  if problem then return problem end
  if self.written.line ~= event.line then return "it should be " .. self.written.line end
  self.values[event.line] = self.written
  local due = self.own:earliest "processing"
  if due and due + LATE_MS < event.clock then return ("the timer %d has not fired"):format(due) end
end

-- Behind a difference all others of the key would follow from it.
function Replay:key(key, events)
  self.now, self.last, self.fired = { clock = 0 }, {}, -math.huge
  self.own = plain_key.new(self.definition, key, self.now)
  table.sort(events, function(x, y)
    if x.number ~= y.number then return x.number < y.number end
    return x.line < y.line
  end)
  for number, event in ipairs(events) do
    local problem = self:event(event, number)
    if problem then return self.report:add("%s: %s", event.line, problem) end
  end
  local due = self.own:earliest "event"
  if due then self.report:add("key %s of the %s step: the timer %d has not fired", key, self.name, due) end
end

-- ---- All keys ----

local function by_key(events)
  local keys = {}
  for _, event in ipairs(events) do
    local list = keys[event.key] or {}
    keys[event.key] = list
    table.insert(list, event)
  end
  return keys
end

function Replay:check_each_once(events)
  local times = { {}, {} }
  for _, event in ipairs(events) do
    local of_input = times[tonumber(event.what)]
    if of_input then of_input[event.id] = (of_input[event.id] or 0) + 1 end
  end
  for number, input in ipairs(self.inputs) do
    for id in pairs(input.records) do
      local count = times[number][id] or 0
      if count ~= 1 then self.report:add("input %d of the %s step: record %s is there %d times", number, self.name, id, count) end
    end
  end
end

--- `given`: the step's name and definition (with the states of plain_state.lua); events; inputs, for each its `records` by their
--- ids and whether it is `ordered`: the records of a key come in the order of their `n`; report.
--- Answers what the step collected, by its lines.
function M.play(given)
  local self = setmetatable({ name = given.name, definition = given.definition, inputs = given.inputs, report = given.report, values = {} }, Replay)
  self.out = { collect = function(_, value) self.written = value end }
  self:check_each_once(given.events)
  for key, events in pairs(by_key(given.events)) do self:key(key, events) end
  return self.values
end

return M
