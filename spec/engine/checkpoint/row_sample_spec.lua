local ffi = require "ffi"
local C = require "support.engine"
local files = require "engine.checkpoint.files"
local temporary = require "support.temporary"

local function check(status)
  if status < 0 then error(ffi.string(C.error_message()), 2) end
end

-- Rows as state/row.h says: a key of two to five bytes, and so many bytes of value.
local function row(group, column, number, value_bytes)
  local key = string.char(math.floor(group / 256), group % 256, 0, column) .. tostring(number)
  local value = ("v"):rep(value_bytes)
  local length = #value + 1
  local prefix = length < 128 and string.char(length) or string.char(length % 128 + 128, math.floor(length / 128))
  return string.char(#key) .. key .. prefix .. value
end

local function write(path, frames)
  local out = ffi.new("struct journal *[1]")
  check(C.journal_create(path .. "/a.base", C.JOURNAL_DUMP, out))
  for _, rows in ipairs(frames) do
    local payload = table.concat(rows)
    local frame = ffi.new("struct journal_frame", { 0, 0, 127, 1 })
    check(C.journal_append(out[0], frame, ffi.new("struct slice", { payload, #payload })))
  end
  local bytes, checksum = ffi.new("uint64_t[1]"), ffi.new("uint64_t[1]")
  check(C.journal_seal(out[0], bytes, checksum))
  C.journal_close(out[0])
end

describe("the guess at the rows of a dump", function()
  local root, path
  before_each(function()
    root = temporary.folder()
    path = root .. "/a.base"
  end)
  after_each(function() temporary.remove(root) end)

  -- Narrow rows in the first frames, wide ones in the last; every fourth is of another column, half of them of other groups.
  local function mixed()
    local frames = {}
    for f = 1, 10 do
      frames[f] = {}
      for i = 1, 4000 do frames[f][i] = row(i % 2 == 0 and 5 or 90, i % 4 == 3 and 2 or 1, f * 4000 + i, f * 6) end
    end
    write(root, frames)
  end

  local function guess(column, first, last) return tonumber(C.row_sample_count(path, column, first, last)) end

  it("is near the truth, by column and by key group", function()
    mixed()
    local function near(expected, guessed) assert.is_true(math.abs(guessed - expected) < 0.1 * expected, guessed .. " for " .. expected) end
    near(30000, guess(1, 0, 127))
    near(10000, guess(2, 0, 127))
    near(20000, guess(1, 0, 63))
    near(10000, guess(1, 64, 127))
    assert.are.equal(0, guess(3, 0, 127))
    assert.are.equal(0, guess(1, 100, 127))
  end)

  it("leaves out what is longer than the part that is looked at", function()
    write(root, { { row(5, 1, 1, 4000) }, { row(5, 1, 2, 10), row(5, 1, 3, 10), row(5, 1, 4, 10) } })
    assert.are.equal(3, guess(1, 0, 127))
  end)

  it("is nothing where there is no file, or none that can be read", function()
    assert.are.equal(0, guess(1, 0, 127))
    local file = assert(io.open(path, "wb"))
    file:write(("x"):rep(5000))
    file:close()
    assert.are.equal(0, guess(1, 0, 127))
  end)

  it("does not mind damage: who restores will", function()
    mixed()
    local file = assert(io.open(path, "r+b"))
    for _, at in ipairs { 100, 60000, 200000 } do
      file:seek("set", at)
      file:write(("\255"):rep(40))
    end
    file:close()
    assert.is_true(guess(1, 0, 127) < 60000)
  end)
end)
