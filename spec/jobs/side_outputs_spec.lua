-- Side outputs of every kind of step, with several readers, in whole jobs that are killed and restored.
local testing = require "moontide.testing"

local function script()
  local mt = require "moontide"
  local job = mt.job("sides", { checkpoint = { interval = false, records = 300 } })
  local function numbers(name) return job:from(mt.generator { count = 1000, fn = function(i) return { n = i }, i end }, { name = name }) end
  local function collect(stream, name) stream:to(mt.collect { name = name }, { name = name .. "-out" }) end

  local sorted = numbers("first"):process("sort", function(record, ctx, out)
    if record.n % 2 == 0 then out:collect(record) else ctx:output("odd", record) end
    ctx:output("nobody reads this", record)
    if record.n % 5 == 0 then ctx:output("fives", record.n, record.n * 10) end
  end)
  collect(sorted:map(function(record) return record.n end), "even")
  local odd = sorted:side_output("odd")
  collect(odd:map(function(record)
    record.n = -record.n -- which the other reader does not see
    return record.n
  end), "negated")
  collect(odd:map(function(record) return record.n end), "odd")
  collect(sorted:side_output("fives"):process("times", function(n, ctx, out) out:collect { n = n, at = ctx:timestamp() } end), "fives")

  -- The same tag of another step is another stream; both may be put together.
  local again = numbers("second"):key_by(function(record) return record.n % 7 end):process("again", {
    state = { seen = mt.value_state { default = 0 } },
    process_element = function(self, record, ctx)
      self.seen:update(self.seen:value() + 1)
      if record.n % 2 == 1 then ctx:output("odd", { n = record.n + 10000, seen = self.seen:value() }) end
      if record.n % 100 == 0 then ctx:timers():register_event_time_timer(record.n) end
    end,
    on_timer = function(_, timestamp, ctx) ctx:output("timers", timestamp) end,
  })
  collect(odd:union(again:side_output("odd")):map(function(record) return record.n end), "together")
  collect(again:side_output("timers"), "timers")

  local both = numbers("third"):connect(numbers("fourth")):process("both", {
    process_element1 = function(_, record, ctx) ctx:output("side", record.n) end,
    process_element2 = function(_, record, ctx) ctx:output("side", -record.n) end,
  })
  collect(both:side_output("side"), "both")

  local windows = numbers("fifth"):key_by(function(record) return record.n % 3 end):window(mt.tumbling { size = 100 }):process("windows",
    function(key, window, content, ctx, out)
      out:collect(#content)
      ctx:output("first", { key = key, start = window.start, count = #content })
    end)
  collect(windows, "counts")
  collect(windows:side_output("first"):map(function(told) return told.count end), "told")
  return job
end

describe("side outputs", function()
  local function sorted(list)
    table.sort(list)
    return list
  end

  local function those(keep)
    local list = {}
    for i = 1, 1000 do
      if keep(i) then list[#list + 1] = keep(i) end
    end
    return list
  end

  for parallelism = 1, 3 do
    it("reach every reader once, with copies of its own, through a kill, by workers: " .. parallelism, function()
      local result = testing.run(script, { parallelism = parallelism, kill_after = { checkpoints = 1, times = 1 } })
      assert.are.equal(1, result.kills)
      local sinks = result.sinks
      local odd = those(function(i) return i % 2 == 1 and i end)
      assert.are.same(those(function(i) return i % 2 == 0 and i end), sorted(sinks.even))
      assert.are.same(odd, sorted(sinks.odd))
      assert.are.same(sorted(those(function(i) return i % 2 == 1 and -i end)), sorted(sinks.negated))
      assert.are.equal(200, #sinks.fives)
      for _, five in ipairs(sinks.fives) do assert.are.equal(five.n * 10, five.at) end
      local together = those(function(i) return i % 2 == 1 and i + 10000 end)
      for _, n in ipairs(odd) do table.insert(together, n) end
      assert.are.same(sorted(together), sorted(sinks.together))
      assert.are.same(those(function(i) return i % 100 == 0 and i end), sorted(sinks.timers))
      local both = those(function(i) return i end)
      for i = 1, 1000 do table.insert(both, -i) end
      assert.are.same(sorted(both), sorted(sinks.both))
      assert.are.equal(1000, (function(sum)
        for _, count in ipairs(sinks.counts) do sum = sum + count end
        return sum
      end)(0))
      assert.are.same(sorted(sinks.counts), sorted(sinks.told))
    end)
  end
end)
