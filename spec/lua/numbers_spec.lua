local ffi = require "ffi"
local numbers = require "moontide.numbers"

local big = 9007199254740993LL -- 2^53 + 1: no double

describe("numbers", function()
  it("adds doubles as doubles", function()
    assert.equal(0.75, numbers.add(0.5, 0.25))
  end)

  it("keeps 64-bit integers exact", function()
    assert.is_true(numbers.add(0, big) == big)
    assert.is_true(numbers.add(big, 1) == 9007199254740994LL)
    assert.is_true(numbers.add(big, -big) == 0LL)
    assert.is_true(numbers.add(9007199254740995ULL, big) == 18014398509481988LL)
  end)

  it("refuses a sum that cannot be exact or does not fit", function()
    assert.has_error(function() numbers.add(big, 0.5) end, "cannot add 0.5 to a 64-bit integer exactly")
    assert.has_error(function() numbers.add(9223372036854775807LL, 1) end, "the sum does not fit 64 bits")
    assert.has_error(function() numbers.add(-9223372036854775807LL, -2) end, "the sum does not fit 64 bits")
    assert.has_error(function() numbers.add(0xffffffffffffffffULL, 1) end, "the sum does not fit 64 bits")
    assert.has_error(function() numbers.add(big, 0 / 0) end, "cannot add " .. tostring(0 / 0) .. " to a 64-bit integer exactly")
  end)

  it("compares across widths", function()
    local rising = { -math.huge, -9223372036854775807LL, -big, -1.5, 0, 0.5, big, 9007199254740994LL, 9223372036854775807LL,
      0xffffffffffffffffULL, math.huge }
    for i = 1, #rising do
      for k = 1, #rising do
        assert.equal(i < k, numbers.less(rising[i], rising[k]), tostring(rising[i]) .. " < " .. tostring(rising[k]))
      end
    end
  end)

  it("knows a number", function()
    assert.is_true(numbers.is(5))
    assert.is_true(numbers.is(big))
    assert.is_true(numbers.is(5ULL))
    assert.is_false(numbers.is("5"))
    assert.is_false(numbers.is(nil))
    assert.is_false(numbers.is(ffi.new("char[4]")))
  end)
end)
