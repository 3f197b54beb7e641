local ffi = require "ffi"
local bit = require "bit"
local keyed = require "engine.state.keyed"
local C = keyed.C

describe("table", function()
  local table_, made, key = nil, ffi.new("bool[1]"), ffi.new("uint32_t[4]")

  before_each(function()
    table_ = ffi.new("struct table")
    C.table_init(table_, 1)
  end)

  after_each(function() C.table_deinit(table_) end)

  -- Keys of 16 bytes; the hash is whatever the spec wants it to be.
  local function set_key(number)
    key[0], key[1], key[2], key[3] = number, 77, 0, 0
    return ffi.cast("const char *", key)
  end

  local function hash_of(number)
    local mixed = 0x9e3779b97f4a7c15ULL * (number + 1)
    return bit.bxor(mixed, bit.rshift(mixed, 29))
  end

  local function put(number, hash)
    local entry = C.table_find_or_make(table_, set_key(number), 16, hash or hash_of(number), 0, made)
    if made[0] then entry.slots[0].tag, entry.slots[0].number = 4, number end
    return entry
  end

  local function find(number, hash)
    local entry = C.table_find(table_, set_key(number), 16, hash or hash_of(number))
    if entry == nil then return nil end
    return entry.slots[0].number
  end

  local function count() return tonumber(table_.count) end

  it("holds a million keys, each at the address it was made at", function()
    local total, sampled = 1000000, {}
    for i = 1, total do
      local entry = put(i)
      if i % 1009 == 0 then sampled[i] = entry end
    end
    assert.are.equal(total, count())
    local wrong = 0
    for i = 1, total do
      if find(i) ~= i then wrong = wrong + 1 end
    end
    assert.are.equal(0, wrong)
    for i, entry in pairs(sampled) do assert.are.equal(i, entry.slots[0].number) end
    assert.is_nil(find(total + 1))
    local walked, cursor = 0, ffi.new("struct table_cursor")
    while C.table_next(table_, cursor) ~= nil do walked = walked + 1 end
    assert.are.equal(total, walked)
  end)

  it("finds, adds and removes while an old index is being moved", function()
    local total, moving = 60000, 0
    for i = 1, total do
      put(i)
      if table_.old_buckets ~= nil then
        moving = moving + 1
        assert.are.equal(i, find(i))
        local early = 1 + i * 31 % i
        if find(early) == nil and early % 3 ~= 0 then error("lost " .. early) end
        if early % 3 == 0 and find(early) then C.table_remove(table_, put(early)) end
      end
    end
    assert.is_true(moving > 1000, moving)
    local live = 0
    for i = 1, total do
      local number = find(i)
      if number then live = live + 1 end
      assert(number == i or i % 3 == 0, i)
    end
    assert.are.equal(live, count())
    C.table_settle(table_)
    assert.is_true(table_.old_buckets == nil)
    for i = 1, total do assert(find(i) == i or i % 3 == 0, i) end
  end)

  it("does not grow for keys that come and go", function()
    for i = 1, 300000 do
      put(i)
      if i > 100 then C.table_remove(table_, put(i - 100)) end
    end
    assert.are.equal(100, count())
    assert.is_true(tonumber(table_.mask) < 4096, tonumber(table_.mask))
    assert.is_true(tonumber(C.table_bytes(table_)) < 100000)
    for i = 299901, 300000 do assert.are.equal(i, find(i)) end
    assert.is_nil(find(299900))
  end)

  it("asks for no new index for keys that come and go", function()
    local live = 1000
    local function exchange(from, to)
      for i = from, to do
        put(i)
        if i > live then C.table_remove(table_, put(i - live)) end
      end
    end
    exchange(1, 20000)
    C.table_settle(table_)
    local buckets = table_.buckets
    exchange(20001, 400000)
    assert.is_true(buckets == table_.buckets)
    assert.is_true(table_.old_buckets == nil)
    assert.is_true(tonumber(table_.used) >= live and tonumber(table_.used) * 3 < (tonumber(table_.mask) + 1) * 2)
    for i = 400001 - live, 400000 do assert.are.equal(i, find(i)) end
    assert.is_nil(find(400000 - live))
    for i = 400001 - live, 400000 do C.table_remove(table_, put(i)) end
    assert.are.equal(0, tonumber(table_.used)) -- no tombstone is left behind the last key of a line
  end)

  it("gives the place of a removed entry to the next one", function()
    local first = put(1)
    C.table_remove(table_, first)
    assert.is_nil(find(1))
    local second = put(2)
    assert.is_true(first == second)
    assert.are.equal(0, second.dirty_epoch)
    assert.are.equal(2, find(2))
  end)

  it("tells keys apart whose hashes are all the same", function()
    local hash = 0x123456789abcdef0ULL
    for i = 1, 600 do put(i, hash) end
    for i = 1, 600, 2 do C.table_remove(table_, put(i, hash)) end
    for i = 1, 600 do assert.are.equal(i % 2 == 0 and i or nil, find(i, hash)) end
    for i = 1, 600, 2 do put(i, hash) end
    for i = 1, 600 do assert.are.equal(i, find(i, hash)) end
    assert.are.equal(600, count())
  end)

  it("finds a batch of keys that share tags and places, and says which are missing", function()
    local batch = C.batch_take()
    local entries, missing = ffi.new("struct entry *[1024]"), ffi.new("int32_t[1024]")
    for i = 0, 1023 do
      keyed.check(C.batch_key_set_number(batch, i, i))
      batch.keys[i].hash = bit.lshift(ffi.cast("uint64_t", i % 7), 32) + 0xabcd0000ULL
    end
    batch.count = 1024
    for i = 0, 1023, 3 do
      local at = batch.keys[i]
      C.table_find_or_make(table_, batch.arena.bytes + at.offset, at.bytes, at.hash, 0, made)
    end
    local absent = C.table_find_batch(table_, batch, entries, missing)
    assert.are.equal(682, absent)
    for i = 0, 1023 do assert.are.equal(i % 3 == 0, entries[i] ~= nil) end
    for i = 0, absent - 1 do assert.is_true(missing[i] % 3 ~= 0) end
    C.batch_drop(batch)
  end)

  it("reserves for as many keys as it is told, and only while it is empty", function()
    C.table_reserve(table_, 100000)
    local mask = tonumber(table_.mask)
    for i = 1, 100000 do put(i) end
    assert.are.equal(mask, tonumber(table_.mask))
    assert.is_true(table_.old_buckets == nil)
    C.table_reserve(table_, 10000000)
    assert.are.equal(mask, tonumber(table_.mask))
    assert.are.equal(100000, find(100000))
  end)

  it("tells the memory that it reserved, and uses no other for as many keys", function()
    C.table_reserve(table_, 300000)
    local blocks = ffi.new("struct memory_block[1000]")
    local count_ = C.table_blocks(table_, blocks, 1000)
    assert.is_true(count_ > 2 and count_ < 1000)
    assert.are.equal(1, C.table_blocks(table_, blocks, 1))
    local function within(pointer)
      local at = ffi.cast("uintptr_t", pointer)
      for i = 0, count_ - 1 do
        local from = ffi.cast("uintptr_t", blocks[i].start)
        if at >= from and at < from + blocks[i].bytes then return true end
      end
    end
    C.table_blocks(table_, blocks, 1000)
    assert.is_true(within(table_.buckets))
    local prefault = C.prefault_begin(blocks, count_)
    for i = 1, 300000 do assert(within(put(i)), i) end
    C.prefault_end(prefault)
    C.prefault_end(nil)
    for i = 1, 300000 do assert(find(i) == i) end
    assert.are.equal(300000, count())
  end)
end)
