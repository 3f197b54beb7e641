local run = require "support.run"
local unix_client = require "support.unix_client"

describe("the control socket", function()
  local here, clients

  before_each(function() here, clients = run.new(), {} end)
  after_each(function()
    for _, client in ipairs(clients) do client:close() end
    here:destroy()
  end)

  local function connect()
    clients[#clients + 1] = unix_client.connect(here.data .. "/control.sock")
    return clients[#clients]
  end

  local function run_endless(options)
    return here:run_until_running(here:job(options or "{ checkpoint = { interval = false } }", nil, run.endless))
  end

  it("status: as a table, and as JSON", function()
    run_endless()
    local text, status = here:command("status")
    assert.are.equal(0, status)
    assert.is_truthy(text:match("^job +tide\nstate +running\nattempt +1\n"), text)
    assert.is_truthy(text:match("\nsteps\nname +kind +records in +records out"), text)
    local json = here:ask("status")
    assert.is_truthy(json:match('^{"job":"tide","state":"running","attempt":1,.*"steps":%[.*}\n$'), json)
  end)

  it("checkpoint: waits until it is there, and tells its number", function()
    run_endless()
    for number = 1, 3 do
      local out, status = here:command("checkpoint")
      assert.are.equal(0, status)
      assert.are.equal("checkpoint " .. number .. "\n", out)
      assert.is_truthy(here:ask("checkpoints"):match('"id":' .. number .. ',"parent"'))
    end
  end)

  it("stop: waits until the job has ended; its directory is free then", function()
    local script = here:job("{ checkpoint = { interval = false } }", nil, run.endless)
    for number = 1, 3 do
      local started = here:run_until_running(script)
      local out, status = here:command("stop")
      assert.are.equal(0, status)
      assert.are.equal(("tide: stopped, last checkpoint %d\n"):format(number), out)
      assert.is_nil(here:read("data/control.sock"))
      local again = here:run_until_running(script) -- before the old process was even waited for
      assert.are.equal(0, started:wait())
      here:command("cancel")
      assert.are.equal(0, again:wait())
    end
  end)

  it("S33: nothing is read behind the barrier of a stop: a sink without transactions goes on with the next record", function()
    local script = here:job("{ parallelism = 1, checkpoint = { interval = false } }", [[:to(mt.sink {
      write = function(self, n)
        self.first, self.last = self.first or n, n
      end,
      close = function(self) print(("from %d to %d"):format(self.first, self.last)) end,
    })]], "mt.sequence { from = 1 }")
    local next_number = 1
    for _ = 1, 3 do
      local started = here:run_until_running(script)
      started:wait_until("it has read", function() return tonumber(here:ask("status"):match '"records_in":(%d+)') > 100 end)
      assert.are.equal(0, (select(2, here:command("stop"))))
      assert.are.equal(0, started:wait(), started.err)
      local first, last = started.out:match "from (%d+) to (%d+)"
      assert.are.equal(next_number, tonumber(first))
      next_number = tonumber(last) + 1
    end
  end)

  it("stop --drain: ends the input, stop does not", function()
    local sink = ':key_by(function(n) return 1 end):count("all"):to(mt.blackhole {})'
    local script = here:job("{ checkpoint = { interval = false } }", sink, run.endless)
    local started = here:run_until_running(script)
    local out, status = here:command("stop", "--drain")
    assert.are.equal(0, status)
    assert.is_truthy(out:match("^tide: %l+, last checkpoint 1\n$"), out)
    assert.are.equal(0, started:wait())
  end)

  it("cancel: ends the job without a checkpoint", function()
    local started = run_endless()
    local out, status = here:command("cancel")
    assert.are.equal(0, status)
    assert.are.equal("tide: stopped\n", out)
    assert.are.equal(0, started:wait())
    assert.are.equal("no checkpoints\n", (here:command("checkpoints")))
  end)

  it("cancel: a callback that never returns does not hold it up", function()
    local started = here:run(here:job("{ watchdog = false, parallelism = 1 }", [[
      :map(function(n)
        io.stderr:write("in the loop\n")
        while true do end
      end):to(mt.blackhole {})]]))
    started:wait_for("in the loop")
    assert.are.equal(0, (select(2, here:command("cancel"))))
    assert.are.equal(0, started:wait())
  end)

  it("answers also while the job waits for its next attempt", function()
    local started = here:run(here:job('{ parallelism = 1, restart = { strategy = "fixed_delay", attempts = 9, delay = "1h" } }',
      "  :map(function(n) return nil + 1 end):to(mt.blackhole {})"))
    started:wait_for("attempt 2 in 1 h 0 m")
    local json = here:ask("status")
    assert.is_truthy(json:match('"job":"tide","state":"restarting","attempt":2,'), json)
    assert.is_true(tonumber(json:match('"next_attempt_ms":(%d+)')) > 3500000)
    local _, status, err = here:command("checkpoint")
    assert.are.equal(1, status)
    assert.are.equal("moontide: the job waits for its next attempt\n", err)
    assert.are.equal("tide: stopped\n", (here:command("stop")))
    assert.are.equal(0, started:wait())
  end)

  it("answers one line for one line, in order, on one connection", function()
    run_endless()
    local client = connect()
    client:send("progress\nstatus\r\ncheckpoint\nbogus\n\nprogress")
    assert.is_truthy(client:line():match('^{"ok":true,"running":%l+,"records_in":%d+'))
    assert.is_truthy(client:line():match('^{"ok":true,"status":{"job":"tide"'))
    assert.are.equal('{"ok":true,"checkpoint":1}', client:line())
    assert.is_truthy(client:line():match('^{"ok":false,"error":"unknown request: there are status,'))
    assert.is_truthy(client:line():match('^{"ok":false,"error":"unknown request'))
    client:send("\n")
    client:end_requests()
    assert.is_truthy(client:line():match('^{"ok":true,"running"'))
    assert.is_nil(client:line())
  end)

  it("is not held up by clients that say nothing, never end, never read, or leave", function()
    local started = run_endless()
    for i = 1, 50 do
      local client = connect()
      if i % 3 == 0 then client:send("stat") end
      if i % 3 == 1 then client:send(("status\n"):rep(500)) end
    end
    for _ = 1, 20 do
      local client = connect()
      client:send("checkpoint\n")
      client:close()
      clients[#clients] = nil
    end
    assert.is_truthy(here:ask("status"):match('"state":"running"'))
    assert.are.equal(0, (select(2, here:command("stop"))))
    assert.are.equal(0, started:wait())
  end)

  it("refuses a line that does not end, and closes", function()
    run_endless()
    local client = connect()
    client:send(("x"):rep(20000))
    assert.are.equal('{"ok":false,"error":"the request is too long"}', client:line())
    assert.is_nil(client:line())
    assert.is_truthy(here:ask("status"):match('"state":"running"'))
  end)

  it("belongs to its owner alone", function()
    run_endless()
    local pipe = io.popen("stat -c %a '" .. here.data .. "/control.sock'")
    assert.are.equal("600\n", pipe:read("*a"))
    pipe:close()
  end)

  it("works below a path that is too long for a socket's address", function()
    here.data = here.directory .. "/" .. ("long"):rep(20) .. "/" .. ("path"):rep(20)
    local started = run_endless()
    assert.are.equal("checkpoint 1\n", (here:command("checkpoint")))
    assert.are.equal("tide: stopped, last checkpoint 2\n", (here:command("stop")))
    assert.are.equal(0, started:wait())
  end)

  it("does not outlive a killed run: there is nobody, and the next run takes its place", function()
    local started = run_endless()
    started:signal(9)
    started:wait()
    local _, status, err = here:command("status")
    assert.are.equal(1, status)
    assert.are.equal("moontide: no job runs in " .. here.data .. "\n", err)
    run_endless()
    assert.is_truthy(here:ask("status"):match('"state":"running"'))
  end)
end)
