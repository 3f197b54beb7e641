-- Steps with a parallelism of their own, above and below that of their job.
local testing = require "moontide.testing"

-- How many of the rows came from each subtask.
local function by_subtask(rows)
  local counts = {}
  for _, row in ipairs(rows) do counts[row.subtask] = (counts[row.subtask] or 0) + 1 end
  return counts
end

local function each_once(rows, count)
  local seen = {}
  for _, row in ipairs(rows) do
    assert.is_nil(seen[row.n])
    seen[row.n] = true
  end
  assert.are.equal(count, #rows)
end

describe("a step with a parallelism of its own", function()
  local function run(build, parallelism, options)
    options = options or {}
    options.parallelism = parallelism or 4
    return testing.run(build, options).sinks
  end

  it("gets records in so many workers, evenly, and is opened in no other", function()
    local rows = run(function()
      local mt = require "moontide"
      local job = mt.job("some", { checkpoint = { interval = false } })
      job:from(mt.sequence { from = 1, to = 1000 })
        :process("few", {
          parallelism = 2,
          open = function(_, ctx) assert(ctx:subtask() < 2 and ctx:parallelism() == 2) end,
          process_element = function(_, n, ctx, out)
            assert(ctx:parallelism() == 2)
            out:collect { n = n, subtask = ctx:subtask() }
          end,
        }):to(mt.collect { name = "rows" })
      return job
    end).rows
    each_once(rows, 1000)
    assert.are.same({ [0] = 500, 500 }, by_subtask(rows))
  end)

  it("is where a map, a filter and a flat_map run", function()
    local rows = run(function()
      local mt = require "moontide"
      local job = mt.job("stages", { checkpoint = { interval = false } })
      local function where(name) return { name = name, parallelism = name == "b" and 3 or 2 } end
      local tells = function(value, ctx, out) out:collect { n = value, subtask = ctx:subtask() } end
      job:from(mt.sequence { from = 1, to = 600 })
        :map(function(n) return n end, where "a")
        :filter(function() return true end, where "b")
        :flat_map(function(n, out) out:collect(n) end, where "c")
        :process("tells", tells)
        :to(mt.collect { name = "rows" })
      return job
    end).rows
    each_once(rows, 600)
    assert.are.same({ [0] = 300, 300 }, by_subtask(rows)) -- it goes on where flat_map left the records
  end)

  it("S43: has the key groups of so many subtasks, beside a step with those of all, on the same keys", function()
    local sinks = run(function()
      local mt = require "moontide"
      local job = mt.job("keyed", { checkpoint = { interval = false } })
      local keyed = job:from(mt.sequence { from = 1, to = 3000 }):key_by(function(n) return "k" .. n % 100 end)
      local function counter(parallelism)
        return {
          parallelism = parallelism,
          state = { seen = mt.value_state { default = 0 } },
          process_element = function(self, n, ctx, out)
            self.seen:update(self.seen:value() + 1)
            out:collect { n = n, key = ctx:current_key(), seen = self.seen:value(), subtask = ctx:subtask() }
          end,
        }
      end
      keyed:process("three", counter(3)):to(mt.collect { name = "three" })
      keyed:process("one", counter(1)):to(mt.collect { name = "one" })
      keyed:process("all", counter(nil)):to(mt.collect { name = "all" })
      keyed:process("more", counter(100)):to(mt.collect { name = "more" })
      return job
    end)
    for name, parallelism in pairs { one = 1, three = 3, all = 4, more = 4 } do
      each_once(sinks[name], 3000)
      local last = 0
      for _, row in ipairs(sinks[name]) do
        assert.are.equal(testing.subtask_of(row.key, parallelism, 128), row.subtask)
        last = math.max(last, row.seen)
      end
      assert.are.equal(30, last)
    end
  end)

  it("reads a source in so many workers, and in no other", function()
    for _, source in ipairs { "sequence", "generator", "own" } do
      local rows = run(function()
        local mt = require "moontide"
        local job = mt.job("read", { checkpoint = { interval = false } })
        local sources = {
          sequence = mt.sequence { from = 1, to = 500 },
          generator = mt.generator { count = 500, seed = 1, fn = function(i) return i end },
          own = mt.source { poll = function(self, out)
            self.n = (self.n or 0) + 1
            if self.n > 500 then return "end" end
            out:collect(self.n)
            return true
          end },
        }
        job:from(sources[mt.args.source], { parallelism = 2 })
          :process("tells", function(n, ctx, out) out:collect { n = n, subtask = ctx:subtask() } end)
          :to(mt.collect { name = "rows" })
        return job
      end, 4, { args = { source = source } }).rows
      each_once(rows, 500)
      for subtask in pairs(by_subtask(rows)) do assert.is_true(subtask < 2, source) end
    end
  end)

  it("is that of both inputs of a step of two, and a broadcast is not sent to it twice", function()
    local rows = run(function()
      local mt = require "moontide"
      local job = mt.job("two", { checkpoint = { interval = false } })
      local one = job:from(mt.sequence { from = 1, to = 300 }, { name = "one" })
      local two = job:from(mt.sequence { from = 1001, to = 1300 }, { name = "two" }):broadcast()
      local function tells(_, n, ctx, out) out:collect { n = n < 1000 and n or n + 10000 * ctx:subtask(), subtask = ctx:subtask() } end
      one:connect(two):process("both", { parallelism = 3, process_element1 = tells, process_element2 = tells }):to(mt.collect { name = "rows" })
      return job
    end).rows
    each_once(rows, 300 + 3 * 300)
    assert.are.same({ [0] = 400, 400, 400 }, by_subtask(rows))
  end)

  it("S42: keeps its state through kills, and time goes on in all of them", function()
    local function build()
      local mt = require "moontide"
      local job = mt.job("killed", { checkpoint = { interval = false, records = 2000 }, restart = "none" })
      local keyed = job:from(mt.generator { count = 20000, seed = 3, fn = function(i, random) return { t = i, k = random(1, 50) } end }, { parallelism = 3 })
        :assign_timestamps { field = "t", max_out_of_orderness = 10, emit = 10 }
        :key_by "k"
      keyed:process("sums", {
        parallelism = 2,
        state = { sums = mt.map_state() },
        process_element = function(self, record, ctx)
          local last = record.t - record.t % 1000 + 999
          self.sums:put(last, (self.sums:get(last) or 0) + record.t)
          ctx:timers():register_event_time_timer(last)
        end,
        on_timer = function(self, time, ctx, out) out:collect { ctx:current_key(), time, self.sums:get(time) } end,
      }):to(mt.collect { name = "sums" }, { parallelism = 1 })
      return job
    end
    local function words(rows)
      local list = {}
      for i, row in ipairs(rows) do list[i] = table.concat(row, " ") end
      table.sort(list)
      return list
    end
    local expected = words(run(build, 1).sums)
    assert.is_true(#expected > 900)
    local killed = testing.run(build, { parallelism = 4, kill_after = { checkpoints = 2, times = 3 } })
    assert.is_true(killed.kills >= 1)
    assert.are.same(expected, words(killed.sinks.sums))
  end)
end)
