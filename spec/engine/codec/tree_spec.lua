-- Nested tables between Lua and msgpack: what encoders and the tree write is what runtime/msgpack.lua writes by itself.
local ffi = require "ffi"
local C = require "support.engine"
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

local function random_value(depth)
  local kind = math.random(depth > 4 and 7 or 10)
  if kind == 1 then return math.random(-1000000, 1000000) end
  if kind == 2 then return math.random() * 1e6 end
  if kind == 3 then return ("x"):rep(math.random(0, 40)) end
  if kind == 4 then return math.random(2) == 1 end
  if kind == 5 then return mt.null end
  if kind == 6 then return 2LL ^ 60 + math.random(1000) end
  if kind == 7 then return "text" .. math.random(9) end
  local table_made = {}
  for i = 1, math.random(0, kind == 8 and 20 or 5) do
    local key = kind == 8 and i or kind == 9 and ("k"):rep(math.random(3)) .. math.random(4) or math.random(-5, 300)
    table_made[key] = random_value(depth + 1)
  end
  return table_made
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
    same_both_ways(long)
    same_both_ways(wide)
    local place = encoding.place()
    for i = 1, 40 do same_both_ways({ ["only" .. i] = { i } }, place) end
  end)

  it("are the same as without trees, at random", function()
    math.randomseed(seed)
    local place = encoding.place()
    for _ = 1, 2000 do
      local ok, message = pcall(same_both_ways, random_value(1), place)
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
