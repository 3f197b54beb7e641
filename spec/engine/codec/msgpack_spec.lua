-- Proves engine/codec/msgpack.h: the canonical form, typed reads, and that no input does harm.
local ffi = require "ffi"
local bit = require "bit"
local C = require "support.engine"
local values = require "support.codec"

local text_of, slice = values.text_of, values.slice

local function hex(text)
  return (text:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local function bytes(text)
  return (text:gsub("%s", ""):gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local arena, out = ffi.new "struct arena", ffi.new "struct buffer"

-- What was written by `write(out, ...)`.
local function written(write, ...)
  out.bytes = 0
  write(out, ...)
  return text_of(out)
end

-- The cell of encoded bytes, or nil, message and the code; then the bytes left over.
local function read(text)
  arena.used = 0
  local input, cell = slice(text), ffi.new "struct cell"
  local status = C.msgpack_read_cell(input, arena, cell)
  if status < 0 then return nil, ffi.string(C.error_message()), status end
  return cell, tonumber(input.bytes)
end

local function again(text)
  local cell, problem = read(text)
  if not cell then return nil, problem end
  return written(C.msgpack_write_cell, cell, arena.bytes)
end

describe("msgpack", function()
  describe("writes the canonical form (L4)", function()
    local numbers = {
      { 0, "00" }, { 1.0, "01" }, { -0.0, "00" }, { 127, "7f" }, { 128, "cc80" }, { 255, "ccff" }, { 256, "cd0100" },
      { 65535, "cdffff" }, { 65536, "ce00010000" }, { 4294967295, "ceffffffff" }, { 4294967296, "cf0000000100000000" },
      { 2 ^ 53, "cf0020000000000000" }, { -1, "ff" }, { -32, "e0" }, { -33, "d0df" }, { -128, "d080" }, { -129, "d1ff7f" },
      { -32768, "d18000" }, { -32769, "d2ffff7fff" }, { -2147483648, "d280000000" }, { -2147483649, "d3ffffffff7fffffff" },
      { -2 ^ 53, "d3ffe0000000000000" }, { 0.5, "cb3fe0000000000000" }, { 2 ^ 60, "cb43b0000000000000" },
      { math.huge, "cb7ff0000000000000" }, { 0 / 0, "cb7ff8000000000000" },
    }
    for _, case in ipairs(numbers) do
      it(("of %.17g"):format(case[1]), function()
        assert.equal(case[2], hex(written(C.msgpack_write_cell, values.number(case[1]), nil)))
      end)
    end

    it("of integers that no double holds", function()
      assert.equal("cf0020000000000001", hex(written(C.msgpack_write_cell, values.int64(2LL ^ 53 + 1), nil)))
      assert.equal("d3ffdfffffffffffff", hex(written(C.msgpack_write_cell, values.int64(-(2LL ^ 53) - 1), nil)))
      assert.equal("cfffffffffffffffff", hex(written(C.msgpack_write_cell, values.uint64(-1ULL), nil)))
      assert.equal("05", hex(written(C.msgpack_write_cell, values.int64(5LL), nil)))
    end)

    it("of strings at every border of their length", function()
      for length, head in pairs { [0] = "a0", [31] = "bf", [32] = "d920", [255] = "d9ff", [256] = "da0100", [65535] = "daffff", [65536] = "db00010000" } do
        local got = written(C.msgpack_write_string, slice(("x"):rep(length)))
        assert.equal(head, hex(got:sub(1, #head / 2)))
        assert.equal(length, #got - #head / 2)
      end
    end)

    it("with one NaN, whatever its bits", function()
      local cell = values.number(0)
      cell.natural = 0xfff8dead00000001ULL
      assert.equal("cb7ff8000000000000", hex(written(C.msgpack_write_cell, cell, nil)))
    end)
  end)

  describe("reads", function()
    it("every integer form into the shortest one", function()
      local forms = { "05", "cc05", "cd0005", "ce00000005", "cf0000000000000005", "d005", "d10005", "d200000005",
        "d30000000000000005", "ca40a00000", "cb4014000000000000" }
      for _, form in ipairs(forms) do assert.equal("05", hex(assert(again(bytes(form))))) end
      for _, form in ipairs { "d0ff", "d1ffff", "d2ffffffff", "d3ffffffffffffffff" } do assert.equal("ff", hex(assert(again(bytes(form))))) end
    end)

    it("bin as string", function()
      for _, form in ipairs { "c40261ff", "c5000261ff", "c60000000261ff", "d90261ff", "da000261ff", "db0000000261ff" } do
        assert.equal("a261ff", hex(assert(again(bytes(form)))))
      end
    end)

    it("every NaN as the one that LuaJIT can hold", function()
      for _, form in ipairs { "cbffffffffffffffff", "cb7ff0000000000001", "cbfff9000012345678", "caffc00001", "ca7f800001" } do
        assert.equal(0x7ff8000000000000ULL, read(bytes(form)).natural)
      end
    end)

    it("a zero of either sign as 0", function()
      for _, form in ipairs { "00", "cb8000000000000000", "ca80000000" } do assert.equal(math.huge, 1 / read(bytes(form)).number, form) end
    end)

    it("a map with string keys as a row, whatever the order of its fields", function()
      local cell = read(bytes "82 a162 01 a161 a178")
      assert.equal(values.tag.row, cell.tag)
      local shape = C.shape_get(cell.length)
      assert.equal(2, shape.count)
      assert.equal("82a161a178a16201", hex(assert(again(bytes "82 a162 01 a161 a178"))))
      assert.equal("82a161a178a16201", hex(assert(again(bytes "82 a161 a178 a162 01"))))
    end)

    it("an empty map as a row without fields", function()
      assert.equal("80", hex(assert(again(bytes "80"))))
      assert.equal(values.tag.row, read(bytes "80").tag)
    end)

    it("other maps packed, keys in byte order of their encoded bytes (L6)", function()
      local cell = read(bytes "83 a161 01 05 02 cc03 03")
      assert.equal(values.tag.packed, cell.tag)
      assert.equal("83030305 02a16101", (hex(assert(again(bytes "83 a161 01 05 02 cc03 03"))):gsub("^(........)", "%1 ")))
      assert.equal("91 82 a162 01 a26161 02", (hex(assert(again(bytes "91 82 a26161 02 a162 01"))):gsub("^(91)(82)(a162)(01)(a26161)(02)$", "%1 %2 %3 %4 %5 %6")))
    end)

    it("a map of more than 250 fields packed", function()
      local parts = { "\222\001\044" }
      for i = 1, 300 do parts[#parts + 1] = "\164" .. ("%04d"):format(i) .. "\001" end
      local text = table.concat(parts)
      assert.equal(values.tag.packed, read(text).tag)
      assert.equal(text, again(text))
    end)

    it("and refuses what the contract refuses, leaving the input where it was", function()
      local refused = {
        ["c1"] = "0xc1", ["d40100"] = "extension", ["c7020100 00"] = "extension", ["91 d40100"] = "extension",
        ["82 a161 01 a161 02"] = "same key twice", ["91 82 01 01 01 02"] = "same key twice", ["91 82 01 01 cc01 02"] = "same key twice",
        [""] = "cut short", ["d9"] = "cut short", ["a361"] = "cut short", ["dd ffffffff 01"] = "cut short", ["df 80000000 0101"] = "cut short",
      }
      for text, problem in pairs(refused) do
        local cell, message = read(bytes(text))
        assert.is_nil(cell, text)
        assert.truthy(message:find(problem, 1, true), text .. ": " .. message)
        assert.equal(0, tonumber(arena.used))
      end
    end)

    it("64 levels, not 65", function()
      assert.equal(("91"):rep(63) .. "90", hex(assert(again(("\145"):rep(63) .. "\144"))))
      local cell, message = read(("\145"):rep(64) .. "\144")
      assert.is_nil(cell)
      assert.truthy(message:find "deeper than 64")
      assert.truthy(again("\129\161a" .. ("\145"):rep(62) .. "\144"))
      assert.is_nil((read("\129\161a" .. ("\145"):rep(63) .. "\144")))
    end)
  end)

  it("reads what it wrote, for random values", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    local random = values.random(seed)
    for _ = 1, 3000 do
      local text = random:msgpack()
      local first = assert(again(text), "seed " .. seed)
      assert.equal(hex(first), hex(again(first)), "seed " .. seed)
      local _, left = read(text .. "rest")
      assert.equal(4, left, "seed " .. seed)
    end
  end)

  it("says of every truncation that it is cut short", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    local random = values.random(seed)
    local size = ffi.new "size_t[1]"
    for _ = 1, 200 do
      local text = random:msgpack()
      assert.equal(1, C.msgpack_measure(slice(text), size), "seed " .. seed)
      assert.equal(#text, tonumber(size[0]))
      for length = 0, #text - 1 do
        local exact = values.exact(text:sub(1, length))
        local cell, message = read(exact)
        assert.is_nil(cell, "seed " .. seed)
        assert.truthy(message:find "cut short", message)
        assert.equal(0, C.msgpack_measure(exact, size), "seed " .. seed)
        assert.is_true(C.msgpack_skip(exact) < 0)
      end
    end
  end)

  it("survives flipped bytes", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    local random = values.random(seed)
    local good, bad = 0, 0
    for _ = 1, 6000 do
      local text = random:flip(random:msgpack())
      local first = again(values.exact(text))
      if first then
        good = good + 1
        assert.equal(hex(first), hex(again(first)), "seed " .. seed)
      else
        bad = bad + 1
      end
    end
    assert.is_true(good > 0 and bad > 0, "seed " .. seed)
  end)

  describe("typed reads", function()
    local function reads(name, kind, text)
      local target, input = ffi.new(kind .. "[1]"), slice(bytes(text))
      local status = C["msgpack_read_" .. name](input, target)
      if status < 0 then return nil, tonumber(input.bytes) end
      return target[0], tonumber(input.bytes)
    end

    it("take their type and nothing else", function()
      assert.equal(5ULL, (reads("uint", "uint64_t", "d005")))
      assert.equal(-1ULL, (reads("uint", "uint64_t", "cfffffffffffffffff")))
      assert.equal(-5LL, (reads("int", "int64_t", "fb")))
      assert.equal(0.5, (reads("double", "double", "cb3fe0000000000000")))
      assert.equal(7, (reads("double", "double", "07")))
      assert.is_true((reads("bool", "bool", "c3")))
      assert.equal(3, (reads("array", "uint32_t", "93 01 02 03")))
      assert.equal(1, (reads("map", "uint32_t", "81 01 02")))
      local wrong = { { "uint", "uint64_t", "ff" }, { "int", "int64_t", "cfffffffffffffffff" }, { "double", "double", "a161" }, { "bool", "bool", "01" },
        { "array", "uint32_t", "81 01 02" }, { "map", "uint32_t", "91 01" }, { "array", "uint32_t", "dd 00001000 00" } }
      for _, case in ipairs(wrong) do
        local value, left = reads(unpack(case))
        assert.is_nil(value)
        assert.equal(#bytes(case[3]), left)
      end
    end)

    it("point into the input for strings", function()
      local input, text = slice(bytes "a2 6162 c0"), ffi.new "struct slice"
      assert.equal(0, C.msgpack_read_string(input, text))
      assert.equal("ab", ffi.string(text.data, text.bytes))
      assert.equal(1, tonumber(input.bytes))
    end)
  end)
end)
