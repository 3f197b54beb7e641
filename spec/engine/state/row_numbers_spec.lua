-- The bytes of rows, of numbers and of what stands among them: engine/state/row_numbers.c.
local keyed = require "engine.state.keyed"
local C = keyed.C

local column, first_id, second_id = 1, 11, 12
local numbers = {
  { 0, "\0" }, { 127, "\127" }, { 128, "\204\128" }, { 255, "\204\255" }, { 256, "\205\1\0" }, { 65535, "\205\255\255" },
  { 65536, "\206\0\1\0\0" }, { 2 ^ 32, "\207\0\0\0\1\0\0\0\0" }, { -1, "\255" }, { -32, "\224" }, { -33, "\208\223" }, { -129, "\209\255\127" },
  { -32769, "\210\255\255\127\255" }, { -2 ^ 31 - 1, "\211\255\255\255\255\127\255\255\255" }, { 1.5, "\203\63\248\0\0\0\0\0\0" },
  { 2 ^ 60, "\203\67\176\0\0\0\0\0\0" },
}

local function row(group, key, value)
  local head = string.char(4 + #key, math.floor(group / 256), group % 256, 0, column) .. key
  return head .. (value and string.char(#value + 2) .. "\1" .. value or "\0")
end

local function slot(id, bytes) return string.char(id, 0) .. bytes end

describe("rows of numbers", function()
  local backend, state

  before_each(function()
    backend = keyed.backend(64 * 2 ^ 20)
    state = keyed.new { states = { { "first", "value" }, { "second", "value" } }, backend = backend }
  end)

  after_each(function()
    state:free()
    C.backend_free(backend)
  end)

  -- Keys are short texts: their bytes are known without the engine.
  local function key_of(i) return ("key %02d"):format(i) end

  local function key_bytes(key) return string.char(160 + #key) .. key end

  local function expected(i, value) return row(state:group_of(key_of(i)), key_bytes(key_of(i)), value) end

  it("have the shortest form of each number", function()
    local rows = {}
    for i, number in ipairs(numbers) do
      state:key(key_of(i)).first:update(number[1])
      rows[i] = expected(i, slot(first_id, number[2]))
    end
    assert.are.equal(table.concat(rows), state:cut())
  end)

  it("have only the slots that are set", function()
    state:key(key_of(1)).second:update(1)
    state:key(key_of(2)).first:update(2)
    state.second:update(300)
    state:key(key_of(3)).first:update(4)
    local rows = { expected(1, slot(second_id, "\1")), expected(2, slot(first_id, "\2") .. slot(second_id, "\205\1\44")), expected(3, slot(first_id, "\4")) }
    assert.are.equal(table.concat(rows), state:cut())
  end)

  it("stand in order among others: of texts, of long keys, of what is gone", function()
    for i = 1, 6 do state:key(key_of(i)).first:update(i) end
    state:cut()
    local long = ("long"):rep(6)
    state:key(long).first:update(7)
    for i = 1, 6 do state:key(key_of(i)).first:update(10 + i) end
    state:key(key_of(2)).first:clear()
    state:key(key_of(4)).second:update("text")
    state:key(key_of(6)).first:clear()
    local rows = {
      expected(1, slot(first_id, "\11")), expected(2, nil), expected(3, slot(first_id, "\13")),
      expected(4, slot(first_id, "\14") .. slot(second_id, "\164text")), expected(5, slot(first_id, "\15")), expected(6, nil),
      row(state:group_of(long), key_bytes(long), slot(first_id, "\7")),
    }
    assert.are.equal(table.concat(rows), state:cut())
  end)
end)
