-- Where event time stands in a running job, and why: status, why.
local run = require "support.run"
local testing = require "moontide.testing"

describe("event time of a running job", function()
  local here

  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  local function append(name, text)
    local file = assert(io.open(here.directory .. "/" .. name, "a"))
    file:write(text)
    file:close()
  end

  local function files(...)
    local names = { ... }
    for i, name in ipairs(names) do names[i] = ("%q"):format(here.directory .. "/" .. name) end
    return ('mt.file { path = { %s }, format = "json", follow = true }, { name = "clicks" }'):format(table.concat(names, ", "))
  end

  local window = [[
  :key_by("k"):window(mt.tumbling { size = "1s" }):count("hourly"):to(mt.blackhole {})]]

  local function start(assign, source, options)
    return here:run_until_running(here:job(options or "{ parallelism = 1, checkpoint = { interval = false } }", assign, source))
  end

  --- Wait until `why` says something with a match of `pattern`; what it captured.
  local function wait_for_why(started, pattern)
    local last
    local ok, found = pcall(started.wait_until, started, "why has " .. pattern, function()
      last = here:command("why")
      return last:match(pattern)
    end)
    return ok and found or error(tostring(found) .. "; last: " .. tostring(last), 2)
  end

  for parallelism = 1, 2 do
    it("S13: names the split that is silent, at parallelism " .. parallelism, function()
      here:write("a.jsonl", '{"t":978307501000,"k":"a"}\n{"t":978307502000,"k":"a"}\n')
      here:write("b.jsonl", '{"t":978307501500,"k":"b"}\n')
      local started = start("  :assign_timestamps { field = 't', emit = 1 }" .. window, files("a.jsonl", "b.jsonl"),
        ("{ parallelism = %d, checkpoint = { interval = false } }"):format(parallelism))
      wait_for_why(started, "^step 'hourly'.* waits at 2001%-01%-01T00:05:01%.%d+Z for split '[^']*/b%.jsonl#0' of source 'clicks', silent for %d%.%d s; "
        .. "set idle_timeout, so that nobody waits for it\n$")
      local status = here:ask("status")
      assert.is_truthy(status:match('"name":"hourly".-"watermark":"2001%-01%-01T00:05:01%.%d+Z","lag_ms":%d+,"held_by":"split \'[^\']*/b.jsonl#0\''), status)
      append("b.jsonl", '{"t":978307509000,"k":"b"}\n')
      wait_for_why(started, "waits at 2001%-01%-01T00:05:01%.999Z for split '[^']*/a%.jsonl#0'")
    end)
  end

  it("S14: names inputs that are idle, and goes on without them", function()
    here:write("a.jsonl", '{"t":978307502000,"k":"a"}\n')
    here:write("b.jsonl", '{"t":978307501500,"k":"b"}\n')
    local started = start("  :assign_timestamps { field = 't', emit = 1, idle_timeout = '100ms' }" .. window, files("a.jsonl", "b.jsonl"))
    wait_for_why(started, "^step 'hourly' waits at 2001%-01%-01T00:05:01%.999Z since all of its inputs are idle, among them split '[^']*' of source 'clicks', "
      .. "silent for %d%.%d s and idle\n$")
    local status = here:ask("status")
    assert.is_truthy(status:match('"name":"assign_timestamps%-1".-"held_by":null,"idle":"split \'[^\']*\' of source \'clicks\', split '), status)
    local text = here:command("status")
    assert.is_truthy(text:match("\nname +kind +records in +records out +errors +late +watermark +lag +held by +idle\n"), text)
  end)

  it("names a source that has no assign_timestamps", function()
    local started = start(window, "mt.generator { count = 1e9, rate = 1000, fn = function(i) return { k = i % 3 }, i end }, { name = 'bare' }")
    wait_for_why(started, "^step 'hourly' waits for its first watermark, for watermarks that nobody makes: the stream of 'bare' has no assign_timestamps\n$")
  end)

  it("names a source in Lua that is silent", function()
    local started = start("  :assign_timestamps { field = 't' }" .. window,
      "mt.source { poll = function(self, out) if not self.told then self.told = true; out:collect { t = 978307502000, k = 1 } end return false end }, { name = 'quiet' }")
    wait_for_why(started, "^step 'hourly' waits at 2001%-01%-01T00:05:01%.999Z for the records of source 'quiet', silent for ")
  end)

  it("names the newest record of a split whose records bring time no further", function()
    local started = start("  :assign_timestamps { field = 't', emit = 1, max_out_of_orderness = '5s' }" .. window,
      "mt.generator { count = 1e9, rate = 1000, fn = function(i) return { k = 1, t = 978307502000 } end }, { name = 'stuck' }")
    wait_for_why(started, "^step 'hourly' waits at 2001%-01%-01T00:04:56%.999Z for the records of source 'stuck', "
      .. "whose newest record is of 2001%-01%-01T00:05:02%.000Z; its watermarks follow 5%.0 s behind it\n$")
  end)

  it("names a source that waits for another one, and what that waits for", function()
    local started = here:run_until_running(here:write("job.lua", [[
local mt = require "moontide"
local job = mt.job("tide", { parallelism = 1, checkpoint = { interval = false } })
local function from(name, count)
  return job:from(mt.source { poll = function(self, out)
    self.made = (self.made or 0) + 1
    if self.made <= count then out:collect { t = 978307500000 + self.made * 1000, k = 1 } end
    return self.made <= count
  end }, { name = name }):assign_timestamps { field = "t", emit = 1, max_drift = "10s" }:key_by("k")
end
from("quick", 1e9):window(mt.tumbling { size = "1s" }):count("hourly"):to(mt.blackhole {})
from("slow", 3):to(mt.blackhole {})
return job]]))
    wait_for_why(started, "^step 'hourly' waits at 2001%-01%-01T00:05:1%d%.999Z for the records of source 'quick', which is ahead by more than its max_drift of 10%.0 s, "
      .. "and waits for the records of source 'slow', silent for %d%.%d s; set idle_timeout, so that nobody waits for it\n$")
  end)

  it("says that records are on their way where a step downstream is slow", function()
    local slow = [[
  :assign_timestamps { field = "t", emit = 1000 }:key_by("k"):process("slow", function(value, ctx, out)
    local enough = os.clock() + 0.002
    while os.clock() < enough do end
    out:collect(value)
  end):key_by("k")]] .. window:gsub('^%s*:key_by%("k"%)', "")
    local started = start(slow, "mt.generator { count = 1e9, fn = function(i) return { t = 978307500000 + i, k = i % 100 } end }",
      "{ parallelism = 2, checkpoint = { interval = false } }")
    wait_for_why(started, "^step 'hourly' %(subtask %d%) waits .* for what has been sent to it by step '[^']+' %(subtask %d%), ")
  end)

  -- Subtask 0 sends much and subtask 1 little, all of it to subtask 0, where it takes a while.
  local function uneven(options)
    local key = 0
    while testing.subtask_of(key, 2, 128) ~= 0 do key = key + 1 end
    local steps = ([[
  :process("dated", function(i, ctx, out)
    out:collect { t = 978307500000 + i * 10 + (ctx:subtask() == 0 and 1e9 or 0), many = ctx:subtask() == 0 and 100000 or 1 }
  end)
  :assign_timestamps { field = "t", emit = 1 }
  :flat_map(function(value, out)
    for _ = 1, value.many do out:collect { k = %d } end
  end):key_by("k"):process("slow", function(value, ctx, out)
    local enough = os.clock() + 0.0001
    while os.clock() < enough do end
    out:collect(value)
  end):key_by("k")]]):format(key) .. window:gsub('^%s*:key_by%("k"%)', "")
    return start(steps, "mt.generator { count = 1e9, rate = 1, fn = function(i) return i end }", options)
  end

  it("S35: names the checkpoint whose barriers others wait for", function()
    wait_for_why(uneven "{ parallelism = 2, max_parallelism = 128, checkpoint = { interval = '1s' } }",
      "^step 'hourly' %(subtask %d%) waits .*for checkpoint %d+, which is under way: other inputs have not come to its barrier, "
      .. "behind that of step 'key_by%-%d+' %(subtask 1%)\n$")
  end)

  it("names a callback that does not return", function()
    local started = start([[
  :assign_timestamps { field = 't', emit = 1 }:map(function(v) while v.t > 978307502000 do end return v end)]] .. window,
      "mt.generator { count = 1e9, rate = 1000, fn = function(i) return { k = 1, t = 978307500000 + i } end }")
    wait_for_why(started, "^step 'hourly' waits .* while a callback of step '[^']+' has been running for ")
  end)

  it("says that time moves", function()
    local started = start("  :assign_timestamps { fn = function() return os.time() * 1000 end, emit = 1 }" .. window,
      "mt.generator { count = 1e9, rate = 1000, fn = function(i) return { k = 1 } end }")
    wait_for_why(started, "^time moves: step 'hourly' is at %d+%-%d+%-%d+T%d+:%d+:%d+%.%d+Z, [%d.]+ m?s behind the clock\n$")
    assert.is_truthy(here:ask("why"):match('^{"waits":false,"why":"time moves: '), here:ask("why"))
  end)

  it("says that nothing waits for time", function()
    local started = start(nil, run.endless)
    wait_for_why(started, "^nothing waits for event time")
    assert.is_nil(here:ask("status"):find("watermark", 1, true))
  end)

  it("counts what comes too late", function()
    here:write("a.jsonl", '{"t":978307509000,"k":"a"}\n{"t":978307502000,"k":"a"}\n{"t":978307503000,"k":"b"}\n')
    local started = start("  :assign_timestamps { field = 't', emit = 1 }" .. window, files("a.jsonl"))
    started:wait_until("2 are late", function() return here:ask("status"):match('"name":"hourly","kind":"window",[^%[]*"late":2,') end)
  end)

  it("why: waits for nobody while the job only starts or waits for its next attempt", function()
    local started = here:run(here:job('{ parallelism = 1, restart = { strategy = "fixed_delay", attempts = 9, delay = "1h" } }',
      "  :map(function(n) return nil + 1 end):to(mt.blackhole {})"))
    started:wait_for("attempt 2 in 1 h 0 m")
    local _, status, err = here:command("why")
    assert.are.equal(1, status)
    assert.are.equal("moontide: the job waits for its next attempt\n", err)
  end)
end)
