-- Whole jobs above parallelism 1: who gets which records, full rings, and the
-- same results again.
local testing = require "moontide.testing"

local function sorted_texts(list, text)
  local out = {}
  for i, row in ipairs(list) do out[i] = text(row) end
  table.sort(out)
  return out
end

describe("an exchange at parallelism 3", function()
  -- Where the numbers 1 to 999 arrive: subtask -> list.
  local function arrivals(kind)
    local result = testing.run(function()
      local mt = require "moontide"
      local job = mt.job("arrivals", { checkpoint = { interval = false } })
      local stream = job:from(mt.sequence { from = 1, to = 999 })
      stream[mt.args.kind](stream):process("where", function(n, ctx, out) out:collect { subtask = ctx:subtask(), n = n } end)
        :to(mt.collect { name = "results" })
      return job
    end, { parallelism = 3, args = { kind = kind } })
    local by_subtask, total = { [0] = {}, {}, {} }, #result.sinks.results
    for _, row in ipairs(result.sinks.results) do table.insert(by_subtask[row.subtask], row.n) end
    return by_subtask, total
  end

  local function each_once(...)
    local seen, count = {}, 0
    for _, list in ipairs { ... } do
      for _, n in ipairs(list) do
        assert.is_nil(seen[n])
        seen[n], count = true, count + 1
      end
    end
    return count
  end

  it("rebalance deals evenly", function()
    local got, total = arrivals "rebalance"
    assert.are.equal(999, total)
    assert.are.equal(999, each_once(got[0], got[1], got[2]))
    for subtask = 0, 2 do assert.are.equal(333, #got[subtask]) end
  end)

  it("global sends everything to subtask 0", function()
    local got, total = arrivals "global"
    assert.are.equal(999, total)
    assert.are.equal(999, each_once(got[0]))
  end)

  it("broadcast sends everything to all", function()
    local got, total = arrivals "broadcast"
    assert.are.equal(3 * 999, total)
    for subtask = 0, 2 do assert.are.equal(999, each_once(got[subtask])) end
  end)

  it("S43: keys go to the subtask that testing.subtask_of tells", function()
    local result = testing.run(function()
      local mt = require "moontide"
      local job = mt.job("keys", { checkpoint = { interval = false } })
      job:from(mt.sequence { from = 1, to = 300 }):key_by(function(n) return "k" .. n end)
        :process("where", function(_, ctx, out) out:collect { key = ctx:current_key(), subtask = ctx:subtask() } end)
        :to(mt.collect { name = "results" })
      return job
    end, { parallelism = 3 })
    assert.are.equal(300, #result.sinks.results)
    for _, row in ipairs(result.sinks.results) do assert.are.equal(testing.subtask_of(row.key, 3), row.subtask, row.key) end
  end)

  it("S43: the same with key groups that are no power of two, and keys and values of all lengths", function()
    local result = testing.run(function()
      local mt = require "moontide"
      local job = mt.job("lengths", { checkpoint = { interval = false }, max_parallelism = 100 })
      job:from(mt.sequence { from = 1, to = 3000 })
        :map(function(n) return { key = ("k"):rep(n % 70) .. n, text = ("v"):rep(n % 300), n = n } end)
        :key_by("key")
        :process("where", { process_element = function(_, row, ctx, out)
          out:collect { key = row.key, own = ctx:current_key(), text = row.text, n = row.n, subtask = ctx:subtask() }
        end })
        :to(mt.collect { name = "results" })
      return job
    end, { parallelism = 3 })
    assert.are.equal(3000, #result.sinks.results)
    local counts = {}
    for _, row in ipairs(result.sinks.results) do
      assert.are.equal(testing.subtask_of(row.key, 3, 100), row.subtask, row.key)
      assert.are.equal(("k"):rep(row.n % 70) .. row.n, row.key)
      assert.are.equal(row.key, row.own)
      assert.are.equal(("v"):rep(row.n % 300), row.text)
      counts[row.subtask] = (counts[row.subtask] or 0) + 1
    end
    for subtask = 0, 2 do assert.is_true(counts[subtask] > 500) end
  end)
end)

describe("back-pressure", function()
  it("one key of 90 % of the records, larger than the rings take: all arrive, in order", function()
    local result = testing.run(function()
      local mt = require "moontide"
      local job = mt.job("skew", { checkpoint = { interval = "20ms" } })
      job:from(mt.generator { count = 6000, seed = 3, fn = function(i, random)
        return { key = random(10) > 1 and "hot" or "cold" .. i % 7, i = i, fill = ("x"):rep(2000) }
      end })
        :key_by("key")
        :process("first", { state = { last = mt.value_state { default = 0 } }, process_element = function(self, row, _, out)
          self.last:update(row.i)
          out:collect { key = row.key, i = row.i, fill = row.fill }
        end })
        :key_by(function(row) return row.key .. "!" end)
        :process("second", { state = { count = mt.value_state { default = 0 } }, process_element = function(self, row, ctx, out)
          self.count:update(self.count:value() + 1)
          out:collect { key = row.key, count = self.count:value(), i = row.i, subtask = ctx:subtask() }
        end })
        :to(mt.collect { name = "results" })
      return job
    end, { parallelism = 3 })
    local results, seen, counts, hot = result.sinks.results, {}, {}, 0
    assert.are.equal(6000, #results)
    for _, row in ipairs(results) do
      assert.is_nil(seen[row.i])
      seen[row.i] = true
      assert.are.equal((counts[row.key] or 0) + 1, row.count)
      counts[row.key] = row.count
      if row.key == "hot" then hot = hot + 1 end
    end
    assert.is_true(hot > 5000)
  end)

  -- How far one source came ahead of the other one, at most.
  local function records_apart()
    local result = testing.run(function()
      local mt = require "moontide"
      local job = mt.job("beside", { checkpoint = { interval = false } })
      job:from(mt.generator { count = 600000, fn = function(i) return i end })
        :process("tag", function(_, ctx, out) out:collect(ctx:subtask()) end)
        :key_by(function() return "hot" end)
        :process("behind", {
          open = function(self) self.seen, self.told = { [0] = 0, 0 }, 0 end,
          process_element = function(self, from, _, out)
            self.seen[from] = self.seen[from] + 1
            for i = 1, 100 do self.spent = (self.spent or 0) + i % (from + 2) end -- more work than reading is
            local apart = math.abs(self.seen[0] - self.seen[1])
            if apart < self.told + 1000 then return end
            self.told = apart
            out:collect(apart)
          end,
        })
        :to(mt.collect { name = "apart" })
      return job
    end, { parallelism = 2 })
    local apart = result.sinks.apart
    return apart[#apart] or 0
  end

  -- Where other processes take a worker's core away, the other worker comes ahead for that: not each time.
  it("one key of all records: the source beside it is read as far as the others are", function()
    local least = math.huge
    for _ = 1, 3 do
      if least >= 100000 then least = math.min(least, records_apart()) end
    end
    assert.is_true(least < 100000, ("one is %d of 300000 records ahead"):format(least))
  end)

  it("S33: a step that is never without input keeps no barriers of other steps waiting", function()
    local result = testing.run(function()
      local mt = require "moontide"
      local job = mt.job("beside", { checkpoint = { interval = "20ms" } })
      local prepared, seen = 0, 0
      local function from(key) return job:from(mt.generator { count = 30000, fn = function(i) return { k = i % 100 } end }):key_by(key) end
      from("k"):to(mt.sink { write = function() end, prepare = function() prepared = prepared + 1 end, commit = function() end })
      from(function() return 7 end):process("hot", function(_, _, out)
        local enough = os.clock() + 1e-4
        while os.clock() < enough do end
        seen = seen + 1
        if seen == 25000 then out:collect(prepared) end
      end):to(mt.collect { name = "prepared" })
      return job
    end, { parallelism = 2 })
    assert.is_true(result.sinks.prepared[1] > 0)
  end)

  -- Worker 1 takes nothing until something of worker 0 waits for it, for a while at least. From there on "hot", on worker 0, is
  -- never without input, since worker 2 has enough for it. Its source is the first, so that worker 1 has begun with that
  -- before it stops.
  local function left_waiting()
    local path = os.tmpname()
    local result = testing.run(function()
      local mt = require "moontide"
      local job, path = mt.job("waiting", { checkpoint = { interval = false } }), mt.args.path
      local function note(text, ...)
        local file = io.open(path, "a")
        file:write(text:format(...), "\n")
        file:close()
      end
      local function noted()
        local set = {}
        for line in io.lines(path) do set[line] = true end
        return set
      end
      -- What worker 0 has sent to those that have not got it.
      local function outstanding()
        local set, list = noted(), {}
        for i = 1, 300 do
          if set["sent " .. i] and not set["got " .. i] then list[#list + 1] = i end
        end
        return list
      end
      local function work(seconds)
        local enough = os.clock() + seconds
        while os.clock() < enough do end
      end
      local seen, tries, waiting, is_open = 0, 0, {}, false
      job:from(mt.sequence { to = 30000 }, { name = "many" }):key_by(function() return 7 end):process("hot", function(_, ctx, out)
        if seen > 400 then return end
        tries = tries + 1
        if seen == 0 and (tries > 200 or #outstanding() < 2) then return end
        seen = seen + 1
        if seen == 50 then
          waiting = outstanding()
          note "open"
          work(0.3)
          return
        end
        work(0.005) -- so that few records are taken in at once
        if seen < 50 then return end
        local got, left = noted(), 0
        for _, i in ipairs(waiting) do left = left + (got["got " .. i] and 0 or 1) end
        if left > 0 and seen < 400 then return end -- where other processes take the cores away, it takes longer
        seen = 401
        out:collect(ctx:subtask() == 0 and left or -1)
      end):to(mt.collect { name = "told" })
      job:from(mt.sequence { to = 300 }, { name = "few" }):process("sent", function(i, ctx, out)
        if ctx:subtask() == 0 then note("sent %d", i) end
        out:collect(i)
      end):key_by(function(i) return i end):process("got", function(i, ctx)
        local enough = os.clock() + 4
        while ctx:subtask() == 1 and not is_open do is_open = noted()["open"] or os.clock() > enough end
        note("got %d", i)
      end)
      return job
    end, { parallelism = 3, args = { path = path } })
    os.remove(path)
    return result.sinks.told[1] or math.huge
  end

  -- Other processes may take the cores away at the wrong moment: not each time.
  it("what waits before a full ring goes on as soon as there is room, whatever its worker has to do", function()
    local least = math.huge
    for _ = 1, 3 do
      if least ~= 0 then least = math.min(least, left_waiting()) end
    end
    assert.equal(0, least)
  end)

  it("a source does not keep one from being read that has nothing to do with it", function()
    local result = testing.run(function()
      local mt = require "moontide"
      local job = mt.job("sources", { checkpoint = { interval = false } })
      local seen = { one = 0, two = 0 }
      local function tell(name, other)
        return function(_, _, out)
          seen[name] = seen[name] + 1
          if seen[name] == 100000 then out:collect(seen[other]) end
        end
      end
      job:from(mt.sequence { to = 200000 }):process("first", tell("one", "two")):to(mt.collect { name = "two" })
      job:from(mt.sequence { to = 200000 }):process("second", tell("two", "one")):to(mt.collect { name = "one" })
      return job
    end)
    for _, name in ipairs { "one", "two" } do
      local read = result.sinks[name][1]
      assert.is_true(read > 90000 and read < 110000, ("%d of %s beside 100000"):format(read, name))
    end
  end)

  it("a step that makes a thousand records of one does not lock its workers", function()
    local result = testing.run(function()
      local mt = require "moontide"
      local job = mt.job("burst", { checkpoint = { interval = "20ms" } })
      job:from(mt.sequence { from = 1, to = 300 })
        :rebalance()
        :flat_map(function(n, out) for i = 1, 1000 do out:collect { n = n, key = (n + i) % 50, fill = ("y"):rep(100) } end end)
        :key_by("key"):sum("sum", "n"):filter(function(row) return row.sum % 1000 == 0 end)
        :to(mt.collect { name = "results" })
      return job
    end, { parallelism = 3 })
    assert.is_true(#result.sinks.results > 0)
  end)

  it("S43: what a full ring did not take stays before what is sent behind it", function()
    local result = testing.run(function()
      local mt = require "moontide"
      local job = mt.job("order", { checkpoint = { interval = false } })
      job:from(mt.sequence { from = 1, to = 20 })
        :rebalance()
        :process("burst", function(n, ctx, out) -- far more than a ring takes, while the other worker takes from it
          for i = 1, 20000 do out:collect { from = ctx:subtask(), n = n, i = i, fill = ("y"):rep(200) } end
        end)
        :key_by(function() return "hot" end)
        :process("follow", {
          open = function(self) self.last, self.seen = {}, 0 end,
          process_element = function(self, row, _, out)
            local last = self.last[row.n] or 0
            if row.i ~= last + 1 then error(("record %d of burst %d came behind %d"):format(row.i, row.n, last)) end
            self.last[row.n], self.seen = row.i, self.seen + 1
            if self.seen == 20 * 20000 then out:collect(self.seen) end
          end,
        })
        :to(mt.collect { name = "seen" })
      return job
    end, { parallelism = 2 })
    assert.are.same({ 20 * 20000 }, result.sinks.seen)
  end)
end)

describe("the same job again", function()
  local function job()
    local mt = require "moontide"
    local described = mt.job("again", { checkpoint = { interval = "3ms" } })
    described:from(mt.generator { count = 4000, rate = 5000, seed = 11, fn = function(i, random)
      return { key = random(40), amount = random(1000), i = i }
    end })
      :key_by("key")
      :process("totals", { state = { total = mt.value_state { default = 0 }, seen = mt.map_state() }, process_element = function(self, row, _, out)
        self.total:update(self.total:value() + row.amount)
        self.seen:put(row.amount, (self.seen:get(row.amount) or 0) + 1)
        local distinct = 0
        for _ in self.seen:keys() do distinct = distinct + 1 end
        out:collect { key = row.key, i = row.i, total = self.total:value(), distinct = distinct }
      end })
      :to(mt.collect { name = "results" })
    return described
  end

  local function text(row)
    return ("%02d %05d %d %d"):format(row.key, row.i, row.total, row.distinct)
  end

  local function in_order(result)
    local out = {}
    for i, row in ipairs(result.sinks.results) do out[i] = text(row) end
    return table.concat(out, "\n")
  end

  it("gives the same bytes at parallelism 1, also with kills", function()
    local first = in_order(testing.run(job, { parallelism = 1 }))
    assert.are.equal(4000, select(2, first:gsub("[^\n]+", "")))
    assert.are.equal(first, in_order(testing.run(job, { parallelism = 1 })))
    local killed = testing.run(job, { parallelism = 1, kill_after = { checkpoints = 2, times = 3 } })
    assert.are.equal(3, killed.kills)
    assert.are.equal(first, in_order(killed))
  end)

  it("gives every key the same history at parallelism 3, with kills", function()
    local one = sorted_texts(testing.run(job, { parallelism = 1 }).sinks.results, text)
    local totals = {}
    local killed = testing.run(job, { parallelism = 3, kill_after = { checkpoints = 2, times = 3 } })
    assert.are.equal(3, killed.kills)
    assert.are.equal(4000, #killed.sinks.results)
    for _, row in ipairs(killed.sinks.results) do totals[row.key] = math.max(totals[row.key] or 0, row.total) end
    local expected = {}
    for _, line in ipairs(one) do
      local key, _, total = line:match("(%d+) (%d+) (%d+)")
      expected[tonumber(key)] = math.max(expected[tonumber(key)] or 0, tonumber(total))
    end
    assert.are.same(expected, totals)
  end)
end)

describe("testing.run", function()
  local function fails(...)
    local ok, message = pcall(testing.run, ...)
    assert.is_false(ok, "it did not fail")
    return message
  end

  it("refuses functions with upvalues, wrong options and what is no script, at the caller's line", function()
    local outside = 1
    assert.matches("exchange_spec.lua:%d+: testing.run: the function has the upvalue 'outside'", fails(function() return outside end))
    assert.matches("unknown option 'kills'", fails("x.lua", { kills = 1 }))
    assert.matches("unknown option 'kill_after.after'", fails("x.lua", { kill_after = { after = 1 } }))
    assert.matches("needs a script's path or a function", fails(5))
  end)

  it("raises the report of a job that fails", function()
    local report = fails(function()
      local mt = require "moontide"
      local job = mt.job("bad", { restart = "none" })
      job:from(mt.values { 1 }):map(function() error("no good") end, { name = "broken" }):to(mt.collect {})
      return job
    end)
    assert.matches('step "broken", subtask %d: no good', report)
    assert.matches("cannot open", fails("/nonexistent/job.lua"))
  end)

  it("sends what a full ring did not take after its sources have ended too", function()
    local result = testing.run(function()
      local mt = require "moontide"
      local job = mt.job("waits", { checkpoint = { interval = false } })
      local numbers = {}
      for i = 1, 1000 do numbers[i] = i end
      job:from(mt.values(numbers)):assign_timestamps { fn = function(n) return n end, emit = 1 }
        :key_by(function(n) return n end):process("slow", {
          process_element = function(_, n, ctx)
            for _ = 1, ctx:subtask() * 100000 do n = n + 1 end -- one worker is long behind the one that sends
            ctx:timers():register_event_time_timer(ctx:timestamp() + n * 0)
          end,
          on_timer = function(_, timestamp, _, out) out:collect(timestamp) end,
        }):to(mt.collect { name = "results" })
      return job
    end, { parallelism = 2 })
    assert.are.equal(1000, #result.sinks.results)
  end)
end)

describe("a stream that meets itself again behind an exchange", function()
  local function numbers(list)
    table.sort(list)
    return list
  end

  it("S33: is no deadlock: a union with its rebalanced self", function()
    local function build()
      local mt = require "moontide"
      local job = mt.job("itself", { checkpoint = { interval = false, records = 500 }, restart = "none" })
      local stream = job:from(mt.sequence { from = 1, to = 3000 }):map(function(n) return n end)
      stream:union(stream:rebalance():map(function(n) return -n end)):to(mt.collect { name = "rows" })
      return job
    end
    local expected = {}
    for n = 1, 3000 do expected[n], expected[3000 + n] = n, -n end
    for _, killed in ipairs { false, { checkpoints = 2, times = 2 } } do
      local result = testing.run(build, { parallelism = 3, kill_after = killed or nil })
      assert.are.same(numbers(expected), numbers(result.sinks.rows))
    end
  end)

  it("is no deadlock: dead letters of steps before and behind a key_by, in one sink", function()
    local result = testing.run(function()
      local mt = require "moontide"
      local job = mt.job("letters", { on_error = { dead_letter = mt.collect { name = "dead" } }, checkpoint = { interval = false, records = 500 } })
      job:from(mt.sequence { from = 1, to = 1000 })
        :map(function(n) return n % 100 == 0 and error("early") or n end)
        :key_by(function(n) return n % 10 end)
        :process("late", function(n, _, out) out:collect(n % 100 == 50 and error("late") or n) end)
        :to(mt.collect { name = "rows" })
      return job
    end, { parallelism = 3 })
    assert.are.equal(980, #result.sinks.rows)
    local dead = {}
    for i, letter in ipairs(result.sinks.dead) do dead[i] = letter.record end
    assert.are.same({ 50, 100, 150, 200, 250, 300, 350, 400, 450, 500, 550, 600, 650, 700, 750, 800, 850, 900, 950, 1000 }, numbers(dead))
  end)
end)
