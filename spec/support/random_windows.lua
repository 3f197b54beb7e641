-- Random programs of windows, played by the engine and by the reference, and compared.
-- Everything that is random comes from one number.
local moved = require "support.moved"
local mt = require "moontide"
local own = require "support.own_triggers"
local draw = require "support.draw"
local reference = require "support.window_reference"
local window_play = require "support.window_play"

local M = {}

local HUGE = math.huge
local generator, pick = draw.generator, draw.pick
local CHANNELS = 2

local function gap_of(value) return 3 + value % 9 end

local function random_stagger(random) return random(4) == 1 and "natural" or "aligned" end

local function random_window(random)
  local kind = pick(random, { "tumbling", "sliding", "sliding", "session", "dynamic", "global" })
  local time = random(4) == 1 and "processing" or "event"
  if kind == "tumbling" then
    local size = random(2, 20)
    return { kind = kind, time = time, size = size, slide = size, offset = random(-size + 1, size - 1), stagger = random_stagger(random) }
  elseif kind == "sliding" then
    local slide = random(1, 8)
    local size, offset = random(1, 24), random(-slide + 1, slide - 1)
    return { kind = kind, time = time, size = size, slide = slide, offset = offset, stagger = random_stagger(random) }
  elseif kind == "session" then
    return { kind = "session", time = time, size = random(2, 9) }
  elseif kind == "dynamic" then
    return { kind = "session", time = time, gap = gap_of }
  end
  return { kind = "global", time = "event" }
end

local function random_trigger(random, window)
  -- (A continuous trigger of the global window would fire at each interval up to MAX.)
  local kinds = window.kind == "global" and { "count", "count", "delta", "end_of_stream", "never" }
    or { "default", "default", "default", "count", "continuous", "end_of_stream", window.kind == "session" and "count" or "delta" }
  local kind, purging = pick(random, kinds), random(3) == 1
  if kind == "default" then kind = window.time == "event" and "event_time" or "processing_time" else purging = purging or random(2) == 1 end
  if kind == "never" then purging = false end
  local written = own.triggers[kind] ~= nil and (window.kind ~= "global" or kind == "count" or kind == "delta") and random(4) == 1
  return { kind = kind, purging = purging, n = random(1, 4), interval = random(1, 7), threshold = random(1, 20), own = written }
end

local function random_evictor(random, window)
  if random(4) ~= 1 then return nil end
  -- What is first in a merged window is nobody's promise: there only the times count.
  local kind = window.kind == "session" and "time" or pick(random, { "count", "time", "delta" })
  return { kind = kind, when = pick(random, { "before", "after" }), n = random(0, 4), duration = random(0, 12), threshold = random(1, 20), own = random(4) == 1 }
end

function M.program(seed)
  local random = generator(seed * 7919 + 17)
  local window = random_window(random)
  local program = { window = window, trigger = random_trigger(random, window), lateness = window.time == "event" and pick(random, { 0, 0, 3, 11 }) or 0 }
  program.evictor = random_evictor(random, window)
  program.contents = program.evictor and "list" or pick(random, { "list", "reduce", "aggregate", "sum", "count", "max" })
  program.random = random
  return program
end

local function window_of(window)
  local size, slide, offset, time, stagger = window.size, window.slide, window.offset, window.time, window.stagger
  if window.kind == "tumbling" then return mt.tumbling { size = size, offset = offset, time = time, stagger = stagger } end
  if window.kind == "sliding" then return mt.sliding { size = size, slide = slide, offset = offset, time = time, stagger = stagger } end
  if window.kind == "session" then
    return mt.session { gap = window.gap and function(record) return window.gap(record.v) end or window.size, time = window.time }
  end
  return mt.global_window {}
end

local function trigger_of(trigger)
  if trigger.own then return own.triggers[trigger.kind](trigger) end
  local made
  if trigger.kind == "event_time" then made = mt.trigger.event_time() end
  if trigger.kind == "processing_time" then made = mt.trigger.processing_time() end
  if trigger.kind == "count" then made = mt.trigger.count(trigger.n) end
  if trigger.kind == "continuous" then made = mt.trigger.continuous_event_time(trigger.interval) end
  if trigger.kind == "delta" then
    made = mt.trigger.delta(trigger.threshold, function(last, new) return math.abs(new.v - last.v) end)
  end
  if trigger.kind == "end_of_stream" then made = mt.trigger.end_of_stream() end
  return made and (trigger.purging and mt.trigger.purging(made) or made)
end

