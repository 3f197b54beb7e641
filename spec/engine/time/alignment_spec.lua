local ffi = require "ffi"
local C = require "support.engine"

local least = -0x7fffffffffffffffLL

describe("the alignment of sources", function()
  local function group(members)
    return ffi.gc(C.alignment_new(members), C.alignment_free)
  end

  it("pauses who is more than max_drift ahead of the slowest", function()
    local a = group(3)
    for member, watermark in pairs { [0] = 50, [1] = 150, [2] = 151 } do C.alignment_publish(a, member, watermark) end
    assert.is_false(C.alignment_pauses(a, 0, 100))
    assert.is_false(C.alignment_pauses(a, 1, 100))
    assert.is_true(C.alignment_pauses(a, 2, 100))
    C.alignment_publish(a, 0, 51)
    assert.is_false(C.alignment_pauses(a, 2, 100))
  end)

  it("waits for those that have no watermark yet, which never wait themselves", function()
    local a = group(2)
    assert.is_false(C.alignment_pauses(a, 0, 100))
    C.alignment_publish(a, 0, -2 ^ 53)
    assert.is_true(C.alignment_pauses(a, 0, 100))
    assert.is_false(C.alignment_pauses(a, 1, 100))
    C.alignment_publish(a, 1, least)
    assert.is_true(C.alignment_pauses(a, 0, 100))
    C.alignment_publish(a, 0, 2 ^ 53)
    assert.is_true(C.alignment_pauses(a, 0, 100))
  end)

  it("F5: does not wait for those that are idle or finished, until they come back", function()
    local a = group(2)
    C.alignment_publish(a, 0, 10)
    C.alignment_publish(a, 1, 5)
    assert.is_true(C.alignment_pauses(a, 0, 0))
    C.alignment_leave(a, 1)
    assert.is_false(C.alignment_pauses(a, 0, 0))
    assert.is_false(C.alignment_pauses(a, 1, 0))
    C.alignment_publish(a, 1, 9)
    assert.is_true(C.alignment_pauses(a, 0, 0))
    C.alignment_leave(a, 0)
    assert.is_false(C.alignment_pauses(a, 0, 0))
  end)
end)
