-- Aggregates that the engine has over windows must be told from those in Lua by their speed alone: random
-- programs are run both ways. A trigger that is named keeps a step in Lua, also where it is the window's own.
local mt = require "moontide"
local testing = require "moontide.testing"
local engine_window = require "moontide.runtime.engine_window"

local function pick(random, list) return list[random(#list)] end

local function random_program(random)
  local program = { time = random(4) == 1 and "processing" or "event", operator = pick(random, { "count", "sum", "min", "max", "several" }) }
  program.kind = random(3) == 1 and "session" or "sliding"
  program.size = random(40)
  program.slide = (program.kind == "session" or random(3) == 1) and program.size or random(50)
  program.offset = random(program.slide) - 1
  if random(2) == 1 then program.offset = -program.offset end
  if program.time == "processing" then -- the clock of a harness fires what is due at it: no window may end just there
    program.size, program.slide, program.offset = program.size * 4, program.slide * 4, program.offset * 4
  end
  program.lateness = random(2) == 1 and 0 or random(40)
  program.side = random(2) == 1
  -- Sums that leave 2^53 and come back are told differently where they are put together from slices or sessions.
  program.wide = random(3) == 1 and (program.operator == "min" or program.operator == "max" or (program.slide == program.size and program.kind == "sliding"))
  program.backend = pick(random, { "memory", "rocksdb" })
  return program
end

local function random_value(random, program)
  if random(12) == 1 then return pick(random, { "7", true, mt.null, {} }) end
  if random(20) == 1 then return nil end
  if program.wide and random(3) == 1 then
    if program.operator ~= "sum" and program.operator ~= "several" and random(4) == 1 then return 0xffffffffffffff00ULL + random(100) end
    return (random(2) == 1 and 1LL or -1LL) * (9007199254740993LL + random(1000))
  end
  return random(-1000, 1000)
end

-- What happens, as functions of a harness; both ways get the same ones.
local function random_script(random, program)
  local script, now, watermark, clock = {}, 0, nil, 0
  local function add(step) script[#script + 1] = step end
  for _ = 1, 60 do
    local choice = random(10)
    if choice <= 6 then
      now = now + random(-8, 12)
      local record, time = { key = pick(random, { "a", "b", "c", 17 }), n = random_value(random, program) }, now
      if random(40) == 1 then time = math.huge end
      if random(60) == 1 then time = nil end
      add { push = record, at = time }
    elseif choice <= 8 then
      watermark = math.max(watermark or -math.huge, now - random(0, 15))
      add { watermark = watermark }
    elseif choice == 9 then
      clock = clock + 4 * random(20)
      add { clock = clock }
    else
      add { snapshot = true, watermark = random(2) == 1 and watermark or nil, clock = clock } -- or time goes back
    end
  end
  add { clock = clock + 1000 }
  add { watermark = math.huge }
  return script
end

local function build(program, in_lua)
  return function(input)
    local window = program.kind == "session" and mt.session { gap = program.size, time = program.time }
      or mt.sliding { size = program.size, slide = program.slide, offset = program.offset, time = program.time }
    local stream = input:key_by("key"):window(window):allowed_lateness(program.lateness)
    if program.side then stream = stream:side_output_late("late") end
    if in_lua then stream = stream:trigger(program.time == "event" and mt.trigger.event_time() or mt.trigger.processing_time()) end
    if program.operator == "several" then
      return stream:aggregate("w", mt.aggregates {
        number = mt.agg.count(), total = mt.agg.sum "n", least = mt.agg.min "n", ["a most"] = mt.agg.max "n", mean = mt.agg.avg "n",
      })
    end
    return program.operator == "count" and stream:count("w") or stream[program.operator](stream, "w", "n")
  end
end

local function text_of(value)
  if type(value) ~= "table" or getmetatable(value) == "null" then return type(value) .. " " .. tostring(value) end
  local words = {}
  for name, field in pairs(value) do words[#words + 1] = name .. "=" .. text_of(field) end
  table.sort(words)
  return "{" .. table.concat(words, ",") .. "}"
end

-- Records between two watermarks in any order.
local function told(h, program)
  local words, run = {}, {}
  for _, element in ipairs(h:output()) do
    if element.value ~= nil then
      run[#run + 1] = text_of(element.value) .. "@" .. tostring(element.timestamp)
    else
      table.sort(run)
      words[#words + 1] = table.concat(run, " ") .. " " .. tostring(element.watermark or element.status)
      run = {}
    end
  end
  table.sort(run)
  words[#words + 1] = table.concat(run, " ")
  for _, element in ipairs(program.side and h:side_output("late") or {}) do
    words[#words + 1] = "late " .. text_of(element.value) .. "@" .. tostring(element.timestamp)
  end
  words[#words + 1] = "timers " .. h:timer_count("event") .. " " .. h:timer_count("processing")
  local rows = h:state_size()
  words[#words + 1] = program.slide == program.size and "rows " .. rows or rows == 0 and "empty" or "some"
  return table.concat(words, "\n")
end

local function run(program, script, in_lua)
  local options = { backend = program.backend, on_error = "skip" }
  local h = testing.harness(build(program, in_lua), options)
  local lines = {}
  for i, step in ipairs(script) do
    if step.push then h:push(step.push, step.at) end
    if step.snapshot then
      options.restore, options.processing_time = h:snapshot(), step.clock
      h:close()
      h = testing.harness(build(program, in_lua), options)
    end
    if step.watermark then h:watermark(step.watermark) end
    if step.clock and not step.snapshot then h:set_processing_time(step.clock) end
    lines[i] = told(h, program)
  end
  h:close()
  return lines
end

local function step_text(step)
  return step.push and ("push %s@%s"):format(text_of(step.push), tostring(step.at)) or step.snapshot and "snapshot" or text_of(step)
end

describe("an aggregate of the engine over windows", function()
  it("gives what the same aggregate in Lua gives", function()
    local seed = tonumber(os.getenv "MOONTIDE_SEED") or os.time()
    for number = seed, seed + 149 do
      math.randomseed(number)
      local program = random_program(math.random)
      local script = random_script(math.random, program)
      local engine, lua = run(program, script, false), run(program, script, true)
      for i = 1, #script do
        if engine[i] ~= lua[i] then
          local trail = {}
          for k = math.max(1, i - 20), i do trail[#trail + 1] = step_text(script[k]) end
          error(("MOONTIDE_SEED=%d, %s, step %d:\n%s\nin Lua:\n%s\nin the engine:\n%s"):format(number, text_of(program), i,
            table.concat(trail, "\n"), lua[i], engine[i]), 0)
        end
      end
    end
  end)

  it("S6, S32: fires the windows of more keys than there is room for at once, all of them before the watermark", function()
    for _, window in ipairs { mt.tumbling { size = 1000 }, mt.session { gap = 1000 } } do
      local h = testing.harness(function(input) return input:key_by("key"):window(window):count("w") end)
      for key = 1, 3000 do h:push({ key = key }, 0) end
      h:watermark(999)
      local elements = h:output()
      assert.are.equal(3001, #elements)
      assert.are.equal(999, elements[3001].watermark)
      h:close()
    end
  end)

  it("is chosen for the windows and contents that it has", function()
    local function chosen(refine)
      local stream = refine(mt.job("choice"):from(mt.values {}):key_by("key"))
      return engine_window.is(stream.job.steps[#stream.job.steps])
    end
    assert.is_true(chosen(function(keyed) return keyed:window(mt.tumbling { size = "1s" }):count("w") end))
    assert.is_true(chosen(function(keyed) return keyed:window(mt.sliding { size = 4096, slide = 1 }):sum("w", "n") end))
    assert.is_false(chosen(function(keyed) return keyed:window(mt.sliding { size = 4097, slide = 100 }):sum("w", "n") end))
    assert.is_true(chosen(function(keyed) return keyed:window(mt.session { gap = "1s" }):count("w") end))
    assert.is_false(chosen(function(keyed) return keyed:window(mt.session { gap = function() return 1 end }):count("w") end))
    assert.is_false(chosen(function(keyed) return keyed:window(mt.global_window {}):count("w") end))
    assert.is_false(chosen(function(keyed) return keyed:window(mt.tumbling { size = "1s", stagger = "natural" }):count("w") end))
    assert.is_false(chosen(function(keyed) return keyed:window(mt.tumbling { size = "1s" }):evictor(mt.evictor.count(3)):count("w") end))
    assert.is_false(chosen(function(keyed) return keyed:window(mt.tumbling { size = "1s" }):trigger(mt.trigger.event_time()):count("w") end))
  end)
end)

-- ---- A restore that puts time back (S9) ----

local Back = {}
Back.__index = Back

function Back:open(restore)
  local case = self.case
  self.h = testing.harness(function(input)
    local window = input:key_by("k"):window(mt.sliding { size = case[2], slide = case[3] }):allowed_lateness(case[4])
    return (self.in_lua and window:trigger(mt.trigger.event_time()) or window):count("w")
  end, { backend = self.backend, restore = restore })
end

function Back:restore()
  local snapshot = self.h:snapshot()
  self.h:close()
  self:open(snapshot)
end

-- What has fired since the last call, as `start:count`.
function Back:take()
  local fired = self.h:values()
  table.sort(fired, function(a, b) return a.window_start < b.window_start end)
  for _, value in ipairs(fired) do self.words[#self.words + 1] = ("%d:%d"):format(value.window_start, value.count) end
end

function Back:step(what)
  if type(what) == "number" then return self.h:push({ k = "a" }, what) end
  if what == "SNAP" then return self:restore() end
  self.h:watermark(tonumber(what:match("^wm (.*)")))
  self:take()
  self.words[#self.words + 1] = "|"
end

-- What a case gives, in words.
local function play_back(case, backend, in_lua)
  local self = setmetatable({ case = case, backend = backend, in_lua = in_lua, words = {} }, Back)
  self:open()
  for _, what in ipairs(case[5]) do self:step(what) end
  self.h:finish()
  self:take()
  assert.are.equal(0, self.h:state_size())
  assert.are.equal(0, self.h:timer_count("event"))
  self.h:close()
  return table.concat(self.words, " ")
end

describe("S9, S24: a restore that puts time back", function()
  -- What a window had when it was forgotten is gone from it, though later windows still have it.
  -- Size, slide, lateness; the times of records, watermarks, restores; what fires up to each watermark, and at the end.
  local cases = {
    { "begins a forgotten window anew, with what is new alone", 4, 2, 0,
      { 1, 3, "wm 3", "SNAP", 1, "wm 3" }, "-2:1 0:2 | -2:1 0:1 | 2:1" },
    { "puts a new record of a slice beside the old ones, which the window has forgotten", 4, 2, 0,
      { 1, 3, 5, "wm 3", "SNAP", 3, 3, "wm 3", 5, "wm 5" }, "-2:1 0:2 | 0:2 | 2:5 | 4:2" },
    { "does so again at the next restore", 4, 2, 0,
      { 3, "wm 3", "SNAP", 2, "wm 3", "SNAP", 2, 3, "wm 3" }, "0:1 | 0:1 | 0:2 | 2:4" },
    { "keeps what is not forgotten yet, and fires again with it", 4, 2, 3,
      { 1, 3, "wm 3", "SNAP", 0, "wm 3" }, "-2:1 0:2 | -2:2 0:3 | 2:1" },
    { "does so with windows of so many slices that their sums are kept", 16, 1, 0,
      { 1, 12, "wm 18", "SNAP", 5, 5, 14, "wm 18", 19 },
      "-14:1 -13:1 -12:1 -11:1 -10:1 -9:1 -8:1 -7:1 -6:1 -5:1 -4:1 -3:2 -2:2 -1:2 0:2 1:2 2:1 3:1"
        .. " | -10:2 -9:2 -8:2 -7:2 -6:2 -5:2 -4:2 -3:2 -2:2 -1:3 0:3 1:3 2:3 3:3"
        .. " | 4:5 5:5 6:3 7:3 8:3 9:3 10:3 11:3 12:3 13:2 14:2 15:1 16:1 17:1 18:1 19:1" },
    { "keeps late what is late by the time that is told", 4, 2, 0,
      { 3, "wm 3", "SNAP", "wm 3", 1, 2, "wm 5" }, "0:1 | | 2:2 |" },
  }

  for _, case in ipairs(cases) do
    for _, backend in ipairs { "memory", "rocksdb" } do
      for _, in_lua in ipairs { false, true } do
        it(("%s (%s, %s)"):format(case[1], backend, in_lua and "in Lua" or "in the engine"), function()
          assert.are.equal(case[6], play_back(case, backend, in_lua))
        end)
      end
    end
  end
end)
