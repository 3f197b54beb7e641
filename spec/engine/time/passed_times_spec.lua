-- How far time had come in earlier attempts, by key group; a blob goes from one attempt to the next.
local ffi = require "ffi"
local C = require "support.engine"

local MIN = -0x7fffffffffffffffLL - 1

-- One attempt: reads blobs for its key groups; asked, and written as text.
local function attempt(blobs, first, last)
  local passed = ffi.new "struct passed_times"
  C.passed_times_init(passed)
  ffi.gc(passed, C.passed_times_deinit)
  local self, keep = {}, {}
  for _, blob in ipairs(blobs) do
    keep[#keep + 1] = blob
    local status = C.passed_times_read(passed, ffi.new("struct slice", blob, #blob), first, last)
    if status < 0 then return nil, ffi.string(C.error_message()) end
  end
  function self.since(group, number) return tonumber(C.passed_times_since(passed, group, number)) end
  function self.latest() return tonumber(passed.latest) end
  function self.write(number, time)
    local buffer = ffi.new "struct buffer"
    C.buffer_init(buffer)
    C.passed_times_write(passed, ffi.new("struct passed_time", first, last, number, time), buffer)
    local blob = ffi.string(buffer.data, buffer.bytes)
    C.buffer_deinit(buffer)
    return blob
  end
  return self
end

describe("times that have passed", function()
  it("are not known at the first attempt", function()
    local fresh = attempt({}, 0, 127)
    assert.are.equal(tonumber(MIN), fresh.since(5, 1))
    assert.are.equal(tonumber(MIN), fresh.latest())
    assert.are.equal("", fresh.write(1, MIN))
  end)

  it("are known of what came in an attempt, and of what came before it", function()
    local second = attempt({ attempt({}, 0, 127).write(1, 100) }, 0, 127)
    assert.are.equal(100, second.since(0, 1))
    assert.are.equal(tonumber(MIN), second.since(0, 2))
    local third = attempt({ second.write(7, 50) }, 0, 127)
    assert.are.equal(100, third.since(127, 1))
    assert.are.equal(50, third.since(127, 7))
    assert.are.equal(50, third.since(127, 2))
    assert.are.equal(100, third.latest())
  end)

  it("are kept no longer than they say something", function()
    local second = attempt({ attempt({}, 0, 127).write(1, 100) }, 0, 127)
    local shorter = second.write(7, 100)
    assert.are.equal(#attempt({}, 0, 127).write(1, 100), #shorter)
    assert.are.equal(100, attempt({ shorter }, 0, 127).since(3, 1))
  end)

  it("belong to key groups, whatever subtasks these come to", function()
    local left, right = attempt({}, 0, 63).write(1, 10), attempt({}, 64, 127).write(1, -20)
    local middle = attempt({ left, right }, 40, 80)
    assert.are.equal(10, middle.since(63, 1))
    assert.are.equal(-20, middle.since(64, 1))
    assert.are.equal(tonumber(MIN), middle.since(39, 1))
    local last = attempt({ left, right }, 80, 127)
    assert.are.equal(-20, last.latest())
  end)

  it("are refused where they are damaged", function()
    local blob = attempt({}, 0, 127).write(1, 100)
    for cut = 0, #blob - 1 do
      local passed, message = attempt({ blob:sub(1, cut) }, 0, 127)
      assert.is_nil(passed)
      assert.is_truthy(message:find("the saved times of windows are damaged", 1, true), message)
    end
    assert.is_nil((attempt({ blob .. "\0" }, 0, 127)))
    assert.is_nil((attempt({ "\x94\x05\x04\x01\x01" }, 0, 127))) -- groups that end before they begin
    assert.is_nil((attempt({ "\x93\x05\x06\x01" }, 0, 127)))
  end)
end)
