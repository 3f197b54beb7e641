-- One key has most records and the sink is slow, through rings of the usual and of the smallest
-- size: everything arrives, in order of the key, and what waits does not gather in memory.
local runs = require "support.run"

local records, record_kb = 25000, 4
local sanitized = os.getenv "LD_PRELOAD" ~= nil

describe("one key of 90 % of the records before a slow sink", function()
  local run

  before_each(function() run = runs.new() end)
  after_each(function() run:destroy() end)

  -- What the sinks wrote, of the hot key too, and the most memory that the engine held.
  local function play(parallelism, ring_bytes)
    local started = run:start({ "run", "spec/support/skewed.lua", "--no-progress", "--data", run.data, "--parallelism", tostring(parallelism),
      "--set", "records=" .. records, "--set", "rounds=5" }, { environment = { MOONTIDE_RING_BYTES = ring_bytes } })
    assert.are.equal(0, started:wait(), started.err)
    local written, hot, peak_kb, sinks = 0, 0, 0, 0
    for one, of_hot, kb in started.out:gmatch "written (%d+) hot (%d+) peak (%d+) kB" do
      written, hot, peak_kb, sinks = written + one, hot + of_hot, math.max(peak_kb, tonumber(kb)), sinks + 1
    end
    assert.are.equal(parallelism, sinks)
    return written, hot, peak_kb
  end

  for _, ring_bytes in ipairs { "1", "usual" } do
    for parallelism = 2, 3 do
      it(("rings of %s bytes, %d workers: no deadlock, nothing lost, bounded memory"):format(ring_bytes, parallelism), function()
        local written, hot, peak_kb = play(parallelism, ring_bytes)
        assert.are.equal(records, written)
        assert.is_true(hot > 0.85 * records)
        print(("skew_spec: rings of %s bytes, %d workers: peak %d MB of %d MB of records"):format(ring_bytes, parallelism, peak_kb / 1024,
          records * record_kb / 1024))
        if not sanitized then assert.is_true(peak_kb < records * record_kb / 2, peak_kb .. " kB") end
      end)
    end
  end
end)
