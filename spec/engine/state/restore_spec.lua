local bit = require "bit"
local ffi = require "ffi"
local keyed = require "engine.state.keyed"
local temporary = require "support.temporary"
local C = keyed.C

-- Not declared for Lua: only the core calls it.
ffi.cdef "int timed_rows_find(struct keyed_state *, struct entry *, const struct timed_slots *, int64_t from, int64_t to, struct timed_found *);"

local seed = keyed.seed
local states = { { "small", "value" }, { "seen", "map" }, { "log", "list" } }

local function u16(number) return string.char(math.floor(number / 256), number % 256) end

local function row(group, column, key, value)
  local whole = u16(group) .. u16(column) .. key
  return string.char(#whole) .. whole .. (value and string.char(#value + 1) .. value or "\0")
end

describe("restoring keyed state", function()
  local backend, open

  before_each(function()
    math.randomseed(seed)
    backend, open = keyed.backend(64 * 2 ^ 20), {}
  end)

  after_each(function()
    for _, state in ipairs(open) do state:free() end
    C.backend_free(backend)
  end)

  local function new(options)
    options = options or {}
    options.states, options.backend = options.states or states, backend
    open[#open + 1] = keyed.new(options)
    return open[#open]
  end

  local function filled()
    local state = new()
    for i = 1, 60 do
      state:key(i % 3 == 0 and ("key of many letters %d"):format(i) or i)
      state.small:update(i % 2 == 0 and i or { text = ("x"):rep(i) })
      for k = 1, i % 5 do state.seen:put("k" .. k, { k }) end
      for k = 1, i % 4 do state.log:add(("element"):rep(k)) end
    end
    local rows = state:cut()
    state:key(1).small:clear()
    state.seen:clear()
    return rows .. state:cut()
  end

  -- Everything that was accepted can be read, changed, and written again.
  local function use(state)
    for i = 1, 60 do
      local ok = pcall(function()
        state:key(i % 3 == 0 and ("key of many letters %d"):format(i) or i)
        state.small:value()
        state.small:update("changed")
        for _ in state.seen:entries() do state.seen:put("another", 1) end
        state.seen:remove("k1")
        state.seen:clear()
        state.log:get()
        state.log:add(1)
        state.log:clear()
      end)
      if not ok then assert.truthy(#ffi.string(C.error_message()) > 0) end
    end
    state:cut()
    state:dump_rows()
  end

  local function close_last()
    table.remove(open):free()
  end

  it("counts the memory of a short list as that of a value", function()
    local declared = { { "small", "value" }, { "log", "list" } }
    local function bytes_with(change)
      local state = new { states = declared }
      for i = 1, 1000 do change(state:key(i), ("x"):rep(200)) end
      local again = assert(new({ states = declared }):restore { state:cut() })
      local bytes = again:bytes()
      for i = 1, 1000 do again:key(i).small:clear() again.log:clear() end
      return bytes, again:bytes()
    end
    local of_values, without_values = bytes_with(function(state, text) state.small:update(text) end)
    local of_lists, without_lists = bytes_with(function(state, text) state.log:add(text) end)
    assert.are.equal(without_values, without_lists)
    assert.is_true(of_lists >= of_values and of_lists <= of_values + 16 * 1000, ("%d and %d bytes"):format(of_lists, of_values))
  end)

  it("takes whole rows, and refuses them cut short anywhere but between rows", function()
    local rows = filled()
    local ends, at = { [0] = true }, 0
    for _, parsed in ipairs(keyed.parse(rows)) do
      at = at + #row(parsed.group, parsed.column, parsed.key) + (parsed.value and #parsed.value or 0)
      if parsed.value and #parsed.value + 1 >= 128 then at = at + 1 end
      ends[at] = true
    end
    assert.is_true(ends[#rows])
    local refused = 0
    for bytes = 0, #rows, 7 do
      local state = new()
      C.keyed_state_restore_begin(state.handle, false)
      local cut = rows:sub(1, bytes)
      local status = C.keyed_state_restore_rows(state.handle, { cut, #cut })
      assert.are.equal(ends[bytes] or false, status == 0, "at " .. bytes)
      if status < 0 then refused = refused + 1 end
      close_last()
    end
    assert.is_true(refused > 100)
  end)

  it("meets rows with flipped bits with an error or with other values, never with a crash", function()
    local rows, refused = filled(), 0
    for _ = 1, 1500 do
      local bytes = { rows:byte(1, -1) }
      for _ = 1, math.random(3) do
        local at = math.random(#bytes)
        bytes[at] = bit.bxor(bytes[at], 2 ^ math.random(0, 7))
      end
      local parts = {}
      for from = 1, #bytes, 4000 do parts[#parts + 1] = string.char(unpack(bytes, from, math.min(from + 3999, #bytes))) end
      local state = new()
      local ok, message = state:restore { table.concat(parts) }
      if ok then use(state) else
        refused = refused + 1
        assert.is_true(#message > 0, "seed " .. seed)
      end
      close_last()
    end
    assert.is_true(refused > 100, ("seed %d: %d refused"):format(seed, refused))
  end)

  it("meets noise with an error", function()
    for _ = 1, 2000 do
      local bytes = {}
      for i = 1, math.random(1, 100) do bytes[i] = string.char(math.random(0, 255)) end
      local state = new()
      state:restore { table.concat(bytes) }
      use(state)
      close_last()
    end
  end)

  describe("refuses", function()
    local group

    before_each(function() group = new():group_of(1) end)

    local function expect(text, ...)
      local ok, message = new():restore { table.concat { ... } }
      assert.is_nil(ok)
      assert.truthy(message:find(text, 1, true), message)
    end

    it("a key of another key group than its own", function()
      expect("key group", row((group + 1) % 128, 1, "\1", "\1\11\0\5"))
    end)

    it("another format version, unknown flags, a slot twice", function()
      expect("version", row(group, 1, "\1", "\2\11\0\5"))
      expect("flags", row(group, 1, "\1", "\1\11\2\5"))
      expect("twice", row(group, 1, "\1", "\1\11\0\5\11\0\6"))
    end)

    it("a map entry without its map, or whose key holds no key", function()
      expect("without its map", row(group, 12, "\1\161k", "\1\0\0\5"))
      expect("without its map", row(group, 1, "\1", "\1\11\0\5"), row(group, 12, "\1\161k", "\1\0\0\5"))
      expect("map entry", row(group, 12, "\217", "\1\0\0\5"))
    end)

    it("a list whose head cannot be", function()
      expect("list", row(group, 1, "\1", "\1\13\0\5"))
      expect("chunks", row(group, 1, "\1", "\1\13\0\146\1\2"))
      expect("chunks", row(group, 1, "\1", "\1\13\0\146\207\1\1\1\1\1\1\1\1\1"))
      expect("0 elements in 1 bytes", row(group, 1, "\1", "\1\13\0\146\0\161\5"))
      expect("2 elements in 1 bytes", row(group, 1, "\1", "\1\13\0\146\2\161\5"))
      expect("1 elements in 257 bytes", "\5" .. u16(group) .. u16(1) .. "\1" .. "\138\2" .. "\1\13\0\146\1\218\1\1" .. ("\5"):rep(257))
      expect("not the head of a list", row(group, 1, "\1", "\1\13\0\146\1\192"))
      expect("list", row(group, 1, "\1", "\1\13\0\146\1"))
      expect("list", row(group, 1, "\1", "\1\13\0\146\1\162\5"))
    end)
  end)

  it("meets heads that promise more than there is when they are read", function()
    local group = new():group_of(1)
    local state = assert(new():restore { row(group, 1, "\1", "\1\12\0\206\255\255\255\255\13\0\146\206\255\255\255\255\1") })
    state:key(1)
    assert.has_error(function() for _ in state.seen:entries() do error("shown") end end)
    assert.has_error(function() state.log:get() end)
    assert.has_error(function() state.log:clear() end)
  end)

  it("goes on with a list whose few elements lie in a chunk, as all did once", function()
    local group = new():group_of(1)
    local state = assert(new():restore { row(group, 1, "\1", "\1\13\0\146\1\1"), row(group, 13, "\1\0\0\0\0", "\1\0\0\161\5") })
    assert.are.same({ 5 }, state:key(1).log:get())
    state.log:add("six")
    assert.are.same({ 5, "six" }, state.log:get())
    assert.are.equal(2, state:rows())
    state.log:update { 7 }
    local rows = keyed.parse(state:cut())
    assert.are.equal(2, #rows)
    for _, cut in ipairs(rows) do assert.are.equal(cut.column == 1 and "\1\13\0\146\1\161\7" or nil, cut.value) end
  end)

  -- \13\0\146: the slot of `log`, a head of two parts.
  it("meets a short list that says it has fewer elements than it has when it leaves its row", function()
    for _, bytes in ipairs { 300, 1100 } do -- one chunk, two
      local state = assert(new():restore { row(new():group_of(1), 1, "\1", "\1\13\0\146\1\162\1\2") })
      state:key(1)
      local added, message = pcall(state.log.add, state.log, ("x"):rep(bytes))
      local read = added and pcall(state.log.get, state.log)
      assert.is_false(read, "read as it never was")
      if not added then assert.truthy(tostring(message):find("a list says it has 2 elements", 1, true), tostring(message)) end
    end
  end)

  it("adds no element to a list that has as many as can be counted", function()
    local state = assert(new():restore { row(new():group_of(1), 1, "\1", "\1\13\0\146\206\255\255\255\255\1") })
    state:key(1)
    assert.has_error(function() state.log:add(1) end, "a list of more than 4294967295 elements")
    assert.are.equal(4294967295, C.list_state_count(state.entries[0], 2))
  end)

  it("refuses rows by time whose head is that of a short list", function()
    local declared = { { "newest", "value" }, { "older", "list" }, { "ranges", "derived" } }
    local state = assert(new({ states = declared }):restore { row(new():group_of(1), 1, "\1", "\1\12\0\146\1\161\5") })
    state:key(1)
    local slots, found = ffi.new("struct timed_slots", { 0, 1, 2 }), ffi.new "struct timed_found"
    assert.is_true(C.timed_rows_find(state.handle, state.entries[0], slots, 0, 9, found) < 0)
    assert.are.equal("state: a buffer with the head of a short list", ffi.string(C.error_message()))
    C.timed_found_deinit(found)
  end)

  it("passes over rows of other key groups and other columns, and slots that are no more", function()
    local group = new():group_of(1)
    local state = new { groups = { group, group } }
    assert(state:restore { row((group + 1) % 128, 1, "\2", "\1\11\0\5") .. row(group, 99, "\1", "\1\0\0\1") .. row(65535, 1, "\1", "\1\11\0\5")
      .. row(group, 1, "\1", "\1\90\0\162xx\11\0\7") })
    assert.are.equal(1, state:keys())
    assert.are.equal(7, state:key(1).small:value())
  end)

  it("reads a write time that a row has, and steps over it", function()
    local group = new():group_of(1)
    local state = assert(new():restore { row(group, 1, "\1", "\1\11\1\0\0\0\0\0\0\0\9\7") })
    assert.are.equal(7, state:key(1).small:value())
  end)

  it("takes a hint of what will come, right or wrong", function()
    local source = new { states = { { "small", "value" } } }
    for i = 1, 5000 do source:key(i).small:update(i) end
    local rows = source:cut()
    for _, expected in ipairs { 0, 1, 5000, 66000, 2 ^ 21 } do
      local state = new { states = { { "small", "value" } } }
      C.keyed_state_restore_expect(state.handle, expected)
      assert(state:restore { rows })
      assert.are.equal(5000, state:keys())
      assert.are.equal(4999, state:key(4999).small:value())
    end
  end)
end)

describe("restoring more than memory holds", function()
  local count = 60000

  local function value_of(i)
    if i % 7 == 0 then return nil end
    return i % 5 == 0 and i + 0.5 or i
  end

  -- A base, then a delta in which some keys have other values and some have none any more.
  local function rows()
    local backend = keyed.backend(2 ^ 30)
    local state = keyed.new { states = states, backend = backend }
    local function each(write)
      for first = 1, count, 1000 do
        local keys = {}
        for i = 1, 1000 do keys[i] = first + i - 1 end
        state:resolve(keys)
        for i = 1, 1000 do write(state:at(i), first + i - 1) end
      end
    end
    each(function(at, i)
      at.small:update(i)
      if i % 10 == 0 then
        for k = 1, 3 do at.seen:put("k" .. k, i + k) end
        at.log:add(i)
      end
    end)
    local base = state:cut()
    each(function(at, i)
      if i % 5 == 0 or i % 7 == 0 then at.small:update(value_of(i)) end
      if i % 20 == 0 then at.seen:remove "k2" end
      if i % 30 == 0 then at.log:add(-i) end
    end)
    local delta = state:cut()
    state:free()
    C.backend_free(backend)
    return base, delta
  end

  local function compare(state)
    for first = 1, count, 1000 do
      local keys = {}
      for i = 1, 1000 do keys[i] = first + i - 1 end
      state:resolve(keys)
      for at = 1, 1000 do
        local i = first + at - 1
        state:at(at)
        assert.are.equal(value_of(i), state.small:value())
        if i % 10 == 0 then
          assert.are.equal(i + 1, state.seen:get "k1")
          assert.are.equal(i % 20 ~= 0 and i + 2 or nil, state.seen:get "k2")
          assert.are.same(i % 30 == 0 and { i, -i } or { i }, state.log:get())
        end
      end
    end
  end

  it("puts into the store what the cache has no room for, and the last row of a key wins", function()
    local root = temporary.folder()
    local backend = keyed.backend(4 * 2 ^ 20, root .. "/rows")
    local state = keyed.new { states = states, backend = backend }
    local base, delta = rows()
    assert(state:restore { base, delta })
    assert.is_true(C.backend_store_opened(backend) ~= nil)
    assert.is_true(tonumber(C.backend_used(backend)) < 4.5 * 2 ^ 20, tonumber(C.backend_used(backend)))
    compare(state)
    local changed = state:key(12).small
    changed:update(-12)
    state:key(13).small:clear()
    state:cut()
    assert.are.equal(-12, state:key(12).small:value())
    assert.is_nil(state:key(13).small:value())
    assert.are.equal(0, C.keyed_state_failure(state.handle))
    state:free()
    C.backend_free(backend)
    temporary.remove(root)
  end)
end)
