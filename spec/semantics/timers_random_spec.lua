-- Timers against a plain set: random registrations, deletions, watermarks, restores and parallelisms.
local play = require "support.play"
local testing = require "moontide.testing"

local function key_of(value) return value.k end

-- What a callback does depends on key and time alone, so that the model can do it too.
local function effects(time)
  return { register = { time % 5 == 0 and time + 3 or nil, time % 11 == 0 and time - 4 or nil }, delete = time % 7 == 0 and time + 1 or nil }
end

local function build(input)
  return input:key_by("k"):process("timed", {
    process_element = function(_, value, ctx)
      local timers = ctx:timers()
      if value.delete then timers:delete_event_time_timer(value.t) else timers:register_event_time_timer(value.t) end
    end,
    on_timer = function(_, timestamp, ctx, out)
      local timers, effect = ctx:timers(), effects(timestamp)
      for _, time in pairs(effect.register) do timers:register_event_time_timer(time) end
      if effect.delete then timers:delete_event_time_timer(effect.delete) end
      out:collect(("%s:%d"):format(ctx:current_key(), timestamp))
    end,
  })
end

-- The model: fire a key's timers up to `watermark`, the earliest first.
local function fire(times, key, watermark, fired)
  while true do
    local first
    for time in pairs(times) do
      if time <= watermark and (not first or time < first) then first = time end
    end
    if not first then return end
    times[first] = nil
    fired[#fired + 1] = ("%s:%d"):format(key, first)
    local effect = effects(first)
    for _, time in pairs(effect.register) do times[time] = true end
    if effect.delete then times[effect.delete] = nil end
  end
end

local Run = {}
Run.__index = Run

function Run:open(parallelism, snapshots)
  self.parallelism, self.harnesses = parallelism, {}
  for subtask = 0, parallelism - 1 do
    self.harnesses[subtask + 1] = testing.harness(build, { parallelism = parallelism, subtask = subtask, backend = self.backend, restore = snapshots })
  end
end

function Run:close()
  for _, h in ipairs(self.harnesses) do h:close() end
end

function Run:restore()
  local snapshots = {}
  for i, h in ipairs(self.harnesses) do snapshots[i] = h:snapshot() end
  self:close()
  self:open(math.random(3), snapshots)
  -- A watermark that is sent again fires what was registered for the past meanwhile (S3, S9).
  return self:advance(self.watermark)
end

function Run:advance(watermark)
  self.watermark = watermark
  local fired, expected = {}, {}
  for _, h in ipairs(self.harnesses) do
    h:watermark(watermark)
    for _, element in ipairs(h:output()) do
      if element.value then fired[#fired + 1] = element.value end
    end
  end
  for key, times in pairs(self.model) do fire(times, key, watermark, expected) end
  table.sort(fired)
  table.sort(expected)
  assert.are.same(expected, fired, self.what)
end

function Run:push()
  local value = { k = "key" .. math.random(20), t = math.random(-5, 40) + math.max(self.watermark, 0), delete = math.random(3) == 1 }
  self.harnesses[testing.subtask_of(key_of(value), self.parallelism) + 1]:push(value)
  self.model[value.k] = self.model[value.k] or {}
  self.model[value.k][value.t] = not value.delete or nil
end

function Run:step()
  local dice = math.random(20)
  if dice <= 15 then return self:push() end
  if dice <= 19 then return self:advance(self.watermark + math.random(15)) end
  self:restore()
end

describe("timers at random", function()
  for _, backend in ipairs { "rocksdb", "memory" } do
    it("S1 to S5, S9: fire as those of a plain set, through restores at other parallelisms, on " .. backend, function()
      local seed = os.time() * 1000 + math.floor(os.clock() * 1e6) % 1000
      math.randomseed(seed)
      for round = 1, 6 do
        local run = setmetatable({ backend = backend, model = {}, watermark = 0, what = ("seed %d, round %d"):format(seed, round) }, Run)
        run:open(1)
        for _ = 1, 400 do run:step() end
        run:advance(100000)
        for _, h in ipairs(run.harnesses) do assert.are.equal(0, h:timer_count("event"), run.what) end
        run:close()
      end
    end)
  end

  it("S1: a million keys, each with its timer, with little memory", function()
    play.each(function(input)
      return input:key_by(function(n) return n end):process("many", {
        process_element = function(_, n, ctx) ctx:timers():register_event_time_timer(n * 7919 % 1000003) end,
        on_timer = function(self, timestamp, ctx, out)
          if timestamp ~= ctx:current_key() * 7919 % 1000003 then error("not the key's") end
          if timestamp < (self.last or 0) then error("not in order") end
          self.last = timestamp
          if timestamp % 1000 == 0 then out:collect(timestamp) end
        end,
      })
    end, { memory = "32MB" }, function(h)
      local numbers = {}
      for n = 1, 1000000 do numbers[n] = n end
      h.inputs[1].channels[1]:push_all(numbers)
      assert.are.equal(1000000, h:timer_count("event"))
      h:watermark(500000)
      assert.are.equal(501, #h:output())
      h:watermark(1000003)
      h:output()
      assert.are.equal(0, h:timer_count("event"))
    end)
  end)
end)
