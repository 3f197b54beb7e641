-- A harness that is put away and restored behind its steps, at the same parallelism or at
-- another one, and is to its test one harness all the same. Whatever goes in is a step:
-- a push, a mark, a move of the clock. At a restore the time of each channel is told again,
-- as a source does (S9), from which no record may come.
--
-- Records go to the subtask of their key, marks to all. What several subtasks put out for
-- one step is merged: between marks, which must be the same, by the times of the records
-- (S1); what all of them say of a record that each of them got is said once.
local assert = require "luassert"
local testing = require "moontide.testing"
local words = require "support.words"

local M = {}
local Moved, Channel, Input = {}, {}, {}
Channel.__index = Channel
Moved.__index = Moved
-- What is called on an input goes to its first channel, what is called on all of it to the first input.
Input.__index = function(input, name)
  return Channel[name] and function(_, ...) return Channel[name](input.channels[1], ...) end
end
for _, name in ipairs { "push", "watermark", "idle", "active", "finish" } do
  Moved[name] = function(self, ...) return Channel[name](self.inputs[1].channels[1], ...) end
end

-- ---- What comes out ----

local function append(list, more)
  for _, element in ipairs(more) do list[#list + 1] = element end
end

-- Output as marks, and the records before each of them and behind the last.
local function split(elements)
  local marks, runs = {}, { {} }
  for _, element in ipairs(elements) do
    if element.value ~= nil then
      table.insert(runs[#runs], element)
    else
      marks[#marks + 1] = element
      runs[#runs + 1] = {}
    end
  end
  return marks, runs
end

local function all_the_same(lists)
  for _, list in ipairs(lists) do
    if words.seen(list, true) ~= words.seen(lists[1], true) then return false end
  end
  return true
end

-- The runs of the subtasks as one. Stable: the records of a subtask keep their order among equal times.
local function by_time(runs)
  local run, filled = {}, 0
  for _, part in ipairs(runs) do
    filled = filled + (part[1] and 1 or 0)
    append(run, part)
  end
  if filled < 2 then return run end
  for i, element in ipairs(run) do element.place = i end
  table.sort(run, function(a, b)
    local left, right = a.timestamp or -math.huge, b.timestamp or -math.huge
    return left < right or (left == right and a.place < b.place)
  end)
  for _, element in ipairs(run) do element.place = nil end
  return run
end

local function merged(lists, everywhere)
  if everywhere and all_the_same(lists) then return lists[1] end
  local marks, all = nil, {}
  for subtask, list in ipairs(lists) do
    local own_marks, runs = split(list)
    marks = marks or own_marks
    assert.are.equal(words.seen(marks, true), words.seen(own_marks, true), "subtask " .. subtask - 1 .. " tells another time")
    for i, run in ipairs(runs) do
      all[i] = all[i] or {}
      table.insert(all[i], run)
    end
  end
  local out = {}
  for i, runs in ipairs(all) do
    append(out, by_time(runs))
    out[#out + 1] = marks[i]
  end
  return out
end

local function each(self, take)
  local lists = {}
  for i, h in ipairs(self.harnesses) do lists[i] = take(h) end
  return merged(lists, self.went_everywhere)
end

local function take_all(self)
  append(self.out, each(self, function(h) return h:output() end))
  for _, tag in ipairs(self.given.sides or {}) do append(self.sides[tag], each(self, function(h) return h:side_output(tag) end)) end
end

--- What came out since the last call, as a harness says it.
function Moved:output()
  local out = self.out
  self.out = {}
  return out
end

--- The values of what came out since the last call.
function Moved:values()
  local list = {}
  for _, element in ipairs(self:output()) do
    if element.value ~= nil then list[#list + 1] = element.value end
  end
  return list
end

--- What was sent to a tag since the last call; the tag must be one of `sides`.
function Moved:side_output(tag)
  local out = assert(self.sides[tag], "which is none of the sides: " .. tag)
  self.sides[tag] = {}
  return out
end

--- Compare what came out since the last call with a text (support/words.lua).
function Moved:expect(text, what)
  local ordered = self.given.ordered
  assert.are.equal(words.expected(text, ordered), words.seen(self:output(), ordered), what or self.what)
end

--- The same of a side output.
function Moved:expect_side(tag, text, what)
  assert.are.equal(words.expected(text, true), words.seen(self:side_output(tag), true), what or self.what)
end

-- ---- Away and back ----

local function open(self, restore)
  self.harnesses = {}
  for subtask = 0, self.parallelism - 1 do
    local options = {}
    for name, value in pairs(self.given.harness or {}) do options[name] = value end
    options.parallelism, options.subtask, options.backend = self.parallelism, subtask, self.given.backend
    options.processing_time, options.restore = self.clock, restore
    options.memory = self.given.memory or options.memory
    self.harnesses[subtask + 1] = testing.harness(self.build, options)
  end
end

--- Put it away for good.
function Moved:close()
  for _, h in ipairs(self.harnesses) do h:close() end
  self.harnesses = {}
end

local function tell(self, name)
  for _, channel in ipairs(self.told) do
    for _, h in ipairs(channel[name] and self.harnesses or {}) do
      local target = channel:of(h)
      if not target.finished then target[name == "time" and "watermark" or "idle"](target, name == "time" and channel.time or nil) end
    end
  end
end

-- Of what a harness says by itself when it is restored; marks are those that were there before.
local function drop_marks(self)
  local out, sides = self.out, self.sides
  self.out, self.sides = {}, {}
  for tag in pairs(sides) do self.sides[tag] = {} end
  take_all(self)
  for _, element in ipairs(self.out) do assert.is_nil(element.value, "a record came out of a restore, " .. self.what) end
  for _, side in pairs(self.sides) do assert.are.same({}, side, self.what) end
  self.out, self.sides = out, sides
end

--- |SNAP|: snapshot, destroy, restore as so many subtasks.
---@param parallelism? integer as before
---@param silent? boolean the time of the channels is not told again
function Moved:snap(parallelism, silent)
  local snapshots = {}
  for i, h in ipairs(self.harnesses) do snapshots[i] = h:snapshot() end
  self:close()
  self.parallelism = parallelism or self.parallelism
  open(self, snapshots)
  for _, channel in ipairs(silent and self.told or {}) do channel.time, channel.is_idle = nil, false end
  tell(self, "time")
  tell(self, "is_idle")
  if self.given.tells_restores then take_all(self) else drop_marks(self) end
end

-- ---- What goes in ----

-- Behind a step its moves decide what becomes of the harness; not while a barrier is being aligned, whose checkpoint
-- a restore would give up.
local function stepped(self)
  take_all(self)
  self.went_everywhere = false
  self.steps = self.steps + 1
  local parallelism = self.given.moves and self.given.moves(self.steps)
  if parallelism and #self:blocked() == 0 then self:snap(parallelism) end
end

function Channel:of(h)
  return h.inputs[self.input].channels[self.number]
end

local function on_all(channel, name, ...)
  for _, h in ipairs(channel.moved.harnesses) do
    local target = channel:of(h)
    target[name](target, ...)
  end
end

function Channel:push(value, timestamp)
  local moved = self.moved
  if self.is_idle and moved.parallelism > 1 then on_all(self, "active") end -- as a step upstream says to all
  self.is_idle = false
  moved.went_everywhere = (moved.given.everywhere or {})[self.input]
  if moved.parallelism == 1 or moved.went_everywhere then
    on_all(self, "push", value, timestamp)
  else
    local key = moved.given.key(value, self.input)
    self:of(moved.harnesses[testing.subtask_of(key, moved.parallelism) + 1]):push(value, timestamp)
  end
  stepped(moved)
end

function Channel:watermark(time)
  if not self.is_idle then self.time = math.max(self.time or -math.huge, time) end
  on_all(self, "watermark", time)
  stepped(self.moved)
end

function Channel:idle()
  self.is_idle = true
  on_all(self, "idle")
  stepped(self.moved)
end

function Channel:active()
  self.is_idle = false
  on_all(self, "active")
  stepped(self.moved)
end

function Channel:barrier(id)
  on_all(self, "barrier", id)
  stepped(self.moved)
end

function Channel:finish()
  on_all(self, "finish")
  stepped(self.moved)
end

--- A watermark on all channels of all inputs: a step each.
function Moved:watermarks(time)
  for _, channel in ipairs(self.told) do channel:watermark(time) end
end

function Moved:set_processing_time(time)
  self.clock = time
  for _, h in ipairs(self.harnesses) do h:set_processing_time(time) end
  stepped(self)
end

-- ---- What it says of itself ----

--- The channels that alignment holds back.
function Moved:blocked() return self.harnesses[1]:blocked() end

local function sum(self, ask)
  local total = 0
  for _, h in ipairs(self.harnesses) do total = total + ask(h) end
  return total
end

function Moved:state_size() return sum(self, function(h) return h:state_size() end) end

--- Timers of a domain; of both without one.
function Moved:timer_count(domain)
  if not domain then return self:timer_count("event") + self:timer_count("processing") end
  return sum(self, function(h) return h:timer_count(domain) end)
end

local function new_inputs(moved)
  local options, inputs = moved.given.harness or {}, {}
  for input = 1, options.inputs or 1 do
    inputs[input] = setmetatable({ channels = {} }, Input)
    for number = 1, options.channels or 1 do
      local channel = setmetatable({ moved = moved, input = input, number = number }, Channel)
      inputs[input].channels[number] = channel
      table.insert(moved.told, channel)
    end
  end
  return inputs
end

---@class Given
---@field backend "rocksdb"|"memory"
---@field memory? integer of every harness
---@field moves? fun(step: integer): integer? the parallelism to be restored at behind a step; nil: nothing happens
---@field what? string for messages
---@field harness? HarnessOptions of every harness
---@field key? fun(value: any, input: integer): any where moves lead to several subtasks
---@field everywhere? table<integer, boolean> inputs whose records go to all subtasks
---@field sides? string[] tags that are looked at
---@field tells_restores? boolean what comes out of a restore is output too
---@field ordered? boolean is the order of records between two marks compared?

--- A harness that moves; close() it.
---@param build fun(...: Stream): Stream
---@param given Given
function M.new(build, given)
  local moved = setmetatable({ build = build, given = given, parallelism = 1, steps = 0, told = {}, out = {}, sides = {}, what = given.what or "" }, Moved)
  moved.clock = (given.harness or {}).processing_time or 0
  moved.inputs = new_inputs(moved)
  for _, tag in ipairs(given.sides or {}) do moved.sides[tag] = {} end
  open(moved)
  take_all(moved)
  return moved
end

return M
