local ffi = require "ffi"
local C = require "support.engine"
local bit = require "bit"
local temporary = require "support.temporary"

local function slice(text)
  local bytes = ffi.new("char[?]", #text + 1, text)
  return ffi.new("struct slice", { bytes, #text }), bytes
end

local function text_of(s)
  return ffi.string(s.data, s.bytes)
end

local function check(status)
  if status < 0 then error(ffi.string(C.error_message()), 2) end
  return status
end

-- An open store with Lua strings for rows.
local Store = {}
Store.__index = Store

local function open(directory, memory_bytes)
  local config = ffi.new("struct store_config", { directory = directory, memory_bytes = memory_bytes or 16 * 2 ^ 20 })
  local out = ffi.new("struct store *[1]")
  local status = C.store_open(config, out)
  if status < 0 then return nil, ffi.string(C.error_message()), status end
  return setmetatable({ handle = out[0] }, Store)
end

function Store:close() C.store_close(self.handle) end

function Store:apply(rows)
  local write = C.store_write_new()
  for _, row in ipairs(rows) do
    if row[2] then C.store_write_put(write, (slice(row[1])), (slice(row[2])))
    else C.store_write_remove(write, (slice(row[1]))) end
  end
  assert.are.equal(#rows, C.store_write_count(write))
  local status = C.store_write_apply(self.handle, write)
  assert.are.equal(0, C.store_write_count(write))
  C.store_write_free(write)
  return check(status)
end

function Store:get(key)
  local buffer, found = ffi.new("struct buffer"), ffi.new("bool[1]")
  check(C.store_get(self.handle, (slice(key)), buffer, found))
  local value = found[0] and ffi.string(buffer.data, buffer.bytes) or nil
  C.buffer_deinit(buffer)
  return value
end

function Store:get_many(keys)
  local slices, kept = ffi.new("struct slice[?]", #keys), {}
  for i, key in ipairs(keys) do slices[i - 1], kept[i] = slice(key) end
  local values, found = ffi.new("struct slice[?]", #keys), ffi.new("bool[?]", #keys)
  local buffer = ffi.new("struct buffer")
  check(C.store_get_many(self.handle, slices, #keys, buffer, values, found))
  local out = {}
  for i = 1, #keys do out[i] = found[i - 1] and text_of(values[i - 1]) or false end
  C.buffer_deinit(buffer)
  return out, #kept
end

function Store:rows(prefix)
  local list, iterator = {}, C.store_iterate(self.handle, (slice(prefix)))
  while C.store_iterator_valid(iterator) do
    list[#list + 1] = { text_of(C.store_iterator_key(iterator)), text_of(C.store_iterator_value(iterator)) }
    C.store_iterator_next(iterator)
  end
  check(C.store_iterator_close(iterator))
  return list
end

local function key_of(group, column, rest)
  return string.char(bit.rshift(group, 8), group % 256, bit.rshift(column, 8), column % 256) .. rest
end

describe("store", function()
  local root, store

  before_each(function()
    root = temporary.folder()
    store = assert(open(root .. "/rows"))
  end)

  after_each(function()
    store:close()
    temporary.remove(root)
  end)

  it("answers what was put, and absence without an error", function()
    store:apply { { "a", "1" }, { "b", "" }, { "a\0b", "with a zero" } }
    assert.are.equal("1", store:get "a")
    assert.are.equal("", store:get "b")
    assert.are.equal("with a zero", store:get "a\0b")
    assert.is_nil(store:get "c")
  end)

  it("applies puts and removes of one batch in their order", function()
    store:apply { { "a", "1" }, { "a", "2" }, { "b", "1" }, { "b" }, { "c" }, { "c", "3" } }
    assert.are.same({ { "a", "2" }, { "c", "3" } }, store:rows "")
  end)

  it("applies a batch of any size in its order, over and under rows of small ones", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    math.randomseed(seed)
    local model, count = {}, 0
    for round = 1, 8 do
      local rows = {}
      for i = 1, round % 2 == 0 and 20000 or 3000 do
        local key = ("%05d"):format(math.random(0, 15000))
        local value = math.random() < 0.2 and nil or round .. ":" .. i
        rows[i] = { key, value }
        model[key] = value
      end
      store:apply(rows)
    end
    for _, row in ipairs(store:rows "") do
      assert.are.equal(model[row[1]], row[2], "seed " .. seed)
      count = count + 1
    end
    for _ in pairs(model) do count = count - 1 end
    assert.are.equal(0, count, "seed " .. seed)
  end)

  it("leaves an iteration as it was when a large batch comes", function()
    store:apply { { "m1", "a" }, { "m2", "b" } }
    local iterator, rows = C.store_iterate(store.handle, (slice "m")), {}
    for i = 1, 20000 do rows[i] = { "m" .. i, "late" } end
    store:apply(rows)
    local seen = {}
    while C.store_iterator_valid(iterator) do
      seen[#seen + 1] = text_of(C.store_iterator_key(iterator)) .. "=" .. text_of(C.store_iterator_value(iterator))
      C.store_iterator_next(iterator)
    end
    check(C.store_iterator_close(iterator))
    assert.are.same({ "m1=a", "m2=b" }, seen)
    assert.are.equal("late", store:get "m1")
    check(C.store_checkpoint(store.handle, root .. "/base"))
    check(C.store_clone(root .. "/base", root .. "/again"))
    local again = assert(open(root .. "/again"))
    assert.are.equal(20000, #again:rows "")
    again:close()
  end)

  it("reads many keys in the caller's order, repeated ones too", function()
    local rows, keys, expected = {}, {}, {}
    for i = 1, 1000 do rows[i] = { ("key%05d"):format(i * 7919 % 1000 * 2), ("v"):rep(i % 50) .. i } end
    store:apply(rows)
    for i = 1, 1000 do
      keys[#keys + 1], expected[#expected + 1] = rows[i][1], rows[i][2]
      keys[#keys + 1], expected[#expected + 1] = ("key%05d"):format(i * 2 - 1), false
    end
    keys[#keys + 1], expected[#expected + 1] = rows[5][1], rows[5][2]
    assert.are.same(expected, (store:get_many(keys)))
    assert.are.same({}, (store:get_many {}))
  end)

  it("iterates exactly the rows of a prefix in key order", function()
    for _, group in ipairs { 0, 1, 255, 256, 0x00ff, 0xffff } do
      store:apply { { key_of(group, 0, "x"), "x" }, { key_of(group, 0xffff, "y"), "y" }, { key_of(group, 0xffff, "\255\255"), "z" } }
    end
    for _, group in ipairs { 0, 1, 255, 256, 0xffff } do
      local rows = store:rows(key_of(group, 0, ""):sub(1, 2))
      assert.are.same({ { key_of(group, 0, "x"), "x" }, { key_of(group, 0xffff, "y"), "y" }, { key_of(group, 0xffff, "\255\255"), "z" } }, rows)
    end
    assert.are.same({ { key_of(0xffff, 0xffff, "\255\255"), "z" } }, store:rows "\255\255\255\255\255")
    assert.are.same({}, store:rows(key_of(2, 0, "")))
    assert.are.equal(15, #store:rows "")
  end)

  it("S52: an iteration sees the rows as they were at its start", function()
    store:apply { { "m1", "a" }, { "m2", "b" }, { "m3", "c" } }
    local iterator = C.store_iterate(store.handle, (slice "m"))
    store:apply { { "m1" }, { "m2", "changed" }, { "m25", "new" }, { "m3" } }
    local seen = {}
    while C.store_iterator_valid(iterator) do
      seen[#seen + 1] = text_of(C.store_iterator_key(iterator)) .. "=" .. text_of(C.store_iterator_value(iterator))
      C.store_iterator_next(iterator)
    end
    check(C.store_iterator_close(iterator))
    assert.are.same({ "m1=a", "m2=b", "m3=c" }, seen)
    assert.are.same({ { "m2", "changed" }, { "m25", "new" } }, store:rows "m")
  end)

  it("keeps in a checkpoint what was written before it, and nothing later", function()
    store:apply { { "a", "1" }, { "b", "2" } }
    check(C.store_checkpoint(store.handle, root .. "/base"))
    store:apply { { "a", "later" }, { "b" }, { "c", "3" } }
    check(C.store_clone(root .. "/base", root .. "/again"))
    local again = assert(open(root .. "/again"))
    assert.are.same({ { "a", "1" }, { "b", "2" } }, again:rows "")
    again:apply { { "a" }, { "d", "4" } }
    again:close()

    check(C.store_clone(root .. "/base", root .. "/third"))
    local third = assert(open(root .. "/third"))
    assert.are.same({ { "a", "1" }, { "b", "2" } }, third:rows "")
    third:close()
    assert.are.same({ { "a", "later" }, { "c", "3" } }, store:rows "")
  end)

  it("refuses to make a checkpoint or a clone over something", function()
    store:apply { { "a", "1" } }
    check(C.store_checkpoint(store.handle, root .. "/base"))
    assert.is_true(C.store_checkpoint(store.handle, root .. "/base") < 0)
    assert.truthy(ffi.string(C.error_message()):find("exists", 1, true))
    assert.is_true(C.store_clone(root .. "/base", root .. "/base") < 0)
    assert.is_true(C.store_clone(root .. "/absent", root .. "/new") < 0)
  end)

  it("agrees with a plain table over random writes, checkpoints and clones", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    math.randomseed(seed)
    local model = {}
    local function compare()
      local keys = {}
      for key in pairs(model) do keys[#keys + 1] = key end
      table.sort(keys)
      local rows = store:rows ""
      assert.are.equal(#keys, #rows, "seed " .. seed)
      for i, key in ipairs(keys) do
        assert.are.equal(key, rows[i][1], "seed " .. seed)
        assert.are.equal(model[key], rows[i][2], "seed " .. seed)
      end
    end
    for round = 1, 6 do
      for _ = 1, 20 do
        local rows = {}
        for i = 1, 200 do
          local key = key_of(math.random(0, 3), 1, ("%04d"):format(math.random(0, 3000)))
          local value = math.random() < 0.3 and nil or ("v"):rep(math.random(0, 40)) .. round
          rows[i] = { key, value }
          model[key] = value
        end
        store:apply(rows)
      end
      compare()
      local base = root .. "/base" .. round
      check(C.store_checkpoint(store.handle, base))
      store:close()
      check(C.store_clone(base, root .. "/rows" .. round))
      store = assert(open(root .. "/rows" .. round))
      compare()
    end
  end)

  it("says its sizes", function()
    local memory, disk = ffi.new("uint64_t[1]"), ffi.new("uint64_t[1]")
    local rows = {}
    for i = 1, 10000 do rows[i] = { ("%08d"):format(i), ("x"):rep(20) } end
    store:apply(rows)
    check(C.store_checkpoint(store.handle, root .. "/base"))
    store:get "00000001"
    C.store_sizes(store.handle, memory, disk)
    assert.is_true(tonumber(disk[0]) > 100000)
    assert.is_true(tonumber(memory[0]) > 1000)
  end)
end)

describe("a damaged store", function()
  local root

  local function list(directory)
    local names, pipe = {}, assert(io.popen("ls '" .. directory .. "'"))
    for name in pipe:lines() do names[#names + 1] = name end
    pipe:close()
    return names
  end

  before_each(function()
    root = temporary.folder()
    local store = assert(open(root .. "/rows"))
    local rows = {}
    for i = 1, 5000 do rows[i] = { ("%08d"):format(i), ("%020d"):format(i) } end
    store:apply(rows)
    check(C.store_checkpoint(store.handle, root .. "/base"))
    store:close()
  end)

  after_each(function() temporary.remove(root) end)

  -- Every row that can be read is right; else there was an error, with text.
  local function read_or_refuse()
    local store, message, status = open(root .. "/base")
    if not store then
      assert.is_true(status < 0 and #message > 0)
      return "refused"
    end
    local ok, rows = pcall(store.rows, store, "")
    store:close()
    if not ok then return "refused" end
    for _, row in ipairs(rows) do assert.are.equal(("%020d"):format(tonumber(row[1])), row[2]) end
    return #rows == 5000 and "whole" or "short"
  end

  it("is refused when any file is cut short", function()
    local refused = 0
    for _, name in ipairs(list(root .. "/base")) do
      local path = root .. "/base/" .. name
      local whole = temporary.read(path)
      os.execute("cp -al '" .. root .. "/base' '" .. root .. "/kept'")
      for i = 0, 15 do
        os.remove(path)
        temporary.write(path, whole:sub(1, math.floor(#whole * i / 16)))
        local outcome = read_or_refuse()
        if name:find "%.sst$" then assert.are.equal("refused", outcome, name .. " " .. i) end
        if outcome == "refused" then refused = refused + 1 end
        os.execute(("rm -rf '%s/base' && cp -al '%s/kept' '%s/base'"):format(root, root, root))
      end
      os.execute("rm -rf '" .. root .. "/kept'")
    end
    assert.is_true(refused >= 16)
    assert.are.equal("whole", read_or_refuse())
  end)

  it("is refused, with a text, when its directory is no store", function()
    local function expect_refused(path)
      local store, text, status = open(path)
      assert.is_nil(store)
      assert.is_true(status < 0)
      assert.truthy(text:find(path:sub(1, 100), 1, true), text)
    end
    temporary.write(root .. "/file", "x")
    expect_refused(root .. "/file")
    expect_refused(root .. "/absent/deeper")
    expect_refused(root .. "/" .. ("x"):rep(5000))
    for _, current in ipairs { "", "\n", "MANIFEST-999999\n", "../../file\n", "MANIFEST-000001", ("M"):rep(70000) } do
      os.execute(("rm -rf '%s/bad' && cp -a '%s/base' '%s/bad'"):format(root, root, root))
      temporary.write(root .. "/bad/CURRENT", current)
      expect_refused(root .. "/bad")
    end
    os.execute(("rm -rf '%s/bad' && cp -a '%s/base' '%s/bad' && cd '%s/bad' && rm *.sst && mkdir 000009.sst"):format(root, root, root, root))
    expect_refused(root .. "/bad")
  end)

  it("never answers a wrong row after bits have flipped", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    math.randomseed(seed)
    local refused = 0
    os.execute(("cp -a '%s/base' '%s/kept'"):format(root, root))
    for _, name in ipairs(list(root .. "/kept")) do
      local whole = temporary.read(root .. "/kept/" .. name)
      for _ = 1, #whole > 0 and 64 or 0 do
        os.execute(("rm -rf '%s/base' && cp -a '%s/kept' '%s/base'"):format(root, root, root))
        local at = math.random(#whole)
        local byte = bit.bxor(whole:byte(at), 2 ^ math.random(0, 7))
        temporary.write(root .. "/base/" .. name, whole:sub(1, at - 1) .. string.char(byte) .. whole:sub(at + 1))
        local ok, outcome = pcall(read_or_refuse)
        assert(ok, "seed " .. seed .. ", " .. name .. " at " .. at .. ": " .. tostring(outcome))
        if outcome == "refused" then refused = refused + 1 end
      end
    end
    assert.is_true(refused >= 64, "seed " .. seed)
  end)
end)
