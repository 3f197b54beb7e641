-- Sessions: windows that merge.
local case = require "support.case"
local mt = require "moontide"
local scenario = require "support.scenario"
local testing = require "moontide.testing"

local function add(a, b) return { key = a.key, value = a.value + b.value } end
local function text(key, window, sum) return ("%s-%d[%d,%d)"):format(key, sum, window.start, window["end"]) end

local function of_elements(key, window, elements, _, out)
  local sum = 0
  for _, element in ipairs(elements) do sum = sum + element.value end
  out:collect(text(key, window, sum))
end
local function of_total(key, window, total, _, out) out:collect(text(key, window, total.value)) end

local aggregate = {
  create = function() return { sum = 0 } end,
  add = function(acc, element) return { sum = acc.sum + element.value } end,
  result = function(acc) return { value = acc.sum } end,
  merge = function(a, b) return { sum = a.sum + b.sum } end,
}

local ways = {
  process = function(windowed) return windowed:process("sum", of_elements) end,
  reduce = function(windowed) return windowed:reduce("sum", add, of_total) end,
  aggregate = function(windowed) return windowed:aggregate("sum", aggregate, of_total) end,
  sum = function(windowed)
    return windowed:sum("sum", "value"):map(function(value)
      return ("%s-%d[%d,%d)"):format(value.key, value.sum, value.window_start, value.window_end)
    end)
  end,
  ["process with an evictor"] = function(windowed)
    return windowed:evictor(mt.evictor.count(100)):process("sum", of_elements)
  end,
  ["reduce with an evictor"] = function(windowed) return windowed:evictor(mt.evictor.count(100)):reduce("sum", add, of_total) end,
}

local function each_way(name, window, script, set)
  for way, finish in pairs(ways) do
    scenario.it(it, ("%s, %s"):format(name, way), function(input)
      local windowed = input:key_by("key"):window(window)
      return finish(set and set(windowed) or windowed)
    end, script)
  end
end

local function late(windowed) return windowed:side_output_late("late") end

