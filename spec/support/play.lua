-- Cases of time: what goes into some steps, one thing after the other, and what comes
-- out of each. A case is played on both backends, with a snapshot and a restore behind
-- every single step and behind all of them, and, where its records have keys, at other
-- parallelisms between two restores.
--
--     play.case(build, { key = function(value) return value end }, {
--       { wm = 17,           "W(17)" },
--       { push = 5, at = 12, "5@12" },
--     })
--
-- A step is one of: push = value [, at = time], wm = time, pt = clock, idle, active or
-- finish = true, snap = true; with input = and channel =. What comes out is written as
-- records `value@time` (no time: `value`), `W(time)`, `IDLE`, `ACTIVE`, `END`.
local assert = require "luassert"
local testing = require "moontide.testing"

local M = {}

local function text_of(value)
  if type(value) ~= "table" then return tostring(value) end
  local keys, words = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do words[#words + 1] = ("%s=%s"):format(tostring(key), text_of(value[key])) end
  return "{" .. table.concat(words, ",") .. "}"
end

local function time_text(time)
  if time == math.huge then return "MAX" end
  if time == -math.huge then return "MIN" end
  return ("%.0f"):format(time)
end

--- A record as text.
function M.record(element)
  return text_of(element.value) .. (element.timestamp and "@" .. time_text(element.timestamp) or "")
end

local function mark(element)
  if element.watermark then return "W(" .. time_text(element.watermark) .. ")" end
  if element.status then return element.status:upper() end
  if element.ended then return "END" end
  if element.barrier then return "B(" .. element.barrier .. ")" end
  return "X(" .. element.cancelled .. ")"
end

-- Output as marks and, before each of them and behind the last, the records between.
local function split(elements)
  local marks, runs = {}, { {} }
  for _, element in ipairs(elements) do
    if element.value ~= nil then
      table.insert(runs[#runs], M.record(element))
    else
      marks[#marks + 1] = mark(element)
      runs[#runs + 1] = {}
    end
  end
  return { marks = marks, runs = runs }
end

local function join(parts, ordered)
  local words = {}
  for i, run in ipairs(parts.runs) do
    if not ordered then table.sort(run) end
    for _, word in ipairs(run) do words[#words + 1] = word end
    words[#words + 1] = parts.marks[i]
  end
  return table.concat(words, " ")
end

--- All that has come out of a harness since it was asked last, as text.
function M.words(h)
  return join(split(h:output()), true)
end

-- The same of several subtasks, which must have told the same time.
local function merged(harnesses)
  local all
  for _, h in ipairs(harnesses) do
    local parts = split(h:output())
    if all then
      assert.are.same(all.marks, parts.marks)
      for i, run in ipairs(parts.runs) do
        for _, word in ipairs(run) do table.insert(all.runs[i], word) end
      end
    else
      all = parts
    end
  end
  return all
end

local function expected(text, ordered)
  local marks, runs = {}, { {} }
  for word in (text or ""):gmatch("%S+") do
    if word:match("^W%(") or word == "IDLE" or word == "ACTIVE" or word == "END" then
      marks[#marks + 1] = word
      runs[#runs + 1] = {}
    else
      table.insert(runs[#runs], word)
    end
  end
  return join({ marks = marks, runs = runs }, ordered)
end

local Player = {}
Player.__index = Player

local function open(self, restore)
  self.harnesses = {}
  for subtask = 0, self.parallelism - 1 do
    local options = {}
    for name, value in pairs(self.options.harness or {}) do options[name] = value end
    options.parallelism, options.subtask, options.backend = self.parallelism, subtask, self.backend
    options.processing_time, options.restore = self.clock, restore
    self.harnesses[subtask + 1] = testing.harness(self.build, options)
  end
end

local function close(self)
  for _, h in ipairs(self.harnesses) do h:close() end
  self.harnesses = {}
end

-- Where the step's channel is in a harness, and what is known of it.
local function channel(self, h, step)
  return h.inputs[step.input or 1].channels[step.channel or 1]
end

-- What a source upstream would send first: its last watermark again (S9).
local function tell_time_again(self)
  for _, told in ipairs(self.told) do
    for _, h in ipairs(self.harnesses) do
      local target = h.inputs[told.input].channels[told.channel]
      if told.wm and not target.finished then target:watermark(told.wm) end
    end
  end
  for _, told in ipairs(self.told) do
    for _, h in ipairs(self.harnesses) do
      local target = h.inputs[told.input].channels[told.channel]
      if told.idle and not target.finished then target:idle() end
    end
  end
  for _, run in ipairs(merged(self.harnesses).runs) do assert.are.same({}, run, "records came out of a restore") end
end

function Player:restore(parallelism)
  local snapshots = {}
  for i, h in ipairs(self.harnesses) do snapshots[i] = h:snapshot() end
  close(self)
  self.parallelism = parallelism or self.parallelism
  open(self, snapshots)
  tell_time_again(self)
end

local function note(self, step)
  local input, number = step.input or 1, step.channel or 1
  local told
  for _, one in ipairs(self.told) do
    if one.input == input and one.channel == number then told = one end
  end
  if not told then
    told = { input = input, channel = number }
    table.insert(self.told, told)
  end
  if step.wm and not told.idle then told.wm = math.max(told.wm or -math.huge, step.wm) end
  if step.idle then told.idle = true end
  if step.active or step.push ~= nil then told.idle = false end
end

local function push(self, step)
  local target = self.harnesses[1]
  if self.parallelism > 1 then target = self.harnesses[testing.subtask_of(self.options.key(step.push), self.parallelism) + 1] end
  channel(self, target, step):push(step.push, step.at)
end

local actions = {
  wm = function(target, step) target:watermark(step.wm) end,
  idle = function(target) target:idle() end,
  active = function(target) target:active() end,
  finish = function(target) target:finish() end,
}

function Player:step(step)
  note(self, step)
  if step.push ~= nil then push(self, step) end
  for name, action in pairs(actions) do
    for _, h in ipairs(step[name] and self.harnesses or {}) do action(channel(self, h, step), step) end
  end
  if step.pt then
    self.clock = step.pt
    for _, h in ipairs(self.harnesses) do h:set_processing_time(step.pt) end
  end
  if step.snap then self:restore() end
  return join(merged(self.harnesses), self.options.ordered)
end

-- `break_at(i)`: at which parallelism to go on behind step i, nil without a break.
local function play(build, options, steps, backend, name, break_at)
  local self = setmetatable({ build = build, options = options, backend = backend, parallelism = 1, told = {}, harnesses = {} }, Player)
  self.clock = options.processing_time or 0
  local function run()
    open(self)
    for i, step in ipairs(steps) do
      local what = ("step %d (%s), %s, %s"):format(i, text_of(step), backend, name)
      assert.are.equal(expected(step[1], options.ordered), self:step(step), what)
      if step.check then step.check(self.harnesses, what) end
      local parallelism = break_at(i)
      if parallelism and i < #steps then self:restore(parallelism) end
    end
  end
  local ok, failure = xpcall(run, function(failure) return type(failure) == "string" and debug.traceback(failure) or failure end)
  if ok then return close(self) end
  pcall(close, self)
  error(failure, 0)
end

--- Play a case in all ways. `options.key` answers the key of a value, so that the case may be played by several
--- subtasks; `options.breaks = false` where a restore is to change what comes out; `options.ordered`: so are records
--- between two marks; `options.harness`: of every harness; `options.processing_time`: the clock at the start.
function M.case(build, options, steps)
  for _, backend in ipairs { "rocksdb", "memory" } do
    play(build, options, steps, backend, "without a break", function() end)
    if options.breaks ~= false then
      play(build, options, steps, backend, "a break behind each step", function() return 1 end)
      for at = 1, #steps - 1 do
        play(build, options, steps, backend, "a break behind step " .. at, function(i) return i == at and 1 or nil end)
        if options.key then
          play(build, options, steps, backend, "1, 3 and 2 subtasks from step " .. at, function(i)
            if i == at then return 3 elseif i == at + 1 then return 2 end
          end)
        end
      end
    end
  end
end

--- Run a body with a harness on each backend.
function M.each(build, options, body)
  for _, backend in ipairs { "rocksdb", "memory" } do
    local given = { backend = backend }
    for name, value in pairs(options) do given[name] = value end
    local h = testing.harness(build, given)
    local ok, failure = xpcall(body, function(failure) return type(failure) == "string" and debug.traceback(failure) or failure end, h, backend)
    if not ok then
      pcall(h.close, h)
      error(failure, 0)
    end
    h:close()
  end
end

return M
