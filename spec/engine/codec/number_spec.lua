-- Proves engine/codec/number.h: numbers as text, exactly, both ways.
local ffi = require "ffi"
local C = require "support.engine"
local codec = require "support.codec"

local cell, out = ffi.new "struct cell", ffi.new "struct buffer"

-- The cell that a whole text gives, or nil.
local function parse(text)
  local line = text .. "\n"
  local start = ffi.cast("const char *", line)
  local behind = C.number_parse(start, cell)
  if behind == nil or behind - start ~= #text then return nil end
  return cell
end

local function write(value)
  out.bytes = 0
  local status = C.json_write_cell(out, value, nil)
  assert.equal(0, status)
  return codec.text_of(out)
end

describe("numbers", function()
  it("read whole ones beyond 2^53 as 64-bit integers", function()
    assert.equal(codec.tag.number, parse("9007199254740992").tag)
    assert.equal(codec.tag.int64, parse("9007199254740993").tag)
    assert.equal(9007199254740993LL, parse("9007199254740993").integer)
    assert.equal(-9007199254740993LL, parse("-9007199254740993").integer)
    assert.equal(-2LL ^ 63, parse("-9223372036854775808").integer)
    assert.equal(codec.tag.uint64, parse("9223372036854775808").tag)
    assert.equal(-1ULL, parse("18446744073709551615").natural)
    assert.equal(2 ^ 64, parse("18446744073709551616").number)
    assert.equal(-2 ^ 63, parse("-9223372036854775809").number)
  end)

  it("read a zero of either sign as 0", function()
    for _, text in ipairs { "0", "-0", "0.0", "-0.0", "-0e5", "1e-400", "-1e-400" } do
      assert.equal(math.huge, 1 / parse(text).number, text)
    end
  end)

  it("refuse what JSON refuses", function()
    for _, text in ipairs { "", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "0x10", "1e400", "-1e400", "NaN", "inf", "1.e5", "1 ", "00" } do
      assert.is_nil(parse(text), text)
    end
  end)

  it("round correctly at the borders of the short way", function()
    for _, text in ipairs { "0.1", "123456789012.345", "999999999999999", "0.000000000000001", "9007199254740993.0", "5e-324", "2.2250738585072011e-308",
      "1.7976931348623157e308", "0.30000000000000004", "8.41", "179.97000000000003", "1e22", "1e23", "72057594037927945.0" } do
      assert.equal(tonumber(text), parse(text).number, text)
    end
  end)

  it("are written in the shortest form, beyond 2^53 with an exponent", function()
    local cases = { [0] = "0", [5] = "5", [-17] = "-17", [0.5] = "0.5", [-0.25] = "-0.25", [0.1] = "0.1", [1.05] = "1.05", [12.34] = "12.34", [100.25] = "100.25",
      [0.000001] = "0.000001", [2 ^ 53] = "9007199254740992", [1e22] = "1e+22", [0.1 + 0.2] = "0.30000000000000004", [1e-300] = "1e-300" }
    for value, text in pairs(cases) do assert.equal(text, write(codec.number(value))) end
    assert.equal("0", write(codec.number(-0.0)))
    assert.equal("-9223372036854775808", write(codec.int64(-2LL ^ 63)))
    assert.equal("18446744073709551615", write(codec.uint64(-1ULL)))
    assert.equal("9.007199254740994e+15", write(codec.number(2 ^ 53 + 2)))
  end)

  it("read back as they were written, and Lua reads the same", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    local random = codec.random(seed)
    for _ = 1, 50000 do
      local value = random:number()
      local text = write(codec.number(value))
      local back = parse(text)
      assert.truthy(back, text)
      assert.equal(codec.tag.number, back.tag, text .. ", seed " .. seed)
      assert.equal(value, back.number, text .. ", seed " .. seed)
      assert.equal(value, tonumber(text), text .. ", seed " .. seed)
      assert.is_true(#text <= #("%.17g"):format(value) + 5, text)
    end
  end)

  it("read what Lua writes with 17 digits", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    local random = codec.random(seed)
    for _ = 1, 20000 do
      local value = random:number()
      local text = ("%.17e"):format(value)
      assert.equal(value, parse(text).number, text .. ", seed " .. seed)
    end
  end)
end)
