-- Whole jobs of two inputs, on two workers, killed and restored.
local testing = require "moontide.testing"

local function sorted(list)
  table.sort(list)
  return table.concat(list, " ")
end

describe("a job of two inputs that is killed", function()
  it("joins every pair of an interval once", function()
    local result = testing.run(function()
      local mt = require "moontide"
      local job = mt.job("pairs", { checkpoint = { interval = "50ms" } })
      local function side(first, step)
        return job:from(mt.generator { count = 20000, rate = 20000, fn = function(i) return { key = i % 50, at = first + i * step, id = i } end })
          :assign_timestamps { field = "at" }:key_by("key")
      end
      side(0, 3):interval_join(side(1, 3), { lower = -200, upper = 150 })
        :process("pairs", function(left, right, _, out) out:collect(left.id .. "-" .. right.id) end)
        :to(mt.collect { name = "pairs" })
      return job
    end, { parallelism = 2, kill_after = { checkpoints = 3, times = 3 } })
    local expected = {}
    for left = 1, 20000 do
      for right = math.max(1, left - 100), math.min(20000, left + 100) do
        local apart = right * 3 + 1 - left * 3
        if left % 50 == right % 50 and apart >= -200 and apart <= 150 then expected[#expected + 1] = left .. "-" .. right end
      end
    end
    assert.equal(3, result.kills)
    assert.equal(#expected, #result.sinks.pairs)
    assert.is_true(sorted(expected) == sorted(result.sinks.pairs))
  end)

  it("keeps keyed state, timers and the copy of broadcast state in every subtask", function()
    local result = testing.run(function()
      local mt = require "moontide"
      local job = mt.job("ruled", { checkpoint = { interval = "50ms" } })
      local rules = job:from(mt.generator { count = 300, rate = 300, fn = function(i) return i end })
      job:from(mt.generator { count = 20000, rate = 20000, fn = function(i) return i end }):key_by(function(i) return i % 20 end)
        :connect(rules:broadcast { rules = mt.map_state() }):process("ruled", {
          state = { count = mt.value_state { default = 0 }, touched = mt.value_state { default = 0 } },
          process_element = function(self, _, ctx)
            self.count:update(self.count:value() + 1)
            ctx:timers():register_event_time_timer(math.huge)
          end,
          process_broadcast_element = function(self, rule, ctx)
            self.rules:put(rule, (self.rules:get(rule) or 0) + rule)
            ctx:apply_to_keyed_state("count", function(_, count) count:update(count:value() + 0) end)
          end,
          on_timer = function(self, _, ctx, out)
            local count, sum = 0, 0
            for _, value in self.rules:entries() do count, sum = count + 1, sum + value end
            out:collect(("%d:%d:%d:%d"):format(ctx:current_key(), self.count:value(), count, sum))
          end,
        }):to(mt.collect { name = "results" })
      return job
    end, { parallelism = 2, kill_after = { checkpoints = 3, times = 3 } })
    local expected = {}
    for key = 0, 19 do expected[#expected + 1] = ("%d:1000:300:45150"):format(key) end
    assert.equal(3, result.kills)
    assert.equal(sorted(expected), sorted(result.sinks.results))
  end)

  it("co-groups every window once", function()
    local result = testing.run(function()
      local mt = require "moontide"
      local job = mt.job("groups", { checkpoint = { interval = "50ms" } })
      local function side(count)
        return job:from(mt.generator { count = count, rate = count, fn = function(i) return { key = i % 7, at = i } end }):assign_timestamps { field = "at" }
      end
      side(10000):co_group(side(5000), { left = "key", right = "key" }):window(mt.tumbling { size = 1000 })
        :apply("groups", function(key, lefts, rights, out) out:collect(("%d:%d:%d"):format(key, #lefts, #rights)) end)
        :to(mt.collect { name = "groups" })
      return job
    end, { parallelism = 2, kill_after = { checkpoints = 3, times = 2 } })
    local expected = {}
    for window = 0, 10 do
      for key = 0, 6 do
        local lefts, rights = 0, 0
        for at = math.max(1, window * 1000), math.min(10000, window * 1000 + 999) do
          if at % 7 == key then
            lefts = lefts + 1
            if at <= 5000 then rights = rights + 1 end
          end
        end
        if lefts > 0 then expected[#expected + 1] = ("%d:%d:%d"):format(key, lefts, rights) end
      end
    end
    assert.equal(sorted(expected), sorted(result.sinks.groups))
  end)

  it("deals lists of operators out and gives unions to all, whatever the kills", function()
    local result = testing.run(function()
      local mt = require "moontide"
      local job = mt.job("lists", { checkpoint = { interval = "50ms" } })
      job:from(mt.generator { count = 2000, rate = 2000, fn = function(i) return i end }):rebalance():process("kept", {
        state = { own = mt.operator_list_state {} },
        process_element = function(self, value, _, out)
          local own = self.own:get()
          local count = (own[1] or 0) + 1
          self.own:update { count }
          out:collect(value)
          out:collect(-count)
        end,
      }):to(mt.collect { name = "results" })
      return job
    end, { parallelism = 2, kill_after = { checkpoints = 3, times = 3 } })
    local most, values = {}, 0
    for _, value in ipairs(result.sinks.results) do
      if value > 0 then values = values + 1 else most[-value] = (most[-value] or 0) + 1 end
    end
    assert.equal(2000, values)
    -- Two subtasks count to about the half each: no number more than twice, none left out.
    local total = 0
    for count, times in ipairs(most) do
      assert.is_true(times <= 2, count .. " was counted " .. times .. " times")
      total = total + times
    end
    assert.equal(2000, total)
  end)
end)

describe("a step of two inputs that has one subtask", function()
  it("gets every record once, those of a broadcast stream too", function()
    local result = testing.run(function()
      local mt = require "moontide"
      local job = mt.job("narrow", { checkpoint = { interval = false } })
      local function numbers(count) return job:from(mt.generator { count = count, fn = function(i) return i end }) end
      numbers(1000):connect(numbers(100):broadcast { rules = mt.map_state() }):process("ruled", {
        parallelism = 1,
        process_element = function(_, value, ctx, out) out:collect("element " .. ctx:subtask() .. " " .. value) end,
        process_broadcast_element = function(_, rule, ctx, out) out:collect("rule " .. ctx:subtask() .. " " .. rule) end,
      }):to(mt.collect { name = "ruled" })
      numbers(1000):connect(numbers(10)):process("both", {
        parallelism = 1,
        process_element1 = function(_, value, _, out) out:collect(value) end,
        process_element2 = function(_, value, _, out) out:collect(-value) end,
      }):to(mt.collect { name = "both" })
      return job
    end, { parallelism = 2 })
    local expected, both = {}, {}
    for i = 1, 1000 do expected[#expected + 1] = "element 0 " .. i end
    for i = 1, 100 do expected[#expected + 1] = "rule 0 " .. i end
    for i = -10, 1000 do
      if i ~= 0 then both[#both + 1] = i end
    end
    assert.equal(sorted(expected), sorted(result.sinks.ruled))
    assert.equal(sorted(both), sorted(result.sinks.both))
  end)
end)
