-- Steps that take long for each record: what is on its way before them is bounded by time, so that a barrier is soon through.
local run = require "support.run"

local sanitized = os.getenv "LD_PRELOAD" ~= nil

-- Far more than are on their way, for the command itself takes a while; a full batch or ring has thousands.
local records_max = 150

describe("a sink that takes 20 ms for each record", function()
  local here
  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  local slow = [[:to(mt.sink {
    open = function(self) self.file = io.open("%s", "a") end,
    write = function(self, n)
      local enough = os.clock() + 0.02
      while os.clock() < enough do end
      self.file:write("x")
      self.file:flush()
    end,
  })]]

  local function written() return #(here:read("written") or "") end

  -- A few checkpoints and a stop, after the `first` records.
  local function plays(parallelism, source, steps, first)
    local script = here:job(("{ parallelism = %d, checkpoint = { interval = false } }"):format(parallelism),
      steps .. slow:format(here.directory .. "/written"), source)
    local started = here:run_until_running(script)
    started:wait_until("the first records are written", function() return written() > first end)
    for _ = 1, 3 do
      local before = written()
      local _, status, err = here:command("checkpoint")
      assert.are.equal(0, status, err)
      local during = written() - before
      assert.is_true(during <= records_max, ("the checkpoint waited for %d records"):format(during))
    end
    local before = written()
    assert.are.equal(0, (select(2, here:command("stop"))))
    assert.is_true(written() - before <= records_max)
    assert.are.equal(0, started:wait(), started.err)
  end

  it("S33: a checkpoint waits for a few records, behind a source in C", function()
    plays(1, "mt.sequence { from = 1 }", "", 20)
  end)

  it("S33: behind a source in Lua", function()
    plays(1, "mt.generator { fn = function(i) return i end }", ":map(function(n) return n end)", 20)
  end)

  it("S33: behind an exchange, whose both ends a worker has", function()
    plays(2, "mt.sequence { from = 1 }", ":key_by(function(n) return n % 100 end)", 300)
  end)

  it("S33: behind exchanges", function()
    plays(2, "mt.sequence { from = 1 }", ":rebalance():map(function(n) return n + 1 end):key_by(function(n) return n % 7 end):map(function(n) return n end)", 20)
  end)

  it("a burst that waits before it takes no more memory than its records need", function()
    local script = here:job("{ parallelism = 2, checkpoint = { interval = false } }", [[
      :flat_map(function(n, out) for i = 1, n < 31 and 1 or 20000 do out:collect(n) end end)
      :key_by(function() return "hot" end)
      :process("slow", {
        open = function(self) self.seen = 0 end,
        process_element = function(self, n)
          self.seen = self.seen + 1
          local enough = os.clock() + (self.seen <= 30 and 0.02 or 0)
          while os.clock() < enough do end
          if self.seen < 20030 then return end
          for line in io.lines "/proc/self/status" do
            if line:find "^VmHWM" then print(line) end
          end
        end,
      }):to(mt.blackhole {})]], "mt.generator { count = 31, fn = function(i) return i end }")
    local started = here:run(script)
    assert.are.equal(0, started:wait(), started.err)
    local peak_kb = tonumber(started.out:match "VmHWM:%s+(%d+)")
    if not sanitized then assert.is_true(peak_kb < 200000, peak_kb .. " kB") end
  end)
end)