local function evictor_of(evictor)
  if evictor.own then return own.evictor(evictor) end
  if evictor.kind == "count" then return mt.evictor.count(evictor.n, evictor.when) end
  if evictor.kind == "time" then return mt.evictor.time(evictor.duration, evictor.when) end
  return mt.evictor.delta(evictor.threshold, function(element, last) return math.abs(element.v - last.v) end, evictor.when)
end

-- What the reference calls a window's elements: those of a fold are counted and added up.
local function text_of(key, window, count, sum, values)
  local start, stop = window.start or -HUGE, window["end"] or HUGE
  if values then table.sort(values) end
  return ("%s|%s|%s|%d|%d|%s"):format(key, tostring(start), tostring(stop), count, sum, values and table.concat(values, " ") or "")
end

local functions = {
  list = function(stream)
    return stream:process("w", function(key, window, content, _, out)
      local sum, values = 0, {}
      for i, record in ipairs(content) do sum, values[i] = sum + record.v, record.v end
      out:collect(text_of(key, window, #content, sum, values))
    end)
  end,
  reduce = function(stream)
    return stream:reduce("w", function(a, b) return { k = a.k, v = a.v + b.v, n = (a.n or 1) + (b.n or 1) } end, function(key, window, content, _, out)
      out:collect(text_of(key, window, content.n or 1, content.v))
    end)
  end,
  aggregate = function(stream)
    return stream:aggregate("w", {
      create = function() return { n = 0, v = 0 } end,
      add = function(acc, record) return { n = acc.n + 1, v = acc.v + record.v } end,
      merge = function(a, b) return { n = a.n + b.n, v = a.v + b.v } end,
      result = function(acc) return acc end,
    }, function(key, window, content, _, out) out:collect(text_of(key, window, content.n, content.v)) end)
  end,
}

-- These may be the engine's own, and show nothing but their one number.
for _, name in ipairs { "sum", "max" } do
  functions[name] = function(stream) return stream[name](stream, "w", "v") end
end
functions.count = function(stream) return stream:count("w") end

local function built_in(name, value)
  return ("%s|%s|%s|%d"):format(value.key, tostring(value.window_start or -HUGE), tostring(value.window_end or HUGE), value[name])
end

-- The same of what the reference tells: key, start, stop, count, sum, values.
local function reduced(name, text)
  local window, count, sum, values, rest = text:match("^(.-|.-|.-)|(.-)|(.-)|([^@]*)(@.*)$")
  local max = -HUGE
  for number in values:gmatch("%-?%d+") do max = math.max(max, tonumber(number)) end
  return ("%s|%s%s"):format(window, ({ count = count, sum = sum, max = ("%d"):format(max) })[name], rest)
end

local function builder(program)
  return function(stream)
    local windowed = stream:key_by("k"):window(window_of(program.window))
    local default = program.trigger.kind == "event_time" or program.trigger.kind == "processing_time"
    -- The window's own trigger and the same one given by name take different ways through the engine.
    if program.trigger.kind ~= "never" and (program.trigger.purging or program.trigger.own or not default or program.named) then
      windowed = windowed:trigger(trigger_of(program.trigger))
    end
    if program.evictor then windowed = windowed:evictor(evictor_of(program.evictor)) end
    if program.lateness > 0 then windowed = windowed:allowed_lateness(program.lateness) end
    return functions[program.contents](windowed:side_output_late("late"))
  end
end

-- ---- Play ----

local function engine_output(h, program)
  return window_play.output(h, function(value) return type(value) == "table" and built_in(program.contents, value) or value end,
    function(record) return ("%s|%d"):format(record.k, record.v) end)
end

local shows_one_number = { sum = true, max = true, count = true }

-- Records between two marks are a set; late ones stand in the side output, without a place among the marks.
local function canonical(list, program)
  local marks, runs, late = {}, { {} }, {}
  for _, text in ipairs(list) do
    if text:find("^late ") then
      late[#late + 1] = text
    elseif text:find("^W%(") or text == "idle" or text == "active" then
      marks[#marks + 1] = text
      runs[#runs + 1] = {}
    elseif shows_one_number[program.contents] then
      table.insert(runs[#runs], text:find("^.-|.-|.-|.-|.-|") and reduced(program.contents, text) or text)
    else
      -- A fold does not show its values.
      table.insert(runs[#runs], program.contents == "list" and text or (text:gsub("^(.-|.-|.-|.-|.-|)[^@]*@", "%1@")))
    end
  end
  local words = {}
  for i, run in ipairs(runs) do
    table.sort(run)
    for _, text in ipairs(run) do words[#words + 1] = text end
    words[#words + 1] = marks[i]
  end
  table.sort(late)
  return table.concat(words, " ; ") .. " late: " .. table.concat(late, " ; ")
end

local Play = {}
Play.__index = Play

function Play:compare(what)
  local expected, got = canonical(self.reference:take(), self.program), canonical(engine_output(self.harness, self.program), self.program)
  self.log[#self.log + 1] = what
  if expected ~= got then
    error(("%s\n  after: %s\n  expected %s\n  got      %s"):format(self.title, table.concat(self.log, ", "), expected, got), 0)
  end
  -- Timers that were merged away or deleted must be gone in both.
  for domain, count in pairs(window_play.timer_counts(self.reference)) do
    local seen = self.harness:timer_count(domain)
    if seen ~= count then
      error(("%s\n  after: %s\n  %d %s timers expected, got %d"):format(self.title, table.concat(self.log, ", "), count, domain, seen), 0)
    end
  end
end

function Play:open(memory)
  self.harness = moved.new(builder(self.program), {
    backend = self.backend, memory = memory, key = function(record) return record.k end, harness = { channels = CHANNELS }, sides = { "late" },
    tells_restores = true, what = self.title,
  })
end

local actions = {}

function actions.push(self, random, channel)
  if self.finished[channel] then return end
  local key, value = pick(random, { "a", "a", "a", "b", "b", "c", "d" }), random(0, 40)
  self.time = self.time + random(0, 3)
  local time = self.time - random(0, 14)
  self.reference:push(channel, key, value, time)
  self.harness.inputs[1].channels[channel]:push({ k = key, v = value }, time)
  return ("%s %d@%d/%d"):format(key, value, time, channel)
end

function actions.watermark(self, random, channel)
  if self.finished[channel] then return end
  local time = self.time - random(-2, 12)
  self.reference:set_watermark(channel, time)
  self.harness.inputs[1].channels[channel]:watermark(time)
  return ("wm %d/%d"):format(time, channel)
end

function actions.idle(self, _, channel)
  if self.finished[channel] then return end
  self.reference:set_idle(channel)
  self.harness.inputs[1].channels[channel]:idle()
  return "idle/" .. channel
end

function actions.active(self, _, channel)
  if self.finished[channel] then return end
  self.reference:activate(channel)
  self.harness.inputs[1].channels[channel]:active()
  return "active/" .. channel
end

function actions.clock(self, random)
  local now = self.reference.clock + random(0, 9)
  self.reference:set_clock(now)
  self.harness:set_processing_time(now)
  return "pt " .. now
end

function actions.restore(self, random)
  local told, parallelism = random(2) == 1, random(2) == 1 and random(3) or nil
  if not self.reference:has_offset() then parallelism = nil end -- each of several subtasks would draw its own
  self.reference:restore(told)
  self.harness:snap(parallelism, not told)
  return ("SNAP as %d%s"):format(self.harness.parallelism, told and "" or ", time untold")
end

local chances = { "push", "push", "push", "push", "push", "push", "watermark", "watermark", "watermark", "clock", "clock", "idle", "active", "restore" }

local function finish(self)
  for channel = 1, CHANNELS do
    self.reference:finish(channel)
    self.harness.inputs[1].channels[channel]:finish()
    self:compare("finish/" .. channel)
  end
end

local function play(self, steps)
  local random = self.program.random
  if not self.reference:has_offset() then self:compare(actions.clock(self, random)) end -- what is drawn at 0 shifts nothing
  for _ = 1, steps do
    local name = pick(random, chances)
    if name ~= "restore" or random(3) == 1 then
      local what = actions[name](self, random, random(CHANNELS))
      if what then self:compare(what) end
    end
  end
  finish(self)
end

local function title_of(seed, backend, program)
  return ("program %d on %s: %s lateness=%d %s"):format(seed, backend, window_play.text(program), program.lateness, program.contents)
end

--- Play one program; raises where the engine and the reference differ.
function M.play(seed, backend)
  local program = M.program(seed)
  -- A window of the very millisecond that was fired by hand may begin anew, which shared slices cannot tell from an old one.
  program.named = program.random(2) == 1 or (program.window.time == "processing" and program.window.slide ~= program.window.size)
  local self = setmetatable({ program = program, backend = backend, reference = reference.new(program, CHANNELS), time = 20, finished = {}, log = {},
    title = title_of(seed, backend, program) }, Play)
  self:open(backend == "rocksdb" and program.random(4) == 1 and 1 or nil) -- without memory rows lie in the store
  local ok, message = pcall(play, self, program.random(20, 60))
  self.harness:close()
  if not ok then error(message, 0) end
end

return M
