-- Nested tables between Lua and msgpack: what encoders write is what runtime/msgpack.lua writes by itself, and what is
-- read from the tree is what was written.
local ffi = require "ffi"
local C = require "support.engine"
local draw = require "support.draw"
local encoding = require "moontide.runtime.encode"
local msgpack = require "moontide.runtime.msgpack"
local mt = require "moontide"
local values = require "moontide.runtime.values"

local seed = tonumber(os.getenv "SEED") or os.time()

local function bytes_of(pack)
  local arena = ffi.new("struct arena")
  local ok, text = pcall(function()
    pack(arena)
    return ffi.string(arena.bytes, arena.used)
  end)
  C.arena_deinit(arena)
  if not ok then error(text, 0) end
  return text
end

-- The packed bytes of a field, and what is read from them.
local function through_tree(value, place)
  local arena, cell = ffi.new("struct arena"), ffi.new("struct cell")
  local ok, packed, back = pcall(function()
    encoding.encode(arena, cell, { value }, place)
    assert(cell.tag == 9)
    return ffi.string(arena.bytes + cell.offset, cell.length), values.decode(cell, arena.bytes)
  end)
  C.arena_deinit(arena)
  if not ok then error(packed, 0) end
  return packed, back[1]
end

local function same_both_ways(value, place)
  local packed, back = through_tree(value, place or encoding.place())
  assert.equal(bytes_of(function(arena) msgpack.pack(arena, { value }) end), packed)
  assert.are.same(value, back)
end

local random = draw.generator(seed)

local numbers = { 0, -0.0, 1, 127, 128, 255, 256, 65535, 65536, 2 ^ 31, 2 ^ 32, 2 ^ 53, 2 ^ 53 + 2, 1e300, 0.5, 1 / 0, -1 / 0,
  -1, -32, -33, -128, -129, -32768, -32769, -2 ^ 31, -2 ^ 31 - 1, -2 ^ 53, -2 ^ 53 - 2, -0.5 }
local integers = { 2LL ^ 60 + 1, -2LL ^ 60, 2ULL ^ 63 + 1, 0xffffffffffffffffULL, -0x7fffffffffffffffLL - 1 }

