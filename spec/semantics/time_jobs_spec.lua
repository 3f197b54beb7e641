-- Time in whole jobs: splits, exchanges, kills, ends.
local environment = require "support.environment"
local run = require "support.run"
local testing = require "moontide.testing"

local function sorted(list)
  local words = {}
  for i, value in ipairs(list) do words[i] = type(value) == "table" and ("%s:%s:%s"):format(value[1], value[2], tostring(value[3])) or tostring(value) end
  table.sort(words)
  return words
end

-- A step that tells of every record whether it is late, and of every timer that it fires.
local tells = [[
local mt = require "moontide"
local tells = {
  process_element = function(self, value, ctx, out)
    local late = ctx:timestamp() <= ctx:timers():current_watermark()
    out:collect { late and "late" or "record", value.t, value.k }
    ctx:timers():register_event_time_timer(value.t + 5)
  end,
  on_timer = function(self, timestamp, ctx, out)
    if ctx:timers():current_watermark() < timestamp then error("too early") end
    out:collect { "timer", timestamp, ctx:current_key() }
  end,
}
]]

local function count(list)
  local counts = { late = 0, record = 0, timer = 0 }
  for _, value in ipairs(list) do counts[value[1]] = counts[value[1]] + 1 end
  return counts
end

describe("time in whole jobs", function()
  local here

  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  local function script(text)
    return here:write("job.lua", tells .. text)
  end

  it("S13: watermarks per file: no record of two files that are read beside each other is late", function()
    local long, short = {}, {}
    for i = 1, 60000 do long[i] = ('{"t":%d,"k":"long%d"}\n'):format(i, i % 50) end
    for i = 1, 300 do short[i] = ('{"t":%d,"k":"short"}\n'):format(i * 100) end
    here:write("a.jsonl", table.concat(long))
    here:write("b.jsonl", table.concat(short))
    local path = script(([[
local job = mt.job("files", {})
job:from(mt.file { path = { "%s/a.jsonl", "%s/b.jsonl" }, format = "json" })
  :assign_timestamps { field = "t", emit = 10 }:key_by("k"):process("tells", tells):to(mt.collect { name = "told" })
return job]]):format(here.directory, here.directory))
    local result = testing.run(path, { parallelism = 2 })
    assert.are.same({ late = 0, record = 60300, timer = 60300 }, count(result.sinks.told))
  end)

  it("S12: watermarks over exchanges: what is in its bound is never late, at 1 to 4 workers", function()
    local path = script [[
local job = mt.job("exchanged", {})
local function source(name)
  return job:from(mt.generator { count = 20000, seed = 7, fn = function(i, random) return { t = i + random(0, 50), k = name .. i % 97 } end }, { name = name })
end
source "first":union(source "second")
  :rebalance():assign_timestamps { field = "t", max_out_of_orderness = 1000000, emit = 100 }
  :key_by("k"):process("tells", tells):to(mt.collect { name = "rebalanced" })
source "third":assign_timestamps { fn = function(v) return v.t end, max_out_of_orderness = 50, emit = 7 }
  :union(source "fourth":assign_timestamps { field = "t", max_out_of_orderness = 50, emit = 13 })
  :key_by("k"):process("forward", tells):to(mt.collect { name = "assigned" })
return job]]
    local expected
    for parallelism = 1, 4 do
      local result = testing.run(path, { parallelism = parallelism })
      local told = count(result.sinks.assigned)
      assert.are.same({ 0, 40000 }, { told.late, told.record })
      assert.are.equal(0, count(result.sinks.rebalanced).late)
      local words = sorted(result.sinks.assigned)
      if expected then assert.are.same(expected, words) end
      expected = words
    end
  end)

  it("S9: what is replayed after a kill is late where the first run was late", function()
    local path = script [[
local job = mt.job("replayed", { checkpoint = { interval = false, records = 3000 }, restart = "none" })
job:from(mt.generator { count = 40000, seed = 3, rate = 40000, fn = function(i, random) return { t = i + random(0, 400), k = i % 5 } end })
  :assign_timestamps { field = "t", max_out_of_orderness = 200, emit = 10 }
  :process("early", function(value, ctx, out)
    out:collect { ctx:timestamp() <= ctx:timers():current_watermark() and "late" or "record", value.t, value.k }
  end):to(mt.collect { name = "told" })
return job]]
    for parallelism = 1, 2 do
      local whole = testing.run(path, { parallelism = parallelism })
      local killed = testing.run(path, { parallelism = parallelism, kill_after = { checkpoints = 2, times = 3 } })
      assert.is_true(killed.kills >= 1)
      local counts = count(whole.sinks.told)
      assert.is_true(counts.late > 1000 and counts.record > 1000)
      assert.are.same(sorted(whole.sinks.told), sorted(killed.sinks.told))
    end
  end)

  it("S9, S12: timers and lateness behind an exchange within one worker are replayed as well", function()
    local path = script [[
local job = mt.job("replayed", { checkpoint = { interval = false, records = 3000 }, restart = "none" })
job:from(mt.generator { count = 40000, seed = 5, rate = 40000, fn = function(i, random) return { t = i + random(0, 400), k = i % 5 } end })
  :assign_timestamps { fn = function(v) return v.t end, max_out_of_orderness = 200, emit = 10 }
  :key_by("k"):process("tells", tells):to(mt.collect { name = "told" })
return job]]
    local whole = testing.run(path, { parallelism = 1 })
    local killed = testing.run(path, { parallelism = 1, kill_after = { checkpoints = 2, times = 3 } })
    assert.is_true(killed.kills >= 1)
    assert.are.same(sorted(whole.sinks.told), sorted(killed.sinks.told))
  end)

  it("S8: a processing timer fires when the clock has passed it, while the source is idle", function()
    local path = script [[
local fired = false
local job = mt.job("clocked", { parallelism = 1 })
job:from(mt.source {
  poll = function(self, out)
    if self.sent then return fired and "end" or false end
    self.sent = true
    out:collect { k = "a" }
    return true
  end })
  :key_by("k"):process("clocked", {
    process_element = function(self, value, ctx, out)
      ctx:timers():register_processing_time_timer(ctx:timers():current_processing_time() + 30)
    end,
    on_timer = function(self, timestamp, ctx, out)
      fired = true
      out:collect { ctx:time_domain(), ctx:timers():current_processing_time() > timestamp, ctx:timers():current_processing_time() - timestamp < 5000 }
    end,
  }):to(mt.collect { name = "told" })
return job]]
    assert.are.same({ { "processing", true, true } }, testing.run(path, {}).sinks.told)
  end)

  -- A job whose `records` come once, whatever it is restored from, and which does not end by itself.
  local ten_once = [[
local job = mt.job("%s", { parallelism = 2, checkpoint = { interval = false } })
local records = job:from(mt.source {
  poll = function(self, out)
    if self.sent then return false end
    self.sent = true
    for k = 1, 10 do out:collect(k) end
    return true
  end,
  snapshot = function(self) return self.sent end,
  restore = function(self, sent) self.sent = sent end,
  }):key_by(function(k) return k end)
]]

  it("S9: processing timers that fell due while no process ran fire in the next one", function()
    local path = script(ten_once:format "overdue" .. [[
records:process("clocked", {
    process_element = function(self, k, ctx) ctx:timers():register_processing_time_timer(ctx:timers():current_processing_time() + 2500) end,
    on_timer = function(self, timestamp, ctx, out) out:collect(("fired %d"):format(ctx:current_key())) end,
  }):to(mt.stdout { format = "lines" })
return job]])
    local function fired(started) return select(2, started.out:gsub("fired", "")) end
    local first = here:run(path)
    first:wait_until("the records have come", function() return here:ask("status"):find('"name":"clocked","kind":"process","records_in":10,', 1, true) end)
    here:command("stop")
    assert.are.equal(0, first:wait(), first.err)
    local second = here:run(path)
    second:wait_until("all have fired", function() return fired(first) + fired(second) == 10 end)
    here:command("stop")
    assert.are.equal(0, second:wait(), second.err)
    assert.are.equal(10, fired(first) + fired(second))
  end)

  it("S18b, S9: what waits for the clock when a job is drained fires in the next run, windows too", function()
    local path = script(ten_once:format "drained" .. [[
local timers = records:process("timers", {
  process_element = function(self, k, ctx) ctx:timers():register_processing_time_timer(ctx:timers():current_processing_time() + 2500) end,
  on_timer = function(self, timestamp, ctx, out) out:collect(("timer of %d"):format(ctx:current_key())) end,
})
local session = mt.session { gap = "2500ms", time = "processing" }
local counted = records:window(session):count("counted"):map(function(result) return ("counted %d of %d"):format(result.count, result.key) end)
local listed = records:window(session):process("listed", function(key, window, content, ctx, out) out:collect(("listed %d of %d"):format(#content, key)) end)
timers:union(counted, listed):to(mt.stdout { format = "lines" })
return job]])
    local function run_until(what, condition)
      local started = here:run(path)
      started:wait_until(what, function() return condition(started) end)
      local _, status, err = here:command("stop", "--drain")
      assert.are.equal(0, status, err)
      assert.are.equal(0, started:wait(), started.err)
      return started.out
    end
    local function read() return select(2, here:ask("status"):gsub('"name":"%l+","kind":"%l+","records_in":10,', "")) >= 3 end
    local function lines(text) return select(2, text:gsub("\n", "")) end
    local before = run_until("the records have come", read)
    local out = before .. run_until("all have fired", function(started) return lines(before .. started.out) >= 30 end)
    for k = 1, 10 do
      for _, line in ipairs { "timer of %d\n", "counted 1 of %d\n", "listed 1 of %d\n" } do
        assert.are.equal(1, select(2, ("\n" .. out):gsub("\n" .. line:format(k), "")))
      end
    end
  end)

  it("emit: a source that waits sends its watermark too, after 200 ms", function()
    local path = script [[
local fired = false
local job = mt.job("waits", { parallelism = 1 })
job:from(mt.source { poll = function(self, out)
  if self.sent then return fired and "end" or false end
  self.sent = true
  for t = 1, 3 do out:collect { t = t, k = "a" } end
  return true
end }):assign_timestamps { field = "t" }:key_by("k"):process("fires", {
  process_element = function(self, value, ctx) ctx:timers():register_event_time_timer(value.t) end,
  on_timer = function(self, timestamp, ctx, out)
    fired = true
    out:collect { timestamp, ctx:timers():current_watermark() }
  end,
}):to(mt.collect { name = "told" })
return job]]
    assert.are.same({ { 1, 2 }, { 2, 2 }, { 3, math.huge } }, testing.run(path, {}).sinks.told)
  end)

  -- Two batches of some 300 ms: at one subtask the watermarks of records 1000 and 2000; of two each has every other record.
  local slow = [[
local job = mt.job("slow", { checkpoint = { interval = false } })
local stream = job:from(mt.generator { count = 2300, fn = function(i) return { t = i } end }, { parallelism = 1 })
if mt.args.exchanged then stream = stream:rebalance() end
stream:assign_timestamps { field = "t" }:process("slow", { process_element = function(self, value, ctx, out)
  if value.t % 100 <= 1 then
    local enough = os.clock() + 0.03
    while os.clock() < enough do end
  end
  local watermark = ctx:timers():current_watermark()
  if watermark ~= self.last then out:collect { ctx:subtask(), value.t, watermark } end
  self.last = watermark
end }):to(mt.collect { name = "told" })
return job]]

  it("emit: records that take long are no wait", function()
    assert.are.same({ { 0, 1, -math.huge }, { 0, 1001, 999 }, { 0, 2001, 1999 } }, testing.run(script(slow), {}).sinks.told)
  end)

  -- Both subtasks get their halves of a batch at once: else one would wait for what the other has yet to send.
  it("emit: records that take long are no wait, behind an exchange", function()
    finally(environment.set("MOONTIDE_PORTION_NS", "0"))
    local told = testing.run(script(slow), { parallelism = 2, args = { exchanged = true } }).sinks.told
    table.sort(told, function(x, y) return x[2] < y[2] end)
    assert.are.same({ { 0, 1, -math.huge }, { 1, 2, -math.huge }, { 0, 2001, 1998 }, { 1, 2002, 1999 } }, told)
  end)

  it("S18: at the end event timers fire, processing timers are dropped, in keys of all workers", function()
    local path = script [[
local job = mt.job("ended", {})
job:from(mt.generator { count = 1000, fn = function(i) return { t = i, k = i } end })
  :assign_timestamps { field = "t" }
  :key_by("k"):process("ends", {
    process_element = function(self, value, ctx, out)
      ctx:timers():register_processing_time_timer(ctx:timers():current_processing_time() + 3600000)
      ctx:timers():register_event_time_timer(value.t + 3600000)
    end,
    on_timer = function(self, timestamp, ctx, out) out:collect { ctx:time_domain(), timestamp, ctx:timers():current_watermark() } end,
  }):to(mt.collect { name = "told" })
return job]]
    for parallelism = 1, 3 do
      local told = testing.run(path, { parallelism = parallelism }).sinks.told
      assert.are.equal(1000, #told)
      for _, one in ipairs(told) do assert.are.same({ "event", math.huge }, { one[1], one[3] }) end
    end
  end)

  it("S17: a silent source is idle after idle_timeout and holds time back no longer", function()
    local path = script [[
local function flagged()
  local file = io.open(mt.args.flag)
  if file then file:close() end
  return file ~= nil
end
local job = mt.job("silent", {})
local silent = job:from(mt.source { poll = function() return flagged() and "end" or false end }, { name = "silent" })
local loud = job:from(mt.source { poll = function(self, out)
  if flagged() then return "end" end
  self.i = (self.i or 0) + 1
  out:collect { t = self.i, k = self.i % 7 }
  return false
end }, { name = "loud" })
silent:assign_timestamps { field = "t", idle_timeout = "40ms" }
  :union(loud:assign_timestamps { field = "t", idle_timeout = "60s", emit = 1 })
  :key_by("k"):process("tells", {
    process_element = function(self, value, ctx) ctx:timers():register_event_time_timer(value.t) end,
    on_timer = function(self, timestamp, ctx, out)
      if ctx:timers():current_watermark() < math.huge then io.open(mt.args.flag, "w"):close() end
      out:collect(timestamp)
    end,
  }):to(mt.collect { name = "told" })
return job]]
    for parallelism = 1, 3 do
      local told = testing.run(path, { parallelism = parallelism, args = { flag = here.directory .. "/flag" .. parallelism } }).sinks.told
      assert.is_true(#told > 0)
    end
  end)

  it("F3: a subtask without a split, of a source that may have more later, holds nothing back", function()
    here:write("only.jsonl", '{"t":10,"k":1}\n{"t":20,"k":2}\n{"t":30,"k":3}\n')
    local path = script(([[
local job = mt.job("follows", { parallelism = 3 })
job:from(mt.file { path = "%s/*.jsonl", format = "json", follow = true }):assign_timestamps { field = "t" }
  :key_by("k"):process("fires", {
    process_element = function(self, value, ctx) ctx:timers():register_event_time_timer(value.t) end,
    on_timer = function(self, timestamp, ctx, out) out:collect("fired " .. timestamp) end,
  }):to(mt.stdout { format = "lines" })
return job]]):format(here.directory))
    local started = here:run(path)
    started:wait_until("both timers below the watermark have fired", function() return started.out:find("fired 10") and started.out:find("fired 20") end)
    here:write("more.jsonl", '{"t":100,"k":4}\n') -- a new split holds time where it is until it has come so far
    started:wait_until("it goes on with a split that appears", function() return started.out:find("fired 30") or here:ask("status"):find('"records_in":4') end)
    here:command("stop")
    assert.are.equal(0, started:wait(), started.err)
  end)

  it("S18c: a source that had finished before a kill holds nothing back after it", function()
    here:write("short.jsonl", '{"t":1,"k":1}\n{"t":2,"k":2}\n')
    local path = script(([[
local job = mt.job("finished", { checkpoint = { interval = false, records = 2000 }, restart = "none" })
local short = job:from(mt.file { path = "%s/short.jsonl", format = "json" }, { name = "short" })
local list = job:from(mt.values { { t = 3, k = 3 } }, { name = "list" })
local long = job:from(mt.generator { count = 20000, rate = 20000, fn = function(i) return { t = i, k = i %% 5 } end }, { name = "long" })
short:assign_timestamps { field = "t" }:union(list:assign_timestamps { fn = function(v) return v.t end }, long:assign_timestamps { field = "t", emit = 10 })
  :key_by("k"):process("tells", {
    process_element = function(self, value, ctx, out)
      if value.t == 15000 then out:collect(ctx:timers():current_watermark() > 5000) end
      if value.t %% 10 == 0 then ctx:timers():register_event_time_timer(value.t) end
    end,
    on_timer = function(self, timestamp, ctx, out) out:collect(timestamp) end,
  }):to(mt.collect { name = "told" })
return job]]):format(here.directory))
    for parallelism = 1, 2 do
      local whole = testing.run(path, { parallelism = parallelism })
      local killed = testing.run(path, { parallelism = parallelism, kill_after = { checkpoints = 2, times = 3 } })
      assert.is_true(killed.kills >= 1)
      assert.are.same(sorted(whole.sinks.told), sorted(killed.sinks.told))
      assert.are.equal(2001, #whole.sinks.told)
    end
  end)

  -- A job that counts timers on stdout; records come until the job is stopped.
  local function endless(words)
    local path = script [[
local job = mt.job("endless", { parallelism = 2, checkpoint = { interval = false } })
job:from(mt.sequence { from = 1, rate = 2000 }):assign_timestamps { fn = function(n) return n end }
  :key_by(function(n) return n % 3 end):process("far", {
    process_element = function(self, n, ctx) ctx:timers():register_event_time_timer(1e9 + n % 3) end,
    on_timer = function(self, timestamp, ctx, out) out:collect(("fired %d %s"):format(ctx:current_key(), ctx:timers():current_watermark())) end,
  }):to(mt.stdout { format = "lines" })
return job]]
    local started = here:run(path)
    started:wait_until("records have come", function()
      local records = here:ask("status"):match('"records_in":(%d+)')
      return records and tonumber(records) > 100
    end)
    local _, status, err = here:command("stop", unpack(words))
    assert.are.equal(0, status, err)
    assert.are.equal(0, started:wait(), started.err)
    local lines = {}
    for line in started.out:gmatch("[^\n]+") do lines[#lines + 1] = line end
    table.sort(lines)
    return lines
  end

  it("S18b: stop without --drain ends no time: timers wait for the next run; with --drain they fire", function()
    assert.are.same({}, endless {})
    assert.are.same({}, endless {})
    assert.are.same({ "fired 0 inf", "fired 1 inf", "fired 2 inf" }, endless { "--drain" })
  end)

  -- At the short limit its first look comes too late for twice the limit, as it does where the process had to wait for its turn.
  for _, limit in ipairs { "300ms", "10ms" } do
    it("S2c: a loop of timers that register themselves for ever is ended by the watchdog, which names the line: after " .. limit, function()
      local path = script(([[
local job = mt.job("circle", { parallelism = 1, watchdog = "%s" })
job:from(mt.values { 10, 20 }):key_by(function(n) return n end)
  :process("circle", {
    process_element = function(self, n, ctx) ctx:timers():register_event_time_timer(n) end,
    on_timer = function(self, timestamp, ctx, out)
      ctx:timers():register_event_time_timer(timestamp)
      out:collect(timestamp)
    end,
  }):process("behind", function(n, ctx, out) out:collect(n + 1) end):to(mt.blackhole {})
return job]]):format(limit))
      local started = here:run(path)
      assert.are.equal(1, started:wait(), started.err)
      local said = ("one callback ran longer than %d ms (the job's watchdog)"):format(limit:match("%d+"))
      assert.is_truthy(started.err:find('step "circle", subtask 0: ' .. said, 1, true), started.err)
      assert.is_truthy(started.err:find("in on_timer", 1, true), started.err)
      local _, messages = started.err:gsub(said:gsub("%p", "%%%0"), "")
      local _, named = started.err:gsub(said:gsub("%p", "%%%0") .. "\n  job%.lua:%d+: in ", "")
      assert.are.equal(messages, named, started.err)
    end)
  end

  it("S2c: a loop that moves on in time is none, however long it is", function()
    local path = script [[
local job = mt.job("ticks", { parallelism = 1, watchdog = "200ms", restart = "none" })
job:from(mt.values { 1, 2, 3 }):key_by(function(n) return n end)
  :process("ticks", {
    state = { n = mt.value_state { default = 0 } },
    process_element = function(self, n, ctx) ctx:timers():register_event_time_timer(n) end,
    on_timer = function(self, timestamp, ctx, out)
      self.n:update(self.n:value() + 1)
      if timestamp < 1500000 then ctx:timers():register_event_time_timer(timestamp + 3) else out:collect(self.n:value()) end
    end,
  }):to(mt.collect { name = "told" })
return job]]
    assert.are.same({ 500000, 500001, 500001 }, (function(list) table.sort(list) return list end)(testing.run(path, {}).sinks.told))
  end)
end)
