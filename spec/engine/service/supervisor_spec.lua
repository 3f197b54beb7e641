local ffi = require "ffi"
local process = require "support.process"
local run = require "support.run"

local function children_of(pid)
  local file = assert(io.open(("/proc/%d/task/%d/children"):format(pid, pid)))
  local list = {}
  for child in file:read("*a"):gmatch("%d+") do list[#list + 1] = tonumber(child) end
  file:close()
  return list
end

local function child_of(started)
  return started:wait_until("there is a child", function() return children_of(started.pid)[1] end)
end

--- Lua of a map function that ends its own process at record `at`, the first `times` times; `directory` counts them.
local function suicide(directory, at, times)
  return ([[
    :map(function(n)
      if n == %d then
        local ffi = require "ffi"
        pcall(ffi.cdef, "int kill(int, int); int getpid(void);")
        local counter = io.open("%s/deaths", "a+")
        counter:seek("set")
        if #counter:read("*a") < %d then
          counter:write("x")
          counter:close()
          ffi.C.kill(ffi.C.getpid(), 9)
        end
        counter:close()
      end
      return n
    end)]]):format(at, directory, times)
end

describe("the supervisor", function()
  local here

  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  local function finish(started)
    local status = started:wait()
    return status, started.err, started.out
  end

  it("runs a job to its end: results on stdout, a summary on stderr, status 0", function()
    local script = here:job('{ parallelism = 1, checkpoint = { interval = false } }', "  :to(mt.stdout { format = 'json' })", "mt.sequence { from = 1, to = 1234 }")
    local status, err, out = finish(here:run(script))
    assert.are.equal(0, status, err)
    assert.are.equal(1234, select(2, out:gsub("\n", "\n")))
    assert.is_truthy(err:match("^tide: finished, 1,234 records in [%d.]+ m?s, 1 checkpoint\n$"), err)
  end)

  it("keeps the script's text under its hash", function()
    local script = here:job()
    assert.are.equal(0, (finish(here:run(script))))
    local pipe = io.popen("ls '" .. here.data .. "/scripts'")
    local names = pipe:read("*a")
    pipe:close()
    assert.is_truthy(names:match("^%x+%.lua\n$") and #names == 21, names)
    assert.are.equal(here:read("job.lua"), here:read("data/scripts/" .. names:sub(1, -2)))
  end)

  it("makes a data directory with its parents, or a temporary one that it removes", function()
    local script = here:job()
    here.data = here.directory .. "/a/b/c"
    assert.are.equal(0, (finish(here:run(script))))
    assert.is_truthy(here:read("a/b/c/lock"))
    os.execute("mkdir '" .. here.directory .. "/tmp'")
    local _, status, err = process.run({ "run", script }, { environment = { TMPDIR = here.directory .. "/tmp" } })
    assert.are.equal(0, status, err)
    local pipe = io.popen("ls '" .. here.directory .. "/tmp'")
    assert.are.equal("", pipe:read("*a"))
    pipe:close()
  end)

  it("holds the data directory: a second run is refused, and says who has it", function()
    local script = here:job("{}", nil, run.endless)
    local first = here:run_until_running(script)
    local status, err = finish(here:run(script))
    assert.are.equal(1, status)
    assert.is_truthy(err:find(("another process (pid %d) runs this data directory: %s"):format(first.pid, here.data), 1, true), err)
    assert.is_truthy(here:ask("status"):match('"running"'))
  end)

  it("takes a directory over from a run that was killed, whose child dies with it", function()
    local script = here:job("{}", nil, run.endless)
    local first = here:run_until_running(script)
    local child = child_of(first)
    first:signal(process.KILL)
    assert.are.equal("signal 9", first:wait())
    local second = here:run_until_running(script)
    assert.is_false(process.exists(child))
    second:signal(process.INT)
    assert.are.equal(0, (finish(second)))
  end)

  it("stops with a last checkpoint on SIGINT and SIGTERM, and goes on from there", function()
    local script = here:job('{ checkpoint = { interval = false } }', nil, run.endless)
    for number, signal in ipairs { process.INT, process.TERM } do
      local started = here:run_until_running(script)
      started:signal(signal)
      local status, err = finish(started)
      assert.are.equal(0, status, err)
      assert.is_truthy(err:match("tide: stopping with a last checkpoint; once more to stop at once\n"), err)
      assert.is_truthy(err:match("tide: stopped, [%d,]+ records in .*, 1 checkpoint\n"), err)
      assert.are.equal(number > 1, err:match("goes on from checkpoint 1") ~= nil, err)
      assert.is_truthy(here:ask("checkpoints"):match('"id":' .. number .. ','))
    end
  end)

  it("says why nothing comes of a job that had finished", function()
    local script = here:job()
    local status, err = finish(here:run(script))
    assert.are.equal(0, status, err)
    assert.is_nil(err:match "nothing was left")
    status, err = finish(here:run(script))
    assert.are.equal(0, status, err)
    assert.is_truthy(err:match "nothing was left to read after checkpoint 1 %(%-%-fresh starts over%)\n", err)
  end)

  it("ends at once on a second signal, status 1", function()
    local script = here:job('{ watchdog = false, parallelism = 1 }', [[
      :map(function(n)
        if n == 10 then
          io.stderr:write("in the loop\n")
          while true do end
        end
        return n
      end):to(mt.blackhole {})]])
    local started = here:run(script)
    started:wait_for("in the loop")
    started:signal(process.INT)
    started:wait_for("once more to stop at once")
    started:signal(process.INT)
    local status, err = finish(started)
    assert.are.equal(1, status)
    assert.is_truthy(err:match("tide: stopped at once"), err)
  end)

  it("leaves the terminal's signals to the parent: the child ignores them", function()
    local started = here:run_until_running(here:job("{}", nil, run.endless))
    local child = child_of(started)
    for _, signal in ipairs { process.INT, process.TERM, 1 } do assert.are.equal(0, ffi.C.kill(child, signal)) end
    assert.is_truthy(here:ask("status"):match('"running"'))
    assert.are.equal(child, child_of(started))
    started:signal(process.TERM)
    assert.are.equal(0, (finish(started)))
  end)

  it("meets a crash of the child like a failure: another attempt, from the newest checkpoint", function()
    local options = '{ restart = { strategy = "fixed_delay", attempts = 5, delay = 20 }, checkpoint = { interval = false } }'
    local started = here:run_until_running(here:job(options, nil, run.endless))
    local number = tonumber((here:command("checkpoint")):match("checkpoint (%d+)"))
    local child = child_of(started)
    ffi.C.kill(child, process.KILL)
    started:wait_for("tide: the process of attempt 1 was ended by signal 9 %(Killed%)\n")
    assert.are.equal(number, tonumber((started:wait_for("tide: attempt 2 in 20 ms, from checkpoint (%d+)\n"))))
    assert.are.equal(number, tonumber((started:wait_for("goes on from checkpoint (%d+)"))))
    started:wait_until("it runs again", function() return here:ask("status"):match('"running","attempt":2') end)
    assert.are_not.equal(child, child_of(started))
    started:signal(process.TERM)
    local status, err = finish(started)
    assert.are.equal(0, status)
    assert.is_truthy(err:match("2 attempts\n$"), err)
  end)

  it("says so when the script has changed between two attempts, and keeps both texts", function()
    local script = here:job('{ restart = { strategy = "fixed_delay", attempts = 5, delay = 1 } }', nil, run.endless)
    local started = here:run_until_running(script)
    here:write("job.lua", here:read("job.lua") .. "-- edited\n")
    ffi.C.kill(child_of(started), process.KILL)
    started:wait_for("tide: the script has changed since the attempt before\n")
    started:wait_until("it runs again", function() return here:ask("status"):match('"running","attempt":2') end)
    started:signal(process.TERM)
    assert.are.equal(0, (finish(started)))
    local pipe = io.popen("ls '" .. here.data .. "/scripts' | wc -l")
    assert.are.equal(2, tonumber(pipe:read("*a")))
    pipe:close()
  end)

  it("does not take a process that was stopped for a callback that hangs", function()
    local started = here:run_until_running(here:job('{ parallelism = 1, watchdog = "1s" }', [[
      :map(function(n)
        local file = io.open("/proc/self/stat") -- a callback that takes its time, so that one is under way
        local begin = os.clock()
        while os.clock() - begin < 0.1 do file:seek("set") file:read("*a") end
        file:close()
        io.stderr:write("a callback has returned\n")
        return n
      end):to(mt.blackhole {})]], run.endless))
    local child = child_of(started)
    for _ = 1, 2 do
      for _, pid in ipairs { started.pid, child } do ffi.C.kill(pid, 19) end
      ffi.C.poll(nil, 0, 1300) -- the time has to pass: it is what the test is about
      for _, pid in ipairs { child, started.pid } do ffi.C.kill(pid, 18) end
      local before = #started.err
      started:wait_until("it goes on", function() return started.err:find("returned\n.*returned\n.*returned\n", before) end)
    end
    assert.is_nil(started.err:match("watchdog"), started.err)
    assert.are.equal(child, child_of(started))
  end)

  it("gives up when the restart strategy does", function()
    local script = here:job('{ parallelism = 1, restart = { strategy = "fixed_delay", attempts = 2, delay = 1 } }',
      suicide(here.directory, 5, 100) .. ":to(mt.blackhole {})")
    local status, err = finish(here:run(script))
    assert.are.equal(1, status)
    assert.are.equal("xxx", here:read("deaths"))
    assert.is_truthy(err:match("tide: failed, .*3 attempts\n$"), err)
  end)

  it("restart = none: the first failure is the last", function()
    local script = here:job('{ parallelism = 1, restart = "none" }', suicide(here.directory, 5, 100) .. ":to(mt.blackhole {})")
    local status, err = finish(here:run(script))
    assert.are.equal(1, status)
    assert.are.equal("x", here:read("deaths"))
    assert.is_nil(err:match("attempt 2"), err)
  end)

  it("ends when user code fails at the same record again", function()
    local script = here:job('{ parallelism = 1, restart = { initial = 1 } }', '  :map(function(n) return n == 7 and nil + 1 or n end):to(mt.blackhole {})')
    local status, err = finish(here:run(script))
    assert.are.equal(1, status)
    assert.is_truthy(err:match("job%.lua:4"), err)
    assert.is_truthy(err:match("attempt 2 in 1 ms") and not err:match("attempt 3"), err)
  end)

  it("ends so also where key, record or error are tables or hold addresses, which differ from attempt to attempt", function()
    local keyed = "  :map(function(n) return { a = n, b = 'x' } end):key_by { 'a', 'b' }"
    for steps, message in pairs {
      [keyed .. ":process('p', function(r) if r.a == 7 then error('bad') end end)"] = "bad\n",
      ["  :map(function(n) if n == 7 then error { code = 5 } end return n end)"] = '{"code":5}\n',
      ["  :map(function(n) if n == 7 then error('at ' .. tostring {}) end return n end)"] = "at table: 0x%x+\n",
      ["  :process('p', { open = function() error { 'closed' } end, process_element = function() end })"] = '%["closed"%]\n',
    } do
      local script = here:job('{ parallelism = 1, restart = { initial = 1 } }', steps .. ":to(mt.blackhole {})")
      local status, err = finish(here:run(script, "--fresh"))
      assert.are.equal(1, status)
      assert.is_truthy(err:match(message), err)
      assert.is_truthy(err:match("attempt 2 in 1 ms") and not err:match("attempt 3"), err)
    end
  end)

  it("ends at the first record that fails where it could not be read again", function()
    local steps = "  :map(function(n) return n == 7 and nil + 1 or n end):to(mt.blackhole {})"
    local script = here:job("{ parallelism = 1, restart = { initial = 1 } }", steps, "mt.stdin { format = 'json' }")
    local _, status, err = process.run({ "-c", ("seq 1 100000 | '%s' run '%s' --no-progress"):format(
      os.getenv("MOONTIDE_EXECUTABLE") or "build/moontide", script) }, { program = "/bin/sh" })
    assert.are.equal(1, status, err)
    assert.is_truthy(err:match("job%.lua:4") and err:match("moontide: no other attempt: what this one has read cannot be read again\n"), err)
    assert.is_nil(err:match("attempt 2"), err)
  end)

  it("ends a callback that hangs, and names its line in the next attempt", function()
    local script = here:job('{ parallelism = 1, watchdog = "200ms", restart = { initial = 1 } }', [[
      :process("detector", function(n, ctx, out)
        while n == 7 do n = 7 end
        out:collect(n)
      end):to(mt.blackhole {})]])
    local status, err = finish(here:run(script))
    assert.are.equal(1, status)
    assert.is_truthy(err:match("tide: step 'detector' ran one callback for [%d.]+ m?s: ended by the watchdog; "
      .. "the next attempt runs it without the JIT to name the line\n"), err)
    assert.is_truthy(err:match("job%.lua:5"), err)
    assert.is_truthy(err:match("attempt 3") and not err:match("attempt 4"), err)
  end)

  it("does not try again what could not begin", function()
    local script = here:job('{ max_parallelism = 2 }')
    local status, err = finish(here:run(script, "--parallelism", "4"))
    assert.are.equal(1, status)
    assert.is_truthy(err:match("max_parallelism") and not err:match("attempt 2"), err)
  end)

  it("refuses a restore that cannot be, status 3", function()
    local script = here:job()
    local status, err = finish(here:run(script, "--restore", "99"))
    assert.are.equal(3, status, err)
    assert.is_truthy(err:match("99"), err)
  end)

  it("begins a later attempt of a fresh run at what that run has committed, not at the beginning", function()
    assert.are.equal(0, (finish(here:run(here:job('{ parallelism = 1 }')))))
    local before = tonumber(here:ask("checkpoints"):match('"id":(%d+)[^{]*$'))
    local script = here:job('{ parallelism = 1, checkpoint = { interval = "10ms" }, restart = { initial = 1 } }',
      suicide(here.directory, 5000, 1) .. ":to(mt.blackhole {})", "mt.sequence { from = 1, to = 10000, rate = 20000 }")
    local status, err = finish(here:run(script, "--fresh"))
    assert.are.equal(0, status, err)
    assert.are.equal("x", here:read("deaths"))
    assert.is_true(tonumber(err:match("goes on from checkpoint (%d+)")) > before, err)
    assert.is_truthy(here:ask("checkpoints"):match('"id":' .. before .. ","), "--fresh keeps the older ones")
  end)

  it("ends when nobody reads its results any more", function()
    local script = here:job('{ parallelism = 1, restart = { initial = 1 } }', "  :to(mt.stdout { format = 'json' })", run.endless)
    local out, status, err = process.run({ "-c", ("'%s' run '%s' --no-progress | head -n 1; exit ${PIPESTATUS[0]}"):format(
      os.getenv("MOONTIDE_EXECUTABLE") or "build/moontide", script) }, { program = "/bin/bash" })
    assert.are.equal(1, status, err)
    assert.are.equal("1\n", out)
    assert.is_nil(err:match("attempt 2"), err)
  end)

  it("is heard by a job that is asked to stop in the moment in which it is told to begin", function()
    local stopped, continued = 19, 18
    local script = here:write("job.lua", ([[
local mt = require "moontide"
io.open("%s/loads", "w"):close()
while not io.open "%s/goes_on" do end
local job = mt.job "tide"
job:from(mt.sequence { from = 1, rate = 100 }):to(mt.blackhole {})
return job
]]):format(here.directory, here.directory))
    local function is_in_state(pid, wanted)
      local file = assert(io.open("/proc/" .. pid .. "/stat"))
      local state = file:read("*a"):match("%) (%a)")
      file:close()
      return state == wanted
    end
    local started = here:run(script)
    started:wait_until("the script loads", function() return here:read "loads" end)
    local child = child_of(started)
    started:signal(stopped)
    here:write("goes_on", "")
    started:wait_until("the child waits for the word", function() return is_in_state(child, "S") end)
    ffi.C.kill(child, stopped)
    started:wait_until("the child is held", function() return is_in_state(child, "T") end)
    started:signal(process.TERM)
    started:signal(continued)
    started:wait_for "stopping with a last checkpoint"
    ffi.C.kill(child, continued)
    local status, err = finish(started)
    assert.are.equal(0, status, err)
  end)

  it("ends when its stdout is closed, and does not take files of its own for stdout and stderr", function()
    local script = here:job('{ parallelism = 1, checkpoint = { interval = "10ms" }, restart = { initial = 1 } }', [[
  :to(mt.stdout { format = 'lines' })]], "mt.sequence { from = 1, to = 3000, rate = 30000 }")
    local function run_with(redirections)
      return process.run({ "-c", ("exec '%s' run '%s' --data '%s' --fresh --no-progress %s"):format(
        os.getenv("MOONTIDE_EXECUTABLE") or "build/moontide", script, here.data, redirections) }, { program = "/bin/sh" })
    end
    local _, status, err = run_with(">&-")
    assert.are.equal(1, status, err)
    assert.is_truthy(err:match("stdout: Bad file descriptor\n") and not err:match("attempt 2"), err)
    local out, good = run_with("2>&-")
    assert.are.equal(0, good)
    assert.are.equal(3000, select(2, out:gsub("\n", "\n")))
    assert.is_falsy((here:read("data/lock") or ""):find("finished", 1, true))
    assert.are.equal(1, (select(2, run_with("<&- >&- 2>&-"))))
  end)
end)