local function a_scalar()
  local kind = random(10)
  if kind <= 3 then return numbers[random(#numbers)] end
  if kind == 4 then return random(-100000, 100000) / 4 end
  if kind <= 6 then return ("x"):rep(random(0, 40)) .. random(9) end
  if kind == 7 then return integers[random(#integers)] end
  if kind == 8 then return mt.null end
  return kind == 9
end

local a_value

local keys = {
  function() return ("k"):rep(random(0, 3)) .. random(4) end,
  function() return random(-3, 6) end,
  function() return random(30) end,
  function() return random(3) / 2 end,
  function() return random(2) == 1 end,
}

local function a_length(depth)
  return random(0, depth == 1 and 60 or 5)
end

local function a_map(depth)
  local map, key = {}, keys[random(#keys)]
  for _ = 1, a_length(depth) do map[random(8) == 1 and keys[random(#keys)]() or key()] = a_value(depth + 1) end
  return map
end

-- Elements in any order: some of them lie in the hash part.
local function a_list(depth)
  local list, length = {}, a_length(depth)
  local step = random(3)
  for first = 1, step do
    for i = first, length, step do list[i] = a_value(depth + 1) end
  end
  return list
end

function a_value(depth)
  local kind = random(depth > 5 and 2 or 4)
  if kind <= 2 and depth > 1 then return a_scalar() end
  return kind % 2 == 0 and a_list(depth) or a_map(depth)
end

describe("tables in tables", function()
  it("are packed with their keys in canonical order, shorter ones first", function()
    same_both_ways { age = 7, id = "x", z = { b = 1, aa = 2, a = 3 }, [""] = 0 }
    same_both_ways { { 1, 2, { 3 } }, { x = { y = { z = {} } } } }
    same_both_ways { [1] = "a", [3] = "c", b = 1 }
    same_both_ways { [0] = "not in a list", "a", "b", nil, "d" }
  end)

  it("may be long lists, wide maps and of many shapes at one place", function()
    local long, wide = {}, {}
    for i = 1, 70000 do long[i] = i end
    for i = 1, 300 do wide["field" .. i] = i end
    for _, bytes in ipairs { 31, 32, 255, 256, 65535, 65536 } do same_both_ways { ("t"):rep(bytes) } end
    same_both_ways(long)
    same_both_ways(wide)
    local place = encoding.place()
    for i = 1, 40 do same_both_ways({ ["only" .. i] = { i } }, place) end
  end)

  it("are the same as without trees, at random", function()
    local place = encoding.place()
    for _ = 1, 500 do
      local ok, message = pcall(same_both_ways, a_value(1), place)
      if not ok then error(("SEED=%d: %s"):format(seed, tostring(message))) end
    end
  end)

  it("are refused beyond 64 levels, and where they hold themselves", function()
    local function nested(levels)
      local value = 1
      for _ = 1, levels do value = { value } end
      return value
    end
    same_both_ways(nested(63))
    assert.has_error(function() through_tree(nested(64), encoding.place()) end, "a table is nested deeper than 64 levels (or holds itself)")
    local own = {}
    own.own = own
    assert.has_error(function() through_tree(own, encoding.place()) end, "a table is nested deeper than 64 levels (or holds itself)")
  end)

  it("are lists where their keys are 1 to n, however they came", function()
    local backwards = {}
    for i = 40, 1, -1 do backwards[i] = i end
    local function head(value) return through_tree(value, encoding.place()):byte(2) end
    for _, list in ipairs { backwards, { 1, 2, 3, nil, nil, nil }, { 1 }, { "a", { 2 }, false, mt.null } } do
      same_both_ways(list)
      assert.is_true(head(list) >= 0x90 and head(list) <= 0xdd)
    end
    for _, map in ipairs { { 1, 2, nil, 4 }, { [0] = 0, 1, 2 }, { 1, 2, x = 3 }, {}, { [2] = 1 }, { [1.5] = 1 } } do
      same_both_ways(map)
      assert.equal(0x80, bit.band(head(map), 0xf0))
    end
  end)

  it("are refused where a record cannot hold what is in them, or a key stands twice", function()
    local refused = {
      { print, "a record cannot hold a function" }, { { a = coroutine.create(print) }, "a record cannot hold a thread" },
      { io.stdout, "a record cannot hold a userdata" }, { { [{}] = 1 }, "a table cannot be a key in a record" },
      { { [mt.null] = 1 }, "a table cannot be a key in a record" }, { { [print] = 1 }, "a record cannot hold a function" },
      { { [1] = "a", [1LL] = "b" }, "a table has the same key twice" }, { ffi.new("int[2]"), "a record cannot hold cdata of type ctype<int [2]>" },
    }
    for _, case in ipairs(refused) do
      assert.has_error(function() through_tree({ case[1] }, encoding.place()) end, case[2])
    end
  end)

  -- What is read from bytes that somebody else has written.
  local function read(bytes)
    local cell = ffi.new("struct cell")
    cell.tag, cell.length, cell.payload = 9, #bytes, ffi.cast("char *", bytes)
    return values.slot_decoder()(cell)
  end

  it("are read whatever form their numbers have", function()
    local forms = {
      ["\127"] = 127, ["\224"] = -32, ["\204\255"] = 255, ["\205\1\0"] = 256, ["\206\0\0\0\7"] = 7, ["\207\0\32\0\0\0\0\0\0"] = 2 ^ 53,
      ["\208\128"] = -128, ["\209\255\0"] = -256, ["\210\127\255\255\255"] = 2 ^ 31 - 1, ["\211\255\255\255\255\255\255\255\254"] = -2,
      ["\202\63\192\0\0"] = 1.5, ["\203\191\248\0\0\0\0\0\0"] = -1.5,
    }
    local all, expected = {}, {}
    for bytes, number in pairs(forms) do
      all[#all + 1], expected[#expected + 1] = bytes, number
      assert.are.same({ number }, read("\145" .. bytes))
      assert.are.same({ number, "x" }, read("\146" .. bytes .. "\161x"))
      assert.are.same({ true, number }, read("\146\195" .. bytes))
    end
    assert.are.same(expected, read(string.char(0x90 + #all) .. table.concat(all)))
    assert.equal(2LL ^ 60, read("\145\211\16\0\0\0\0\0\0\0")[1])
    assert.equal(2ULL ^ 63, read("\145\207\128\0\0\0\0\0\0\0")[1])
    local nan = read("\145\203\255\255\255\255\255\255\255\255")[1]
    assert.is_true(nan ~= nan)
  end)

  it("are refused where numbers are cut short", function()
    for _, bytes in ipairs { "\145", "\145\205\1", "\146\1", "\145\203\0\0\0\0\0\0\0", "\145\202\0\0\0", "\145\193" } do
      assert.has_error(function() read(bytes) end)
    end
  end)

  it("may have keys of all kinds, in any order", function()
    assert.are.same({ a = 1, [5] = 2, b = { [-1] = 3 } }, read("\131\161a\1\5\2\161b\129\255\3"))
    assert.are.same({ [1.5] = 1, [true] = 2 }, read("\130\203\63\248\0\0\0\0\0\0\1\195\2"))
    assert.are.same({ ["1152921504606846976LL"] = 1, a = 2 }, read("\130\211\16\0\0\0\0\0\0\0\1\161a\2"))
    assert.equal(1, read("\129\192\1")[mt.null])
  end)

  it("do not use shapes up where maps serve as dictionaries", function()
    local place, last = encoding.place(), nil
    for i = 1, 20000 do
      local _, back = through_tree({ ["word" .. i] = i }, place)
      last = back["word" .. i]
    end
    assert.equal(20000, last)
    local slices, name = ffi.new("struct slice[1]"), "a new field after many words"
    slices[0].data, slices[0].bytes = name, #name
    assert.is_true(C.shape_intern(slices, 1) < 16384)
  end)

  it("are refused by an error where their bytes are cut short", function()
    local packed = bytes_of(function(arena) msgpack.pack(arena, { a = { 1, "text", { b = 2.5 } }, [1] = 2 }) end)
    local arena, cell = ffi.new("struct arena"), ffi.new("struct cell")
    assert.equal(0, C.tree_unpack(packed, #packed, arena, cell))
    for length = 0, #packed - 1 do
      local part = ffi.new("char[?]", length + 1)
      ffi.copy(part, packed, length)
      assert.is_true(C.tree_unpack(part, length, arena, cell) < 0)
    end
    C.arena_deinit(arena)
  end)
end)
