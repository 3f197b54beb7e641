-- Random programs of windows that keep their elements: joins, co-groups and windows with evictors, with triggers and evictors of
-- one's own, callbacks that fail, batches of records and restores. Played by the engine and by pane_reference.lua, and compared.
local mt = require "moontide"
local copy = require "support.copy"
local draw = require "support.draw"
local own_triggers = require "support.own_triggers"
local pane_reference = require "support.pane_reference"
local random_callbacks = require "support.random_callbacks"
local testing = require "moontide.testing"
local window_play = require "support.window_play"

local M = {}

local HUGE = math.huge
local pick = draw.pick

-- ---- Programs ----

local function gap_of(program)
  return function(value)
    local v = random_callbacks.number_of(value)
    if program.fails == "gap" and v % 11 == 4 then pane_reference.raise() end
    return 3 + v % 9
  end
end

local function random_window(random)
  local kind = pick(random, { "tumbling", "sliding", "sliding", "session", "session", "dynamic", "global" })
  local time = kind ~= "global" and random(5) == 1 and "processing" or "event"
  if kind == "tumbling" then
    local size = random(2, 20)
    return { kind = kind, time = time, size = size, slide = size, offset = random(-size + 1, size - 1) }
  elseif kind == "sliding" then
    local slide = random(1, 8)
    return { kind = kind, time = time, size = random(1, 24), slide = slide, offset = random(-slide + 1, slide - 1) }
  elseif kind == "global" then
    return { kind = kind, time = time }
  end
  return { kind = "session", time = time, size = random(2, 9), dynamic = kind == "dynamic" }
end

local function random_trigger(random, window)
  local kinds = window.kind == "global" and { "count", "scripted" } or { "default", "default", "named", "count", "scripted", "scripted", "scripted" }
  return { kind = pick(random, kinds), purging = random(3) == 1, n = random(1, 5) }
end

local function random_evictor(random, needed)
  if not needed and random(2) == 1 then return nil end
  local kind = pick(random, { "count", "time", "delta", "own", "own" })
  return { kind = kind, when = pick(random, { "before", "after" }), n = random(0, 4), duration = random(0, 12), threshold = random(1, 20),
    first = pick(random, random_callbacks.transforms), last = pick(random, random_callbacks.transforms) }
end

local fails = { "on_element", "on_event_time", "on_processing_time", "on_merge", "clear", "forgotten", "before", "after", "delta", "fn", "fn", "gap" }

--- A program; everything that is random comes from its number.
function M.program(seed)
  local random = draw.generator(seed * 7919 + 23)
  local window = random_window(random)
  local method = pick(random, { "join", "join", "co_group", "co_group", "process", "reduce", "count", "aggregate" })
  local program = { seed = seed, random = random, window = window, method = method, sides = method == "join" or method == "co_group" }
  program.trigger = random_trigger(random, window)
  program.lateness = window.time == "event" and window.kind ~= "global" and pick(random, { 0, 0, 3, 11 }) or 0
  program.evictor = random_evictor(random, not program.sides and method ~= "process")
  program.skips = random(2) == 1
  program.fails = program.skips and pick(random, fails) or nil
  local looks = program.evictor and (program.evictor.kind == "own" or program.evictor.kind == "delta") -- at what the function left
  program.changes = random(3) == 1 and not looks
  return program
end

