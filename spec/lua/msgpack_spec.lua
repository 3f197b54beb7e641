-- lua/moontide/runtime/msgpack.lua: also where it is compiled.
local ffi = require "ffi"
local C = require "support.engine"
local msgpack = require "moontide.runtime.msgpack"

local function packed(value)
  local arena = ffi.new("struct arena")
  msgpack.pack(arena, value)
  local text = ffi.string(arena.bytes, arena.used)
  C.arena_deinit(arena)
  return text
end

local function unpacked(text)
  return (msgpack.unpack(ffi.cast("const uint8_t *", text)))
end

local function hex(text)
  return (text:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local cases = {
  { 0, "00" }, { 127, "7f" }, { 128, "cc80" }, { 255, "ccff" }, { 256, "cd0100" }, { 65535, "cdffff" }, { 65536, "ce00010000" },
  { 2 ^ 32 - 1, "ceffffffff" }, { 2 ^ 32, "cf0000000100000000" }, { 2 ^ 53, "cf0020000000000000" },
  { -1, "ff" }, { -32, "e0" }, { -33, "d0df" }, { -128, "d080" }, { -129, "d1ff7f" }, { -32768, "d18000" }, { -32769, "d2ffff7fff" },
  { -2 ^ 31, "d280000000" }, { -2 ^ 31 - 1, "d3ffffffff7fffffff" }, { -2 ^ 53, "d3ffe0000000000000" },
  { 1.5, "cb3ff8000000000000" }, { -0.1, "cbbfb999999999999a" }, { 2 ^ 60, "cb43b0000000000000" }, { 1 / 0, "cb7ff0000000000000" },
  { "", "a0" }, { "abc", "a3616263" }, { true, "c3" }, { false, "c2" }, { {}, "80" }, { { 1, 2 }, "920102" },
}

describe("msgpack in Lua", function()
  it("L4: writes the shortest form and reads it back", function()
    for _, case in ipairs(cases) do
      assert.are.equal(case[2], hex(packed(case[1])))
      assert.are.same(case[1], unpacked(packed(case[1])))
    end
  end)

  it("keeps 64-bit integers beyond 2^53", function()
    for _, number in ipairs { 0x7fffffffffffffffLL, -0x7fffffffffffffffLL - 1, 2LL ^ 60 + 1, 0xffffffffffffffffULL } do
      assert.are.equal(number, unpacked(packed(number)))
      assert.are.equal(tostring(number), tostring(unpacked(packed(number))))
    end
    assert.are.equal("number", type(unpacked(packed(5LL))))
  end)

  it("reads floats of four bytes", function()
    assert.are.equal(1.5, unpacked "\202\63\192\0\0")
    assert.are.equal(-2, unpacked "\202\192\0\0\0")
  end)

  -- A loop that is compiled meets numbers of one kind many times, and then others.
  it("answers the same where it is compiled", function()
    local seed = os.time()
    math.randomseed(seed)
    local makers = {
      function(i) return 128 + i % 128 end, function(i) return 256 + i end, function(i) return 65536 + i * 7 end, function(i) return 2 ^ 32 + i * 2 ^ 20 end,
      function(i) return -33 - i % 90 end, function(i) return -200 - i end, function(i) return -40000 - i * 7 end, function(i) return -2 ^ 31 - i * 2 ^ 20 end,
      function(i) return i + 0.5 end, function() return math.random() end, function(i) return { n = i + 0.25, s = ("x"):rep(i % 300), i * 3 } end,
    }
    for _, make in ipairs(makers) do
      for i = 1, 3000 do
        local value = make(i)
        local got = unpacked(packed(value))
        if type(value) == "table" then
          assert(got.n == value.n and got.s == value.s and got[1] == value[1], "seed " .. seed)
        elseif got ~= value then
          error(("%s came back as %s, seed %d"):format(value, got, seed))
        end
      end
    end
    for i = 1, 20000 do
      local value = makers[math.random(10)](i)
      if unpacked(packed(value)) ~= value then error(("%s, seed %d"):format(value, seed)) end
    end
  end)
end)
