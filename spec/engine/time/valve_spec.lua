local ffi = require "ffi"
local C = require "support.engine"

local max = 0x7fffffffffffffffLL
local Valve = {}
Valve.__index = Valve

local function valve(channels)
  return setmetatable({ handle = ffi.gc(C.valve_new(channels), C.valve_free), event = ffi.new("struct valve_event") }, Valve)
end

--- "0:12" a watermark on channel 0, "0i" idle, "0a" active, "0e" ended; answers what comes out.
function Valve:run(words)
  local out = {}
  local function drain()
    while C.valve_next_event(self.handle, self.event) do
      local kind = self.event.kind
      out[#out + 1] = kind == 2 and "IDLE" or kind == 3 and "ACTIVE" or self.event.watermark == max and "MAX" or tostring(tonumber(self.event.watermark))
    end
  end
  drain()
  for word in words:gmatch("%S+") do
    local channel, what = word:match("^(%d+)(.)")
    local number = tonumber(channel)
    if what == ":" then C.valve_watermark(self.handle, number, tonumber(word:match(":(.*)")))
    elseif what == "i" then C.valve_idle(self.handle, number)
    elseif what == "a" then C.valve_active(self.handle, number)
    else C.valve_end(self.handle, number) end
    drain()
  end
  return table.concat(out, " ")
end

describe("the valve of watermarks", function()
  it("T46, S12: one channel", function()
    local v = valve(1)
    assert.are.equal("25", v:run "0:25")
    assert.are.equal("", v:run "0:18")
    assert.are.equal("42", v:run "0:42")
    v = valve(1)
    assert.are.equal("25 IDLE", v:run "0:25 0i")
    assert.are.equal("", v:run "0i 0:50")
    assert.are.equal("ACTIVE 50", v:run "0a 0:50")
    assert.are.equal("", v:run "0a")
  end)

  it("T47, S12, S13: the lowest of three, once all have one", function()
    local v = valve(3)
    assert.are.equal("", v:run "0:0 1:0")
    assert.are.equal("0", v:run "2:0")
    assert.are.equal("", v:run "0:12 2:8 2:10")
    assert.are.equal("10", v:run "1:15")
    assert.are.equal("12", v:run "2:17")
    assert.are.equal("15", v:run "0:20")
  end)

  it("S14: an idle channel leaves the lowest, its watermarks are dropped", function()
    local v = valve(3)
    assert.are.equal("", v:run "0:15 1:10")
    assert.are.equal("10", v:run "2i")
    assert.are.equal("15", v:run "1i")
    assert.are.equal("", v:run "1:100 2:100")
    assert.are.equal("18", v:run "0:18")
  end)

  it("S15: a channel that comes back counts when it has caught up", function()
    local v = valve(2)
    assert.are.equal("5 20", v:run "0:20 1:5 1i")
    assert.are.equal("", v:run "1a 1:6 1:19")
    assert.are.equal("25", v:run "0:25")
    assert.are.equal("", v:run "1:25 0:40")
    assert.are.equal("30", v:run "1:30")
  end)

  it("S15: one that comes back where the output is has caught up: it holds the output", function()
    local v = valve(2)
    assert.are.equal("5", v:run "0:20 1:5")
    assert.are.equal("20", v:run "1:20")
    assert.are.equal("", v:run "1i 1a 0:30")
    assert.are.equal("25", v:run "1:25")
  end)

  it("S16: the last one to go idle lets go what it held back; else nothing but IDLE", function()
    local v = valve(2)
    assert.are.equal("10", v:run "0:10 1:15")
    assert.are.equal("", v:run "1i")
    assert.are.equal("15 IDLE", v:run "0i")
    v = valve(2)
    assert.are.equal("10 15 IDLE", v:run "0:15 0i 1:10 1i")
    v = valve(2)
    assert.are.equal("5 20 IDLE", v:run "0:20 1:5 1i 1a 0i 1i")
    v = valve(2)
    assert.are.equal("3 4 8", v:run "0:3 1:8 0:4 0i")
    assert.are.equal("IDLE", v:run "1i")
  end)

  it("S16: a last one that is behind the output lets nothing go, though an idle one is ahead of it", function()
    local v = valve(3)
    assert.are.equal("5 30", v:run "0:40 1:5 2:30 1i")
    assert.are.equal("IDLE", v:run "0i 1a 2i 1i")
  end)

  it("S16: active channels that are all behind emit nothing", function()
    local v = valve(2)
    assert.are.equal("5 20", v:run "0:20 1:5 1i")
    assert.are.equal("", v:run "1a 0i 1:7")
    assert.are.equal("30", v:run "1:30")
  end)

  it("S16, F1: an ended channel counts neither low nor high, MAX comes when all have ended", function()
    local v = valve(3)
    assert.are.equal("3", v:run "0:3 1:5 2:9")
    assert.are.equal("5", v:run "0e")
    assert.are.equal("", v:run "0:100 0a 0i 0e")
    assert.are.equal("9", v:run "1e")
    assert.are.equal("MAX", v:run "2e")
    v = valve(2)
    assert.are.equal("3", v:run "0:3 1:5")
    assert.are.equal("5", v:run "0e")
    assert.are.equal("IDLE", v:run "1i")
    assert.are.equal("ACTIVE MAX", v:run "1e")
    v = valve(3)
    assert.are.equal("5 10 IDLE", v:run "0:50 1:10 2:5 0e 1i 2i")
  end)

  it("S16: the last active channel ends while others are idle: their highest, not MAX", function()
    local v = valve(3)
    assert.are.equal("4", v:run "0:4 1:7 2:9")
    assert.are.equal("", v:run "1i 2i")
    assert.are.equal("9 IDLE", v:run "0e")
    assert.are.equal("ACTIVE", v:run "1a")
    assert.are.equal("12", v:run "1:12")
  end)

  it("F2: the end of an idle output is heard", function()
    assert.are.equal("IDLE ACTIVE MAX", valve(1):run "0i 0e")
  end)
end)

describe("the valve, on random sequences", function()
  it("watermarks only rise, statuses alternate, and the last end gives MAX", function()
    local seed = os.time()
    math.randomseed(seed)
    for round = 1, 200 do
      local channels, last, idle, seen_max = math.random(5), -math.huge, false, false
      local v = valve(channels)
      local function take(word)
        for event in v:run(word):gmatch("%S+") do
          assert.is_false(seen_max, "after MAX, seed " .. seed)
          if event == "IDLE" or event == "ACTIVE" then
            assert.are.equal(event == "ACTIVE", idle, "status, seed " .. seed)
            idle = event == "IDLE"
          else
            local number = event == "MAX" and math.huge or tonumber(event)
            assert.is_true(number > last, ("round %d, seed %d"):format(round, seed))
            assert.is_false(idle, "a watermark of an idle output, seed " .. seed)
            last, seen_max = number, event == "MAX"
          end
        end
      end
      for _ = 1, 100 do
        local dice, channel = math.random(20), math.random(channels) - 1
        take(dice < 14 and ("%d:%d"):format(channel, math.random(1000)) or dice < 17 and channel .. "i" or dice < 20 and channel .. "a" or "")
      end
      for channel = 0, channels - 1 do take(channel .. "e") end
      assert.is_true(seen_max, "seed " .. seed)
    end
  end)
end)

describe("the valve, with channels that come and go", function()
  it("S13: one that is added holds the output where it is until it has caught up", function()
    local v = valve(1)
    assert.are.equal("10", v:run "0:10")
    assert.are.equal(1, C.valve_add(v.handle, -5))
    C.valve_settle(v.handle)
    assert.are.equal("", v:run "0:20 1:5")
    assert.are.equal("12", v:run "1:12")
    assert.are.equal(12, tonumber(C.valve_output(v.handle)))
  end)

  it("several are added before anything comes out", function()
    local v = valve(0)
    C.valve_add(v.handle, 100)
    C.valve_add(v.handle, 50)
    assert.are.equal("", v:run "")
    C.valve_settle(v.handle)
    assert.are.equal("50", v:run "")
  end)

  it("F3: a removed one leaves the lowest and is not the end; without any the output pauses", function()
    local v = valve(2)
    assert.are.equal("3", v:run "0:3 1:8")
    C.valve_remove(v.handle, 0)
    assert.are.equal("8", v:run "")
    C.valve_remove(v.handle, 1)
    assert.are.equal("", v:run "")
    C.valve_pause(v.handle)
    assert.are.equal("IDLE", v:run "")
    assert.is_true(C.valve_is_idle(v.handle))
    assert.are.equal(0, C.valve_add(v.handle, 9))
    C.valve_settle(v.handle)
    assert.are.equal("ACTIVE 9", v:run "")
    C.valve_finish(v.handle)
    assert.are.equal("MAX", v:run "")
  end)

  it("begins where an earlier run was", function()
    local v = valve(1)
    C.valve_start(v.handle, 7)
    assert.are.equal("7", v:run "0:5")
    assert.are.equal("8", v:run "0:8")
  end)

  it("tells which channel it waits for: the lowest of those that are active and have caught up", function()
    local v = valve(3)
    assert.are.equal(0, C.valve_holder(v.handle))
    v:run "0:12 1:9 2:15"
    assert.are.equal(1, C.valve_holder(v.handle))
    v:run "1i"
    assert.are.equal(0, C.valve_holder(v.handle))
    v:run "1a" -- S15: it is behind the output
    assert.are.equal(0, C.valve_holder(v.handle))
    v:run "1:13 0:20"
    assert.are.equal(1, C.valve_holder(v.handle))
    v:run "0e 1i 2i"
    assert.are.equal(-1, C.valve_holder(v.handle))
    local watermark, idle, ended = ffi.new("int64_t[1]"), ffi.new("bool[1]"), ffi.new("bool[1]")
    C.valve_channel(v.handle, 0, watermark, idle, ended)
    assert.are.same({ 20, false, true }, { tonumber(watermark[0]), idle[0], ended[0] })
    C.valve_channel(v.handle, 1, watermark, idle, ended)
    assert.are.same({ 13, true, false }, { tonumber(watermark[0]), idle[0], ended[0] })
  end)
end)
