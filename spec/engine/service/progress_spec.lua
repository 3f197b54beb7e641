local process = require "support.process"
local run = require "support.run"

local executable = os.getenv("MOONTIDE_EXECUTABLE") or "build/moontide"

-- A system without pseudo-terminals (a bare chroot) cannot show what is drawn on one.
local has_terminals = os.execute("/usr/bin/script -qec true /dev/null >/dev/null 2>&1 </dev/null") == 0

local function on_terminals(name, fn)
  it(name, has_terminals and fn or function() pending("there are no pseudo-terminals here (/dev/pts)") end)
end

describe("progress", function()
  local here

  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  -- Prints a result and a line of stderr after half a second, and ends after a whole one.
  local function job()
    return here:job("{ parallelism = 1, checkpoint = { interval = '50ms' } }", [[
      :filter(function(n)
        if n == 500 then io.stderr:write("careful\n") end
        return n == 500
      end):to(mt.stdout { format = "json" })]], "mt.sequence { from = 1, to = 1000, rate = 1000 }")
  end

  --- What a terminal gets to see: `words` of moontide, run on one.
  local function on_terminal(environment, ...)
    local words = { "run", job(), ... }
    for i, word in ipairs(words) do words[i] = "'" .. word .. "'" end
    local started = here:start({ "-qec", "'" .. executable .. "' " .. table.concat(words, " "), "/dev/null" },
      { program = "/usr/bin/script", environment = environment })
    assert.are.equal(0, started:wait(), started.out)
    return started.out
  end

  on_terminals("draws one line over and over, and takes it away for all else", function()
    local screen = on_terminal { TERM = "xterm", NO_COLOR = "1" }
    local drawn = 0
    for line in screen:gmatch("\rtide  [%d,]+ in  [%d,]+/s  [%d,]+ out[^\r\n]*\27%[K") do
      drawn = drawn + 1
      assert.is_true(#line < 100)
    end
    assert.is_true(drawn >= 3, screen)
    assert.is_truthy(screen:match("  checkpoint %d+, %d+ ms ago"), screen)
    -- The two come by pipes of their own: which is first is open.
    local both = screen:find("\r\27[K500\r\ncareful\r\n", 1, true) or screen:find("\r\27[Kcareful\r\n500\r\n", 1, true)
      or screen:match("\r\27%[K500\r\n.*\r\27%[Kcareful\r\n") or screen:match("\r\27%[Kcareful\r\n.*\r\27%[K500\r\n")
    assert.is_truthy(both, screen)
    assert.is_truthy(screen:match("\r\27%[Ktide: finished, 1,000 records in 1%.%d s, %d+ checkpoints\r\n$"), screen)
  end)

  on_terminals("shows how far event time is behind the clock, once it is known", function()
    local script = here:job("{ parallelism = 1 }", "  :assign_timestamps { fn = function(n) return (os.time() - 3600) * 1000 end, emit = 1 }:to(mt.blackhole {})",
      "mt.sequence { from = 1, to = 1000, rate = 1000 }")
    local started = here:start({ "-qec", ("'%s' run '%s'"):format(executable, script), "/dev/null" },
      { program = "/usr/bin/script", environment = { TERM = "xterm", NO_COLOR = "1" } })
    assert.are.equal(0, started:wait(), started.out)
    assert.is_truthy(started.out:match("/s  [%d,]+ out  time 1 h 0 m behind"), started.out)
  end)

  on_terminals("is dimmed, but not with NO_COLOR", function()
    assert.is_truthy(on_terminal({ TERM = "xterm", NO_COLOR = "" }):find("\27[2m", 1, true))
    assert.is_nil(on_terminal({ TERM = "xterm", NO_COLOR = "1" }):find("\27[2m", 1, true))
  end)

  on_terminals("is not drawn with --no-progress, nor on a dumb terminal", function()
    assert.is_nil(on_terminal({ TERM = "xterm" }, "--no-progress"):find("\27", 1, true))
    assert.is_nil(on_terminal({ TERM = "dumb" }):find("\27", 1, true))
  end)

  it("is not drawn where stderr is no terminal; stdout has the results alone", function()
    local out, status, err = process.run { "run", job() }
    assert.are.equal(0, status)
    assert.are.equal("500\n", out)
    assert.is_truthy(err:match("^careful\ntide: finished, 1,000 records in 1%.%d s, %d+ checkpoints\n$"), err)
  end)
end)
