-- Random programs of timers and keyed state, played by the engine and by the reference, and
-- compared. Everything that is random comes from one number.
local draw = require "support.draw"
local moved = require "support.moved"
local mt = require "moontide"
local plain_state = require "support.plain_state"
local reference = require "support.state_reference"

local M = {}

local keys, names = { "a", "b", "c", "d", "e" }, { "p", "q", "r", "s" }
local calls = { "update", "update", "clear", "put", "put", "put", "remove", "clear_map", "add", "add", "add", "replace", "clear_list", "sum", "sum",
  "clear_sum", "register", "register", "register", "delete", "show" }

-- A number, or a text: in a slot of its own, or behind it.
local function random_value(random)
  return random(3) == 1 and ("x"):rep(random(0, 40)) or random(-1000, 1000)
end

-- `times`: where its timers may lie. Whatever fails does so behind its other calls.
local function random_calls(random, count, times, fails)
  local list = {}
  for i = 1, count do
    local name = draw.pick(random, calls)
    if name == "register" or name == "delete" then
      list[i] = { name, draw.pick(random, { "event", "processing" }), random(times[1], times[2]) }
    elseif name == "put" or name == "remove" then
      list[i] = { name, draw.pick(random, names), name == "put" and random_value(random) or nil }
    elseif name == "sum" then
      list[i] = { name, random(100) }
    else
      list[i] = { name, random_value(random), name == "replace" and random(9) or nil }
    end
  end
  if fails and random(8) == 1 then list[#list + 1] = { "fail" } end
  return list
end

-- What a timer's callback does depends on its time alone. It registers only later ones, and seldom, so that it comes to an end.
local function effects_of(program)
  return function(time, domain)
    local random = draw.generator((time + 10000) * 31 + (domain == "event" and 7 or 3) + program.seed)
    local list = random_calls(random, random(0, 3), { time + 1, time + 9 }, program.fails)
    table.insert(list, 1, { "show" })
    return list
  end
end

-- ---- The step that carries them out ----

local state_calls = {
  update = function(self, _, value) self.value:update(value) end,
  clear = function(self) self.value:clear() end,
  put = function(self, _, name, value) self.map:put(name, value) end,
  remove = function(self, _, name) self.map:remove(name) end,
  clear_map = function(self) self.map:clear() end,
  add = function(self, _, value) self.list:add(value) end,
  replace = function(self, _, value, other) self.list:update { value, other } end,
  clear_list = function(self) self.list:clear() end,
  sum = function(self, _, value) self.sum:add(value) end,
  clear_sum = function(self) self.sum:clear() end,
  register = function(_, ctx, domain, time)
    local timers = ctx:timers()
    timers["register_" .. domain .. "_time_timer"](timers, time)
  end,
  delete = function(_, ctx, domain, time)
    local timers = ctx:timers()
    timers["delete_" .. domain .. "_time_timer"](timers, time)
  end,
  fail = function() error(reference.meant) end,
}

local function show(self, ctx, out)
  local shown = {}
  for name, value in self.map:entries() do shown[#shown + 1] = name .. "=" .. value end
  out:collect(("%s|%s|%s|%s|%s|%s"):format(ctx:current_key(), tostring(self.value:value()), table.concat(shown, ","), table.concat(self.list:get(), ","),
    tostring(self.sum:get()), tostring(ctx:timers():current_watermark())))
end

local function carry_out(self, list, ctx, out)
  for _, call in ipairs(list) do
    if call[1] == "show" then show(self, ctx, out) else state_calls[call[1]](self, ctx, call[2], call[3]) end
  end
end

-- `declared`: the module that its states are declared by.
local function definition(declared, effects)
  return {
    state = { value = declared.value_state(), map = declared.map_state(), list = declared.list_state(),
      sum = declared.reducing_state { reduce = function(a, b) return a + b end } },
    process_element = function(self, record, ctx, out) carry_out(self, record.calls, ctx, out) end,
    on_timer = function(self, time, ctx, out) carry_out(self, effects(time, ctx:time_domain()), ctx, out) end,
  }
end

local function builder(effects)
  return function(input) return input:key_by("k"):process("p", definition(mt, effects)) end
end

-- ---- Play ----

local function text_of(list)
  local words = {}
  for i, call in ipairs(list) do words[i] = table.concat({ call[1], tostring(call[2]), tostring(call[3]) }, " ") end
  return table.concat(words, "; ")
end

local function told(elements)
  local list = {}
  for i, element in ipairs(elements) do
    list[i] = element.watermark and "W(" .. tostring(element.watermark) .. ")" or element.value .. "@" .. tostring(element.timestamp)
  end
  return list
end

-- Records between two watermarks in any order.
local function canonical(list)
  local words, run = {}, {}
  local function flush()
    table.sort(run)
    words[#words + 1] = table.concat(run, "\n  ")
    run = {}
  end
  for _, text in ipairs(list) do
    if text:find("^W%(") then
      flush()
      words[#words + 1] = text
    else
      run[#run + 1] = text
    end
  end
  flush()
  return table.concat(words, "\n  ")
end

local Play = {}
Play.__index = Play

function Play:compare(what)
  self.log[#self.log + 1] = what
  local function same(name, expected, got)
    if expected == got then return end
    error(("program %d on %s, %s\n after:\n  %s\n expected\n  %s\n got\n  %s"):format(self.seed, self.backend, name,
      table.concat(self.log, "\n  "), tostring(expected), tostring(got)), 0)
  end
  same("output", canonical(self.reference:take()), canonical(told(self.harness:output())))
  same("rows", self.reference:rows(), self.harness:state_size())
  for _, domain in ipairs { "event", "processing" } do
    same(domain .. " timers", self.reference:timer_count(domain), self.harness:timer_count(domain))
  end
end

local actions = {}

function actions.push(self, random)
  local key, time = draw.pick(random, keys), self.time + random(-9, 9)
  local list = random_calls(random, random(1, 6), { self.time - 6, self.time + 20 }, self.fails)
  self.reference:push(key, { calls = list }, time)
  self.harness:push({ k = key, calls = list }, time)
  return ("%s@%d: %s"):format(key, time, text_of(list))
end

function actions.watermark(self, random)
  self.time = self.time + random(0, 8)
  self.reference:advance(self.time)
  self.harness:watermark(self.time)
  return "wm " .. self.time
end

function actions.clock(self, random)
  local now = math.max(self.reference.now.clock, self.time - 5) + random(0, 9)
  self.reference:set_clock(now)
  self.harness:set_processing_time(now)
  return "pt " .. now
end

function actions.restore(self, random)
  local tells, parallelism = random(3) > 1, random(2) == 1 and random(3) or nil
  self.reference:restore(tells)
  self.harness:snap(parallelism, not tells)
  return ("SNAP as %d%s"):format(self.harness.parallelism, tells and "" or ", time untold")
end

local chances = { "push", "push", "push", "push", "push", "push", "watermark", "watermark", "clock", "restore" }

local function play(self, random, steps)
  for _ = 1, steps do self:compare(actions[draw.pick(random, chances)](self, random)) end
  self.reference:advance(1e6)
  self.harness:watermark(1e6)
  self:compare "wm 1e6"
end

--- Play one program; raises where the engine and the reference differ.
function M.play(seed, backend)
  local random = draw.generator(seed * 6151 + 29)
  local self = setmetatable({ seed = seed, backend = backend, fails = random(2) == 1, time = 20, log = {} }, Play)
  local effects = effects_of(self)
  self.reference = reference.new(definition(plain_state, effects))
  self.harness = moved.new(builder(effects), {
    backend = backend, memory = backend == "rocksdb" and random(4) == 1 and 1 or nil, key = function(record) return record.k end,
    harness = { on_error = "skip" }, tells_restores = true,
  })
  local ok, message = pcall(play, self, random, random(20, 60))
  self.harness:close()
  if not ok then error(message, 0) end
end

return M
