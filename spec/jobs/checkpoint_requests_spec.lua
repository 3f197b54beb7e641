-- Checkpoints that are asked for while another one is under way.
local run = require "support.run"

describe("a checkpoint that is asked for while another one is under way", function()
  local here
  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  -- The source and its worker take their part of a checkpoint, and leave a file; the other worker does `waits` at its first
  -- record. Once `enough` answers true for the number of snapshots and of polls since the last of them the input ends.
  local function job(waits, enough)
    return here:write("job.lua", ([[
local mt = require "moontide"
local job = mt.job("asked", { parallelism = 2, restart = "none", checkpoint = { interval = false } })
local snapshots, polls, sent, passed = 0, 0, false, false
local function path(name) return "%s/" .. name end
local function wait_for(name)
  local file
  repeat file = io.open(path(name)) until file
  file:close()
end
local source = mt.source {
  poll = function(_, out)
    polls = polls + 1
    for n = 1, sent and 0 or 20 do out:collect(n) end
    sent = true
    return %s and "end" or false
  end,
  snapshot = function()
    snapshots, polls = snapshots + 1, 0
    io.open(path("snapshot-" .. snapshots), "w"):close()
    return snapshots
  end,
  restore = function() end,
}
job:from(source, { parallelism = 1 }):key_by(function(n) return n end):process("step", function(n, ctx)
  if ctx:subtask() == 1 and not passed then
    passed = true
    io.open(path "waits", "w"):close()
    %s
  end
end):to(mt.blackhole {})
return job]]):format(here.directory, enough, waits))
  end

  it("S41: is one, however often it is asked for, and no other comes behind it", function()
    local started = here:run(job([[
      ctx:request_checkpoint()
      wait_for "snapshot-1"
      for _ = 1, 3 do ctx:request_checkpoint() end]], "snapshots == 2 and polls == 200"))
    assert.are.equal(0, started:wait(), started.err)
    assert.are.equal(3, tonumber(started.err:match "(%d+) checkpoints"), started.err) -- and the last one of the job
  end)
end)
