local drive = require "engine.connectors.drive"
local clock = require "support.clock"
local ffi = require "ffi"

local function sorted(list)
  table.sort(list)
  return list
end

describe("source sequence", function()
  it("counts from 1 without options", function()
    local source = drive.source("sequence", {})
    local reader = source:reader("0/1")
    local status, values, times = reader:poll()
    assert.equal(drive.MORE, status)
    assert.equal(1024, #values)
    for i = 1, 1024 do
      assert.equal(i, values[i])
      assert.equal(drive.TIME_NONE, times[i])
    end
    reader:close()
    source:close()
  end)

  it("ends at `to`, which belongs to it", function()
    local source = drive.source("sequence", { from = -3, to = 2 })
    assert.same({ -3, -2, -1, 0, 1, 2 }, source:read_all())
    source:close()
    assert.same({}, drive.source("sequence", { from = 5, to = 4 }):read_all())
    assert.same({ 7 }, drive.source("sequence", { from = 7, to = 7 }):read_all())
  end)

  it("deals every integer to one stripe", function()
    for _, parallelism in ipairs { 1, 2, 3, 7 } do
      local source = drive.source("sequence", { from = 10, to = 5010 }, parallelism)
      local splits, more = source:splits()
      assert.equal(parallelism, #splits)
      assert.is_false(more)
      assert.equal("0/" .. parallelism, splits[1])
      local all = sorted(source:read_all())
      assert.equal(5001, #all)
      for i = 1, 5001 do assert.equal(i + 9, all[i]) end
      source:close()
    end
  end)

  it("keeps integers beyond 2^53 exact", function()
    local source = drive.source("sequence", { from = 9007199254740991LL, to = 9007199254740995LL })
    local values = source:read_all()
    assert.equal(5, #values)
    assert.equal("number", type(values[1]))
    assert.equal(2 ^ 53 - 1, values[1])
    assert.equal(2 ^ 53, values[2])
    for i = 3, 5 do
      assert.is_true(ffi.istype("int64_t", values[i]))
      assert.is_true(values[i] == 9007199254740990LL + i)
    end
    source:close()
  end)

  it("S42b: goes on at the position, under the stripes of the first start", function()
    local seed = os.time()
    print("seed " .. seed)
    math.randomseed(seed)
    local all = {}
    local source = drive.source("sequence", { to = 40000 }, 3)
    local splits = source:splits()
    source:close()
    for _, split in ipairs(splits) do
      local position, finished = "", false
      while not finished do
        local again = drive.source("sequence", { to = 40000 }, math.random(1, 9))
        local reader = again:reader(split, position)
        for _ = 1, math.random(1, 5) do
          local status, values = reader:poll()
          for _, value in ipairs(values) do all[#all + 1] = value end
          finished = status == drive.END
          if finished then break end
        end
        position = reader:position()
        reader:close()
        again:close()
      end
      local over = drive.source("sequence", { to = 40000 }, 3)
      local reader = over:reader(split, position)
      assert.same({}, reader:drain())
      reader:close()
      over:close()
    end
    sorted(all)
    assert.equal(40000, #all)
    for i = 1, 40000 do assert.equal(i, all[i]) end
  end)

  it("refuses what is no stripe and no position", function()
    local source = drive.source("sequence", {})
    for _, name in ipairs { "", "1", "1/1", "0/0", "0/1x", "-1/2", "0/99999999", ("9"):rep(100) } do
      assert.has_error(function() source:reader(name) end)
    end
    for _, position in ipairs { "x", "1x", "99999999999999999999", ("1"):rep(50), "9223372036854775807" } do
      assert.has_error(function() source:reader("0/1", position) end)
    end
    source:close()
  end)

  it("refuses options out of range", function()
    assert.has_error(function() drive.source("sequence", { rate = 0 }) end)
    assert.has_error(function() drive.source("sequence", { rate = -5 }) end)
    assert.has_error(function() drive.source("sequence", { rate = "inf" }) end)
    assert.has_error(function() drive.source("sequence", { to = 4611686018427387905LL }) end)
    assert.has_error(function() drive.source("sequence", { from = "9223372036854775808" }) end)
  end)

  it("gives no record before its time, and none late by more than the polling", function()
    local function seconds() return clock.now_ms() / 1000 end
    local source = drive.source("sequence", { rate = 20000 }, 2)
    local before = seconds()
    local readers = { source:reader("0/2"), source:reader("1/2") }
    local opened = seconds()
    local count = 0
    repeat
      local least = (seconds() - opened) * 20000
      for _, reader in ipairs(readers) do
        local status, values = reader:poll()
        count = count + #values
        assert.equal(#values > 0 and drive.MORE or drive.IDLE, status)
        local ms = reader:wait()
        assert.is_true(ms >= 0 and ms <= 1)
      end
      local most = (seconds() - before) * 20000
      assert.is_true(count <= most + 2, count .. " records, " .. most .. " due")
      -- One poll hands out 1024 at most; a machine that paused for 50 ms is behind by what it missed.
      assert.is_true(count >= least - 2 - 2 * 1024 or least > 2048)
    until count >= 4000
    for _, reader in ipairs(readers) do reader:close() end
    source:close()
  end)

  it("waits for a slow rate without a poll in between", function()
    local source = drive.source("sequence", { rate = 0.1 })
    local reader = source:reader("0/1")
    local status, values = reader:poll()
    assert.equal(drive.MORE, status)
    assert.same({ 1 }, values)
    status, values = reader:poll()
    assert.equal(drive.IDLE, status)
    assert.same({}, values)
    local ms, descriptor = reader:wait()
    assert.equal(1000, ms)
    assert.equal(-1, descriptor)
    reader:close()
    source:close()
  end)
end)

describe("sink blackhole", function()
  it("takes everything and counts", function()
    local sink = drive.sink("blackhole", {})
    assert.equal(0, sink:write { 1, 2, 3 })
    assert.equal(0, sink:write({ 1, 2, 3 }, 2))
    assert.same({ 4, 0 }, { sink:counts() })
    sink:close()
  end)
end)
