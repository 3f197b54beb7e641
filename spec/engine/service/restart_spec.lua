local ffi = require "ffi"
local C = require "support.engine"

local NONE, FIXED_DELAY, EXPONENTIAL_DELAY, FAILURE_RATE = 0, 1, 2, 3

local function strategy(fields)
  return ffi.gc(ffi.new("struct restart", fields), C.restart_deinit)
end

--- The delay after a failure, or nil if it gives up.
local function fail(restart, now_ms, ran_ms)
  local delay = ffi.new("uint64_t[1]")
  if C.restart_after_failure(restart, now_ms, ran_ms or 0, delay) then return tonumber(delay[0]) end
end

local function delays(restart, count, ran_ms)
  local list = {}
  for i = 1, count do list[i] = fail(restart, i * 1000, ran_ms) or "given up" end
  return list
end

describe("restart", function()
  it("none: gives up at once", function()
    assert.is_nil(fail(strategy { strategy = NONE, delay_ms = 5, attempts = -1 }, 0))
  end)

  it("fixed_delay: so many times after the same delay, however long an attempt ran", function()
    local restart = strategy { strategy = FIXED_DELAY, delay_ms = 500, attempts = 3 }
    assert.are.same({ 500, 500, 500, "given up" }, delays(restart, 4, 3600000))
  end)

  it("fixed_delay: without limit when attempts is -1", function()
    assert.are.equal(7, delays(strategy { strategy = FIXED_DELAY, delay_ms = 7, attempts = -1 }, 1000)[1000])
  end)

  it("exponential_delay: doubles up to the longest delay and stays there", function()
    local restart = strategy { strategy = EXPONENTIAL_DELAY, delay_ms = 100, delay_max_ms = 1000, attempts = -1 }
    assert.are.same({ 100, 200, 400, 800, 1000, 1000 }, delays(restart, 6))
  end)

  it("exponential_delay: neither overflows nor sticks at zero", function()
    local restart = strategy { strategy = EXPONENTIAL_DELAY, delay_ms = 0, delay_max_ms = 60000, attempts = -1 }
    local list = delays(restart, 300)
    assert.are.same({ 0, 1, 2, 4 }, { list[1], list[2], list[3], list[4] })
    assert.are.equal(60000, list[300])
  end)

  it("exponential_delay: an attempt that ran well begins a new count", function()
    local restart = strategy { strategy = EXPONENTIAL_DELAY, delay_ms = 100, delay_max_ms = 1000, attempts = 3 }
    assert.are.same({ 100, 200, 400 }, delays(restart, 3))
    assert.are.equal(100, fail(restart, 100000, 60000))
    assert.are.equal(200, fail(restart, 200000, 59999))
    assert.are.equal(400, fail(restart, 300000, 0))
    assert.is_nil(fail(restart, 400000, 0))
  end)

  it("ran well: a minute, and twice the longest delay", function()
    local restart = strategy { strategy = EXPONENTIAL_DELAY, delay_ms = 1, delay_max_ms = 60000 }
    assert.is_false(C.restart_ran_well(restart, 119999))
    assert.is_true(C.restart_ran_well(restart, 120000))
    restart.delay_max_ms = 1000
    assert.is_false(C.restart_ran_well(restart, 59999))
    assert.is_true(C.restart_ran_well(restart, 60000))
  end)

  it("failure_rate: gives up at one failure more than allowed within the time", function()
    local restart = strategy { strategy = FAILURE_RATE, delay_ms = 10, failures = 2, within_ms = 1000 }
    assert.are.equal(10, fail(restart, 0))
    assert.are.equal(10, fail(restart, 500))
    assert.are.equal(10, fail(restart, 1001)) -- the first is forgotten
    assert.is_nil(fail(restart, 1500))
  end)

  it("failure_rate: goes on for ever at a lower rate", function()
    local restart = strategy { strategy = FAILURE_RATE, delay_ms = 10, failures = 1, within_ms = 999 }
    assert.are.equal(10, delays(restart, 100)[100])
    assert.is_true(restart.failed_capacity <= 8)
  end)
end)
