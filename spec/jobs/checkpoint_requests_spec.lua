-- Checkpoints that are asked for while another one is under way.
local run = require "support.run"
local unix_client = require "support.unix_client"

describe("a checkpoint that is asked for while another one is under way", function()
  local here, clients
  before_each(function() here, clients = run.new(), {} end)
  after_each(function()
    for _, client in ipairs(clients) do client:close() end
    here:destroy()
  end)

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

  local function client()
    clients[#clients + 1] = unix_client.connect(here.data .. "/control.sock")
    return clients[#clients]
  end

  -- Asked on a connection of its own; what the job is asked behind that is answered behind it.
  local function ask(request)
    local asked, other = client(), client()
    asked:send(request .. "\n")
    for _ = 1, 2 do
      other:send "status\n"
      assert.is_truthy(other:line():match '"ok":true')
    end
    return asked
  end

  local function start(path)
    local started = here:run(path)
    started:wait_until("a worker waits", function() return here:read "waits" end)
    return started
  end

  local function exists(started, name)
    started:wait_until(name .. " is there", function() return here:read(name) end)
  end

  it("S41: is one, however often it is asked for, and no other comes behind it", function()
    local started = here:run(job([[
      ctx:request_checkpoint()
      wait_for "snapshot-1"
      for _ = 1, 3 do ctx:request_checkpoint() end]], "snapshots == 2 and polls == 200"))
    assert.are.equal(0, started:wait(), started.err)
    assert.are.equal(3, tonumber(started.err:match "(%d+) checkpoints"), started.err) -- and the last one of the job
  end)

  it("S41: is not the one that was under way, whose barrier came before", function()
    local started = start(job('wait_for "gate"', "false"))
    local first = ask "checkpoint"
    exists(started, "snapshot-1")
    local second = ask "checkpoint"
    here:write("gate", "")
    assert.is_truthy(first:line():match '"ok":true') -- of the first, or of the second where that is there too by now
    assert.are.equal('{"ok":true,"checkpoint":2}', second:line())
  end)

  it("S41: is the last one of a job that stops", function()
    local started = start(job('wait_for "gate"', "false"))
    local stop = here:start { "stop", here.data }
    exists(started, "snapshot-1")
    local asked = ask "checkpoint"
    here:write("gate", "")
    assert.are.equal('{"ok":true,"checkpoint":1}', asked:line())
    assert.are.equal(0, stop:wait(), stop.err)
    assert.are.equal(0, started:wait(), started.err)
  end)

  it("is told of where the job is cancelled", function()
    start(job('wait_for "gate"', "false"))
    local asked, cancel = ask "checkpoint", ask "cancel"
    here:write("gate", "")
    assert.are.equal('{"ok":false,"error":"the job ended before it took a checkpoint"}', asked:line())
    assert.is_truthy(cancel:line():match '"ok":true')
  end)
end)
