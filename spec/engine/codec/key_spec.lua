-- L4, S43: the bytes, the hash and the key group at 128 of a fixed set of keys. State in every
-- snapshot lies where these numbers say: a change here is a migration, not a correction.
local ffi = require "ffi"
local bit = require "bit"
local C = require "support.engine"
local codec = require "support.codec"

-- A key is a cell and the text that it points into.
local function scalar(make)
  return function(value) return { cell = make(value) } end
end

local function text_cell(tag)
  return function(text)
    local cell = codec.bare(tag)
    cell.length, cell.offset = #text, 0
    return { cell = cell, text = text }
  end
end

local number, int64, uint64, bare = scalar(codec.number), scalar(codec.int64), scalar(codec.uint64), scalar(codec.bare)
local str, packed = text_cell "string", text_cell "packed"

local frozen = {
  { number(0), "00", "c44bdff4074eecdb", 91 },
  { number(1), "01", "e12ef9d2eb86ceeb", 107 },
  { number(127), "7f", "2a140471f45ff181", 1 },
  { number(128), "cc80", "0c3e414f4e56716e", 110 },
  { number(255), "ccff", "4bfa06d354948631", 49 },
  { number(256), "cd0100", "769dd2b30b8fbaca", 74 },
  { number(65535), "cdffff", "5dcba923b33118f2", 114 },
  { number(65536), "ce00010000", "3ee205c8ffbda29f", 31 },
  { number(4294967295), "ceffffffff", "86562778a4eaca41", 65 },
  { number(4294967296), "cf0000000100000000", "b907a218b9821200", 0 },
  { number(2 ^ 53), "cf0020000000000000", "5cd4a22b7d1ba12e", 46 },
  { number(-1), "ff", "d6bcec3c6b29d72e", 46 },
  { number(-32), "e0", "1cc08356b5c1544f", 79 },
  { number(-33), "d0df", "e6bc21b14d0858ea", 106 },
  { number(-128), "d080", "9cdcb5945b8304ad", 45 },
  { number(-129), "d1ff7f", "3ca98bff2ac72026", 38 },
  { number(-32768), "d18000", "0e4a510c0a9deea2", 34 },
  { number(-32769), "d2ffff7fff", "d8daa595686533de", 94 },
  { number(-2147483648), "d280000000", "f6b247eef73cd03f", 63 },
  { number(-2147483649), "d3ffffffff7fffffff", "90017cf10a87c339", 57 },
  { number(-2 ^ 53), "d3ffe0000000000000", "6884b9823d8c3446", 70 },
  { number(0.5), "cb3fe0000000000000", "506a32736cb9ae4f", 79 },
  { number(-1.25), "cbbff4000000000000", "4a0d4e9c6515d4a0", 32 },
  { number(1e300), "cb7e37e43c8800759c", "997623a8a0b3aba0", 32 },
  { int64(2LL ^ 53 + 1), "cf0020000000000001", "94c24007f4540c32", 50 },
  { int64(-(2LL ^ 53) - 1), "d3ffdfffffffffffff", "1453fbcdd6f2cfcb", 75 },
  { uint64(-1ULL), "cfffffffffffffffff", "0b95c47cac8d4fc2", 66 },
  { bare "true", "c3", "ee5fa5121cc81e25", 37 },
  { bare "false", "c2", "7ca3994e90b7fb93", 19 },
  { str "", "a0", "2b98bb92609bd6f8", 120 },
  { str "a", "a161", "bae4c337b5e78d68", 104 },
  { str "account-17", "aa6163636f756e742d3137", "0bb731cd65e16745", 69 },
  { str "gr\195\188\195\159e", "a76772c3bcc39f65", "5ed66acf6ee069cf", 79 },
  { str(("x"):rep(31)), "bf" .. ("78"):rep(31), "098ed5a034f636c6", 70 },
  { str(("x"):rep(32)), "d920" .. ("78"):rep(32), "2e233b3689fdc8ab", 43 },
  { str(("x"):rep(256)), "da0100" .. ("78"):rep(256), "e3161ff53512b26a", 106 },
  { packed "\144", "90", "eb1109e4990694cc", 76 },
  { packed "\146\161a\1", "92a16101", "33c4cec2c5b7e73d", 61 },
  { packed "\147\195\205\1\0\203\63\224\0\0\0\0\0\0", "93c3cd0100cb3fe0000000000000", "968d566d62db05df", 95 },
}

local out = ffi.new "struct buffer"

local function key_of(key)
  out.bytes = 0
  local status = C.msgpack_write_key(out, key.cell, key.text)
  if status < 0 then return nil, ffi.string(C.error_message()) end
  return codec.text_of(out)
end

local function hex(text)
  return (text:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

describe("keys", function()
  for _, case in ipairs(frozen) do
    local key, expected, hash, group = unpack(case)
    it("L4: " .. (#expected > 30 and expected:sub(1, 30) .. "..." or expected), function()
      local bytes = key_of(key)
      assert.equal(expected, hex(bytes))
      local got = C.key_hash(codec.slice(bytes))
      assert.equal(hash, bit.tohex(got))
      assert.equal(group, tonumber(got % 128))
    end)
  end

  it("L4: 1.0 is 1, -0 is 0, an integer in any tag is the same key", function()
    assert.equal("00", hex(key_of(number(-0.0))))
    for _, key in ipairs { number(5.0), int64(5LL), uint64(5ULL) } do assert.equal("05", hex(key_of(key))) end
  end)

  it("L4: lists are brought into canonical form", function()
    assert.equal("930105a161", hex(key_of(packed "\147\203\63\240\0\0\0\0\0\0\205\0\5\196\1a")))
  end)

  it("L4: NaN, null, nil and maps are refused, alone and in lists", function()
    local refused = {
      { "NaN", number(0 / 0) }, { "null", bare "null" }, { "nil", bare "absent" }, { "a map", bare "row" },
      { "a map", packed "\129\1\2" }, { "null", packed "\145\192" }, { "NaN", packed "\145\203\127\248\0\0\0\0\0\0" },
      { "tables in it", packed "\145\144" }, { "tables in it", packed "\145\129\1\2" }, { "cut short", packed "\146\1" },
    }
    for _, case in ipairs(refused) do
      local bytes, message = key_of(case[2])
      assert.is_nil(bytes)
      assert.truthy(message:find(case[1], 1, true), message)
      assert.equal(0, tonumber(out.bytes))
    end
  end)

  it("L4: the inline writer of whole numbers writes the same, zero-padded to 16 bytes", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    local random, inline = codec.random(seed), ffi.new "uint8_t[16]"
    local whole = 0
    for _ = 1, 20000 do
      local value = random:number()
      if random:below(2) == 0 then value = math.floor(value) end
      ffi.fill(inline, 16, 0xaa)
      local bytes = C.key_of_number(inline, value)
      local is_whole = value == math.floor(value) and math.abs(value) <= 2 ^ 53
      assert.equal(is_whole, bytes > 0, "seed " .. seed)
      if is_whole then
        whole = whole + 1
        local expected = key_of(number(value))
        assert.equal(hex(expected .. ("\0"):rep(16 - #expected)), hex(ffi.string(inline, 16)), "seed " .. seed)
        assert.equal(#expected, bytes)
      end
    end
    assert.is_true(whole > 5000)
    for _, value in ipairs { 0 / 0, math.huge, -math.huge, 2 ^ 53 + 2, 2 ^ 63, 0.5 } do assert.equal(0, C.key_of_number(inline, value)) end
  end)
end)