local function windows_of(program)
  local window = program.window
  if window.kind == "global" then
    return function() return { { start = -HUGE, stop = HUGE } } end
  elseif window.kind == "session" then
    local gap = window.dynamic and gap_of(program) or function() return window.size end
    return function(time, value) return { { start = time, stop = time + gap(value) } } end
  end
  return function(time)
    local list, start = {}, math.floor((time - window.offset) / window.slide) * window.slide + window.offset
    while start > time - window.size do
      list[#list + 1] = { start = start, stop = start + window.size }
      start = start - window.slide
    end
    return list
  end
end

-- ---- The engine's ----

local function assigner(program)
  local window = program.window
  if window.kind == "tumbling" then return mt.tumbling { size = window.size, offset = window.offset, time = window.time } end
  if window.kind == "sliding" then return mt.sliding { size = window.size, slide = window.slide, offset = window.offset, time = window.time } end
  if window.kind == "global" then return mt.global_window {} end
  return mt.session { gap = window.dynamic and gap_of(program) or window.size, time = window.time }
end

local function own_time_trigger(program)
  return own_triggers.triggers[program.window.time .. "_time"](program.trigger)
end

local function triggers_of(program)
  local trigger = program.trigger
  if trigger.kind == "scripted" then
    local written = random_callbacks.trigger(program)
    return written, written
  elseif trigger.kind == "count" then
    local made = mt.trigger.count(trigger.n)
    return random_callbacks.count_trigger(trigger), trigger.purging and mt.trigger.purging(made) or made
  end
  local made = mt.trigger[program.window.time .. "_time"]()
  if trigger.purging then made = mt.trigger.purging(made) elseif trigger.kind == "default" then made = nil end
  return own_time_trigger(program), made
end

local function evictors_of(program)
  local evictor = program.evictor
  if not evictor then return nil, nil end
  local plain = random_callbacks.evictor(program)
  if evictor.kind == "own" then return plain, plain end
  if evictor.kind == "count" then return plain, mt.evictor.count(evictor.n, evictor.when) end
  if evictor.kind == "time" then return plain, mt.evictor.time(evictor.duration, evictor.when) end
  return plain, mt.evictor.delta(evictor.threshold, random_callbacks.delta(program), evictor.when)
end

local function timed(stream)
  return stream:flat_map(function(records, out)
    for _, record in ipairs(records) do out:collect(record, record.t) end
  end)
end

local function builder(program)
  local functions = random_callbacks.functions(program)
  return function(left, right)
    local windowed
    if program.sides then
      windowed = timed(left)
      windowed = windowed[program.method](windowed, timed(right), { left = "k", right = function(record) return record.k end })
    else
      windowed = timed(left):key_by("k")
    end
    windowed = windowed:window(assigner(program))
    if program.made_trigger then windowed = windowed:trigger(program.made_trigger) end
    if program.made_evictor then windowed = windowed:evictor(program.made_evictor) end
    if program.lateness > 0 then windowed = windowed:allowed_lateness(program.lateness) end
    return functions.apply(windowed:side_output_late("late"))
  end
end

-- ---- What comes out ----

local function is_mark(text) return text:find("^W%(") or text == "idle" or text == "active" end

local function parted(list)
  local marks, runs = {}, { {} }
  for _, text in ipairs(list) do
    if is_mark(text) then
      marks[#marks + 1] = text
      runs[#runs + 1] = {}
    else
      table.insert(runs[#runs], text)
    end
  end
  return marks, runs
end

local function words_of(lists)
  local all, late, first = {}, {}, nil
  for _, list in ipairs(lists) do
    local kept = {}
    for _, text in ipairs(list) do table.insert(text:find("^late ") and late or kept, text) end
    local marks, runs = parted(kept)
    first = first or marks
    assert(table.concat(first, " ") == table.concat(marks, " "), "subtasks tell different times")
    for i, run in ipairs(runs) do
      all[i] = all[i] or {}
      for _, text in ipairs(run) do table.insert(all[i], text) end
    end
  end
  local words = {}
  for i, run in ipairs(all) do
    table.sort(run)
    for _, text in ipairs(run) do words[#words + 1] = text end
    words[#words + 1] = first[i]
  end
  table.sort(late)
  return table.concat(words, " ; ") .. " late: " .. table.concat(late, " ; ")
end

-- ---- Play ----

local Play = {}
Play.__index = Play

function Play:open(restore)
  self.harnesses = {}
  for subtask = 0, self.parallelism - 1 do
    self.harnesses[subtask + 1] = testing.harness(builder(self.program), { inputs = self.inputs, backend = self.backend, memory = self.memory,
      parallelism = self.parallelism, subtask = subtask, processing_time = self.reference.clock, restore = restore,
      on_error = self.program.skips and "skip" or "fail" })
  end
end

function Play:close()
  for _, h in ipairs(self.harnesses) do h:close() end
end

function Play:each(fn)
  for _, h in ipairs(self.harnesses) do fn(h) end
end

function Play:sum(fn)
  local total = 0
  self:each(function(h) total = total + fn(h) end)
  return total
end

function Play:differ(what, expected, got)
  if expected == got then return end
  error(("%s\n  after:\n    %s\n  %s expected %s\n  %s got      %s"):format(self.title, table.concat(self.log, "\n    "), what, expected, what, got), 0)
end

function Play:compare(what)
  self.log[#self.log + 1] = what
  local lists = {}
  for i, h in ipairs(self.harnesses) do lists[i] = window_play.output(h, self.result_text, random_callbacks.text) end
  self:differ("output", words_of { self.reference:take() }, words_of(lists))
  for domain, count in pairs(window_play.timer_counts(self.reference)) do
    self:differ(domain .. " timers", count, self:sum(function(h) return h:timer_count(domain) end))
  end
  if self.program.trigger.kind ~= "count" then self:differ("rows", self.reference:rows(), self:sum(function(h) return h:state_size() end)) end
end

-- Many make more windows than are composed at once, and loops that are compiled.
local batch_sizes = { { 1 }, { 1, 1, 2, 5, 20 }, { 1, 1, 2, 5, 20 }, { 1, 3, 60 } }

local actions = {}

local function random_record(self, random)
  self.time = self.time + random(0, 2)
  return { k = pick(random, { "a", "a", "a", "b", "c" }), v = random(0, 40), t = self.time - random(0, 14),
    pad = ("x"):rep(pick(random, { 0, 0, 3, 40, 200, 700 })), n = random(4) == 1 and { 1, { 2 } } or nil }
end

function actions.push(self, random, input)
  local records, words, parts = {}, {}, {}
  for i = 1, pick(random, self.sizes) do
    records[i] = random_record(self, random)
    words[i] = random_callbacks.text(records[i])
    local subtask = testing.subtask_of(records[i].k, self.parallelism) + 1
    parts[subtask] = parts[subtask] or {}
    table.insert(parts[subtask], records[i])
  end
  self:each(function(h) h.inputs[input]:active() end)
  for subtask, part in pairs(parts) do self.harnesses[subtask].inputs[input]:push(part) end
  self.reference:push(input, records)
  return table.concat(words, " ")
end

function actions.watermark(self, random, input)
  local time = self.time - random(-2, 12)
  self:each(function(h) h.inputs[input]:watermark(time) end)
  self.reference:set_watermark(input, time)
  return "wm " .. time
end

function actions.idle(self, _, input)
  self:each(function(h) h.inputs[input]:idle() end)
  self.reference:set_idle(input)
  return "idle"
end

function actions.active(self, _, input)
  self:each(function(h) h.inputs[input]:active() end)
  self.reference:activate(input)
  return "active"
end

function actions.clock(self, random)
  local now = self.reference.clock + random(0, 9)
  self:each(function(h) h:set_processing_time(now) end)
  self.reference:set_clock(now)
  return "pt " .. now
end

function actions.restore(self, random)
  local snapshots = {}
  for i, h in ipairs(self.harnesses) do snapshots[i] = h:snapshot() end
  self:close()
  self.parallelism = pick(random, { 1, 1, self.parallelism, 2, 3 })
  self:open(snapshots)
  self.reference:restore(false)
  return "SNAP as " .. self.parallelism
end

local chances = { "push", "push", "push", "push", "push", "push", "push", "watermark", "watermark", "watermark", "clock", "clock", "idle", "active", "restore" }

local function play(self, steps)
  local random = self.program.random
  for _ = 1, steps do
    local name, input = pick(random, chances), random(self.inputs)
    if name ~= "restore" or random(2) == 1 then
      local what = actions[name](self, random, input)
      self:compare(("%s of %d"):format(what, input))
    end
  end
  for input = 1, self.inputs do -- how an idle one ends is a matter of the steps in between
    actions.active(self, random, input)
    self:compare("active of " .. input)
  end
  for input = 1, self.inputs do
    self:each(function(h) h.inputs[input]:finish() end)
    self.reference:finish(input)
    self:compare("finish of " .. input)
  end
end

local function title_of(program, backend)
  return ("program %d on %s: %s %s lateness=%d skips=%s fails=%s changes=%s"):format(program.seed, backend, program.method, window_play.text(program),
    program.lateness, tostring(program.skips), tostring(program.fails), tostring(program.changes))
end

--- Play one program; raises where the engine and the reference differ. Answers how often a callback failed.
function M.play(seed, backend)
  local program = M.program(seed)
  program.plain_trigger, program.made_trigger = triggers_of(program)
  program.plain_evictor, program.made_evictor = evictors_of(program)
  program.windows_of, program.copy, program.text = windows_of(program), copy, random_callbacks.text
  local functions = random_callbacks.functions(program)
  program.emit, program.seen, program.forgotten = functions.emit, functions.seen, functions.forgotten
  local self = setmetatable({ program = program, backend = backend, inputs = program.sides and 2 or 1, parallelism = 1, time = 20, log = {},
    sizes = pick(program.random, batch_sizes),
    result_text = functions.result_text, title = title_of(program, backend) }, Play)
  self.reference = pane_reference.new(program, self.inputs)
  program.reference = self.reference
  self.memory = backend == "rocksdb" and program.random(4) == 1 and 1 or nil -- without memory rows lie in the store
  self:open()
  local ok, message = xpcall(play, function(e) return type(e) == "string" and not e:find("^program") and debug.traceback(e) or e end, self, program.random(10, 50))
  pcall(self.close, self)
  if not ok then error(message:find("^program") and message or self.title .. "\n    " .. table.concat(self.log, "\n    ") .. "\n" .. message, 0) end
  return self.reference.failures
end

return M