describe("a session", function()
  after_each(case.close)

  each_way("T3: gap 3 s", mt.session { gap = "3s" }, [[
    key2:1@0 key2:2@1000 key2:3@2500 key1:1@10 key1:2@1000
    |SNAP|
    key1:3@2500 key2:4@5501 key2:5@6000 key2:5@6000 key2:6@6050
    wm 12000 -> key1-6[10,5500)@5499 key2-6[0,5500)@5499 key2-20[5501,9050)@9049 rows=0 timers=0
    key2:10@15000 key2:20@15000
    wm 17999 -> key2-30[15000,18000)@17999 rows=0 timers=0
  ]])

  each_way("T84: gap 3, a watermark behind each record", mt.session { gap = 3 }, [[
    a:1@1 wm 0 b:1@1 b:1@3 wm 2 b:1@5
    wm 4 -> a-1[1,4)@3
    c:1@6 wm 5 a:1@10
    wm 9 -> b-3[1,8)@7 c-1[6,9)@8
    c:1@11 wm MAX -> a-1[10,13)@12 c-1[11,14)@13 rows=0 timers=0
  ]])

  each_way("S29: a record between two sessions makes them one; timers of the old windows are gone", mt.session { gap = 1000 }, [[
    a:1@0 a:2@1800 -> timers=2
    a:4@900 -> timers=1
    wm 999
    wm 2799 -> a-7[0,2800)@2799 rows=0 timers=0
  ]])

  each_way("S29: sessions that touch are one", mt.session { gap = 1000 }, [[
    a:1@0 a:2@1000
    b:1@0 b:2@1001
    wm 5000 -> a-3[0,2000)@1999 b-1[0,1000)@999 b-2[1001,2001)@2000 rows=0 timers=0
  ]])

  each_way("S29: so are those that touch a later one, or both of two", mt.session { gap = 1000 }, [[
    a:1@1000 a:2@0 b:1@0 b:2@2000 b:4@1000
    wm 1999 -> a-3[0,2000)@1999
    wm 2999 -> b-7[0,3000)@2999 rows=0 timers=0
  ]])

  each_way("S29: many become one, out of order", mt.session { gap = 100 }, [[
    a:1@0 a:2@200 a:4@400 a:8@600
    |SNAP|
    a:16@500 a:32@100 -> timers=2
    a:64@300 -> timers=1
    wm 1000 -> a-127[0,700)@699 rows=0 timers=0
  ]])

  each_way("S29: merged before it is asked whether it is late", mt.session { gap = 3000 }, [[
    a:1@1000 a:1@3000
    wm 4500
    a:1@1100
    wm 5999 -> a-3[1000,6000)@5999
    a:1@2000 -> late>a:1@2000
  ]], late)

  each_way("S29b: merged into a session that has fired within the lateness it fires at once", mt.session { gap = 1000 }, [[
    a:1@0
    wm 1500 -> a-1[0,1000)@999
    a:2@400 -> a-3[0,1400)@1399
    a:4@1000 -> timers=2
    wm 1999 -> a-7[0,2000)@1999
    wm 2999 -> rows=0 timers=0
  ]], function(windowed) return windowed:allowed_lateness(1000) end)

  local told = mt.session { gap = function(element) return element.value end }

  each_way("S29: grown step by step, and ended beside another one", told, [[
    a:4@0 a:4@0 a:2@3 a:2@4 a:3@1 a:2@3 -> timers=1
    a:3@11 a:3@10 a:3@12 a:3@11 -> timers=2
    wm 5 -> a-17[0,6)@5 timers=1
    wm 14 -> a-12[10,15)@14 rows=0 timers=0
  ]])

  each_way("S29: a new one where another one lay before it grew", told, [[
    a:2@10 a:8@3 a:1@30
    wm 11 -> a-10[3,12)@11 timers=1
    a:2@20 a:20@8 -> timers=2
    wm 30 -> a-22[8,28)@27 a-1[30,31)@30 rows=0 timers=0
  ]])

  each_way("S29b: two that have fired become one, and one that has fired is open again", told, [[
    a:2@0 a:2@3 b:2@0 -> timers=6
    wm 9 -> a-2[0,2)@1 a-2[3,5)@4 b-2[0,2)@1 timers=3
    a:1@2 -> a-5[0,5)@4 timers=2
    b:10@1 -> timers=3
    wm 10 -> b-12[0,11)@10 timers=2
    wm 14 -> timers=1
    a:1@2 -> late>a:1@2
    b:5@11 -> timers=2
    wm 15 -> b-17[0,16)@15
    wm 25 -> rows=0 timers=0
  ]], function(windowed) return late(windowed):allowed_lateness(10) end)

  each_way("T22: session 3 s, lateness 10", mt.session { gap = "3s" }, [[
    key2:1@1000
    wm 4998 -> key2-1[1000,4000)@3999 timers=1
    wm 14600 -> rows=0 timers=0
  ]], function(windowed) return windowed:allowed_lateness(1000) end)

  each_way("S29d: of a gap that each record says, of which a shorter one shrinks nothing",
    mt.session { gap = function(element) return element.value == 1 and "3s" or 1000 end }, [[
    a:1@0 a:2@1000
    b:2@0 b:1@1000
    wm 2999 -> a-3[0,3000)@2999
    wm 3999 -> b-3[0,4000)@3999 rows=0 timers=0
  ]])

  each_way("T13: of processing time", mt.session { gap = "3s", time = "processing" }, [[
    PT=3
    key2:1@7
    PT=1000
    key2:1
    PT=5000 -> key2-2[3,4000)@3999
    key2:1 key2:1 key1:1 key1:1 key1:1
    PT=10000 -> key2-2[5000,8000)@7999 key1-3[5000,8000)@7999 rows=0 timers=0
  ]])

  each_way("S29c: with purging(count(2)) the counts of what merges are added up", mt.session { gap = 1000 }, [[
    a:1@0 a:2@1800 -> rows=4
    a:4@900 -> a-7[0,2800)@2799
    a:8@1000
    wm 5000 -> rows=0 timers=0
  ]], function(windowed) return windowed:trigger(mt.trigger.purging(mt.trigger.count(2))) end)

  each_way("S28: continuous: it fires at the end of an old window, too", mt.session { gap = 2500 }, [[
    a:1@100 -> timers=1
    a:2@1000 -> timers=2
    wm 2599 -> a-3[100,3500)@3499
    wm 3499 -> a-3[100,3500)@3499 rows=0 timers=0
  ]], function(windowed) return windowed:trigger(mt.trigger.continuous_event_time(5000)) end)

  local leaving = {
    on_element = function(_, _, timestamp, _, ctx)
      ctx:register_event_time_timer(timestamp + 10)
      return "continue"
    end,
    on_event_time = function() return "fire" end,
    on_merge = function() end,
  }
  scenario.it(it, "S29: a timer that a trigger leaves in an old window is ignored", function(input)
    return input:key_by("key"):window(mt.session { gap = 100 }):trigger(leaving):process("p", of_elements)
  end, [[
    a:1@0 a:2@50
    wm 20
    wm 60 -> a-3[0,150)@149
    wm 149 -> a-3[0,150)@149 rows=0 timers=0
  ]])

  it("S29c: a trigger sees what its states were merged to, and clears each old window once", function()
    local seen = {}
    local trigger = {
      state = {
        sum = mt.reducing_state { reduce = function(a, b) return a + b end },
        times = mt.list_state(),
        average = mt.aggregating_state {
          create = function() return { n = 0, sum = 0 } end,
          add = function(acc, value) return { n = acc.n + 1, sum = acc.sum + value } end,
          result = function(acc) return acc.sum / acc.n end,
          merge = function(a, b) return { n = a.n + b.n, sum = a.sum + b.sum } end,
        },
      },
      on_element = function(self, element, timestamp)
        self.sum:add(element.value)
        self.times:add(timestamp)
        self.average:add(element.value)
        return "continue"
      end,
      on_merge = function(self, window)
        seen[#seen + 1] = ("merge [%d,%d) %d {%s} %g"):format(window.start, window["end"], self.sum:get(), table.concat(self.times:get(), " "),
          self.average:get())
      end,
      clear = function(self, window)
        seen[#seen + 1] = ("clear [%d,%d) %s %d %s"):format(window.start, window["end"], self.sum:get(), #self.times:get(), self.average:get())
        self.sum:clear()
        self.times:clear()
        self.average:clear()
      end,
    }
    local h = testing.harness(function(input)
      return input:key_by("key"):window(mt.session { gap = 1000 }):trigger(trigger):process("p", of_elements)
    end)
    for _, record in ipairs { { 1, 0 }, { 2, 1800 }, { 6, 900 } } do h:push({ key = "a", value = record[1] }, record[2]) end
    assert.same({ "merge [0,2800) 3 {0 1800} 1.5", "clear [0,1000) nil 0 nil", "clear [1800,2800) nil 0 nil" }, seen)
    seen = {}
    h:watermark(2799)
    assert.same({ "clear [0,2800) 9 3 3" }, seen)
    assert.equal(0, h:state_size())
    assert.equal(0, h:timer_count("event"))
    h:close()
  end)

  -- Of three sessions of a key that become one, each subset has something in the trigger's states: key n has those of n's bits.
  case.each_backend(function(backend)
    it("S29: the states of a trigger merge, also those that some of the windows lack, on " .. backend, function()
      local seen
      local function changing(acc, value) -- may change what it was given
        acc.sum = acc.sum + value
        return acc
      end
      local trigger = {
        state = {
          times = mt.list_state(),
          sum = mt.reducing_state { reduce = function(a, b) return a + b end },
          total = mt.aggregating_state {
            create = function() return { sum = 0 } end, add = changing, result = function(acc) return acc.sum end,
            merge = function(a, b) return changing(a, b.sum) end,
          },
        },
        on_element = function(self, element)
          if not element.value then return "continue" end
          self.times:add_all { element.value, 10 * element.value }
          self.sum:add(element.value)
          self.total:add(element.value)
          return "continue"
        end,
        on_merge = function(self)
          local times = self.times:get()
          table.sort(times)
          seen = ("{%s} %s %s"):format(table.concat(times, " "), tostring(self.sum:get()), tostring(self.total:get()))
        end,
        clear = function(self)
          self.times:clear()
          self.sum:clear()
          self.total:clear()
        end,
      }
      local h = case.new(function(input)
        return input:key_by("key"):window(mt.session { gap = 10 }):trigger(trigger):process("p", of_elements)
      end, { backend = backend, memory = 1 })
      for key = 0, 7 do
        for bit = 0, 2 do h:push({ key = key, value = math.floor(key / 2 ^ bit) % 2 == 1 and 1 + bit or nil }, bit * 15) end
      end
      h:snap()
      local expected = { [0] = "{} nil nil", "{1 10} 1 1", "{2 20} 2 2", "{1 2 10 20} 3 3", "{3 30} 3 3", "{1 3 10 30} 4 4", "{2 3 20 30} 5 5", "{1 2 3 10 20 30} 6 6" }
      for key = 0, 7 do
        for _, between in ipairs { 8, 23 } do h:push({ key = key }, between) end
        assert.equal(expected[key], seen, "key " .. key)
      end
      h:watermark(100)
      assert.equal(0, h:state_size())
      assert.equal(0, h:timer_count("event"))
    end)
  end)

  it("S29: against a plain recomputation, at random", function()
    local seed = os.time()
    math.randomseed(seed)
    for round = 1, 20 do
      local gap, backend = math.random(1, 30), round % 2 == 0 and "memory" or "rocksdb"
      local records, h = {}, nil
      local function build(input) return input:key_by("key"):window(mt.session { gap = gap }):process("sum", of_elements) end
      h = testing.harness(build, { backend = backend })
      for i = 1, 200 do
        local record = { key = "k" .. math.random(1, 3), value = i, time = math.random(0, 1500) }
        records[i] = record
        h:push({ key = record.key, value = i }, record.time)
        if i % 50 == 0 then
          local snapshot = h:snapshot()
          h:close()
          h = testing.harness(build, { backend = backend, restore = snapshot })
        end
      end
      h:watermark(math.huge)
      local expected, got = {}, h:values()
      table.sort(records, function(a, b) return a.key < b.key or (a.key == b.key and a.time < b.time) end)
      local open
      for _, record in ipairs(records) do
        if not open or open.key ~= record.key or open.stop < record.time then
          open = { key = record.key, start = record.time, sum = 0 }
          expected[#expected + 1] = open
        end
        open.stop, open.sum = record.time + gap, open.sum + record.value
      end
      for i, session in ipairs(expected) do expected[i] = ("%s-%d[%d,%d)"):format(session.key, session.sum, session.start, session.stop) end
      table.sort(expected)
      table.sort(got)
      assert.same(expected, got, "seed " .. seed .. ", round " .. round)
      assert.equal(0, h:state_size())
      assert.equal(0, h:timer_count("event"))
      h:close()
    end
  end)
end)
