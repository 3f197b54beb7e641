-- max_drift: sources that run ahead of others wait.
local author = require "support.author"
local run = require "support.run"
local testing = require "moontide.testing"

-- Two sources of 20000 records each, `second` at a rate; the step behind answers by how much `first` led at most.
local head = [[
local mt = require "moontide"
local job = mt.job("drift", { checkpoint = { interval = false, records = 3000 }, restart = "none" })
local function numbers(name, rate)
  return job:from(mt.generator { count = 20000, rate = rate, fn = function(i) return { from = name, t = i, k = i % 7 } end }, { name = name })
end
local function lead(stream)
  local last, most = { first = 0, second = 0 }, 0
  stream:global():process("lead", { process_element = function(_, value, ctx, out)
    last[value.from] = math.max(last[value.from], value.t)
    if value.from == "first" and last.second < 20000 and value.t - last.second > most then
      most = value.t - last.second
      out:collect(most)
    end
  end }):to(mt.collect { name = "leads" })
end
]]

describe("max_drift", function()
  local here

  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  local function most(text, options)
    local leads = testing.run(here:write("job.lua", head .. text .. "\nreturn job"), options).sinks.leads
    local highest = 0
    for _, lead in ipairs(leads) do highest = math.max(highest, lead) end
    return highest
  end

  -- What is under way between source and assigner when it gets too far ahead: a polled batch of each worker, and what the other has not told yet.
  local slack = 7000

  it("holds a source back that is further ahead of the slowest one", function()
    local aligned = [[
lead(numbers("first"):assign_timestamps { field = "t", max_drift = 2000, emit = 100 }
  :union(numbers("second", 20000):assign_timestamps { fn = function(v) return v.t end, max_drift = "2s", emit = 100 }))]]
    local free = aligned:gsub("max_drift", "max_out_of_orderness")
    for parallelism = 1, 3 do
      assert.is_true(most(free, { parallelism = parallelism }) > 10000)
      assert.is_true(most(aligned, { parallelism = parallelism }) < 2000 + slack)
    end
  end)

  it("goes on after a kill, with barriers through a source that waits", function()
    local text = [[
lead(numbers("first"):assign_timestamps { field = "t", max_drift = 2000, emit = 100 }
  :union(numbers("second", 20000):assign_timestamps { field = "t", max_drift = "2s", emit = 100 }))]]
    for parallelism = 1, 2 do
      assert.is_true(most(text, { parallelism = parallelism, kill_after = { checkpoints = 2, times = 2 } }) < 2000 + slack)
    end
  end)

  it("each source has its own limit, and one without takes no part", function()
    assert.is_true(most [[
lead(numbers("first"):assign_timestamps { field = "t", max_drift = 1000000, emit = 100 }
  :union(numbers("second", 20000):assign_timestamps { field = "t", max_drift = 0, emit = 100 }))]] > 10000)
    assert.is_true(most [[
lead(numbers("first"):assign_timestamps { field = "t", max_drift = 0, emit = 100 }
  :union(numbers("second", 20000):assign_timestamps { field = "t", emit = 100 }))]] > 10000)
  end)

  it("F5: neither sources that have finished nor subtasks without a split hold others back", function()
    here:write("short.jsonl", '{"from":"second","t":1,"k":1}\n')
    for parallelism = 1, 3 do
      assert.is_true(most(([[
lead(numbers("first"):assign_timestamps { field = "t", max_drift = 0, emit = 100 }
  :union(job:from(mt.file { path = "%s/short.jsonl", format = "json" }):assign_timestamps { field = "t", max_drift = 0 }))]]):format(here.directory),
        { parallelism = parallelism }) > 10000)
    end
  end)

  it("S17: an idle source holds nobody back", function()
    assert.is_true(most [[
local quiet = job:from(mt.source { poll = function(self)
  self.since = self.since or os.time()
  return os.time() - self.since > 2 and "end" or false
end })
lead(numbers("first"):assign_timestamps { field = "t", max_drift = 0, emit = 100 }
  :union(quiet:assign_timestamps { field = "t", max_drift = 0, idle_timeout = 50 }))]] > 10000)
  end)

  it("a source behind which two count time in different ways does not wait for itself", function()
    assert.is_true(most [[
local first = numbers("first")
lead(first:assign_timestamps { field = "t", max_drift = 10, emit = 100 })
first:map(function(v) return { from = "second", t = -v.t } end):assign_timestamps { field = "t", max_drift = 10, emit = 100 }:to(mt.blackhole {})]] > 10000)
  end)

  it("S17: the clock of a source that waits stands: it is not idle", function()
    assert.is_true(most [[
lead(numbers("first"):assign_timestamps { field = "t", max_drift = 1000, emit = 100, idle_timeout = 1 }
  :union(numbers("second", 20000):assign_timestamps { field = "t", max_drift = 1000, emit = 100, idle_timeout = "1m" }))]] < 1000 + slack)
  end)

  it("stands before all that deals out records", function()
    local function refuses(steps, name)
      local message = author.failure("local job = mt.job('fraud', {}) job:from(mt.sequence { from = 1 })" .. steps
        .. ":assign_timestamps { fn = function(n) return n end, max_drift = 5 }")
      assert.are.equal("fraud.lua:1: :assign_timestamps: 'max_drift' makes sources wait: it goes before key_by and all that deals out records, "
        .. "and this stream comes from step '" .. name .. "'", message)
    end
    refuses(":key_by(function(n) return n end)", "key_by-1")
    refuses(":rebalance():map(function(n) return n end)", "rebalance-1")
    refuses(":global()", "global-1")
    author.run [[
local job = mt.job('fraud', {})
job:from(mt.sequence { from = 1 }):map(function(n) return n end):union(job:from(mt.sequence { from = 1 }))
  :assign_timestamps { fn = function(n) return n end, max_drift = 5 }]]
  end)
end)
