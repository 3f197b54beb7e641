local ffi = require "ffi"
local C = require "support.engine"
local files = require "engine.checkpoint.files"
local temporary = require "support.temporary"

local function check(status)
  if status < 0 then error(ffi.string(C.error_message()), 2) end
  return status
end

local function create(root, name, kind)
  local out = ffi.new("struct journal *[1]")
  check(C.journal_create(root .. "/" .. name, kind or C.JOURNAL_DELTA, out))
  return out[0]
end

local function append(journal, payload, epoch, subtask, first, last)
  local frame = ffi.new("struct journal_frame", { subtask or 0, first or 0, last or 127, epoch or 1 })
  return C.journal_append(journal, frame, ffi.new("struct slice", { payload, #payload }))
end

local function seal(journal)
  local bytes, checksum = ffi.new("uint64_t[1]"), ffi.new("uint64_t[1]")
  check(C.journal_seal(journal, bytes, checksum))
  C.journal_close(journal)
  return bytes[0], checksum[0]
end

-- The frames of a file as far as they are good, and the message that ended them.
local function read(path, bytes, checksum)
  local out = ffi.new("struct journal_reader *[1]")
  if C.journal_open(path, bytes or 0, checksum or 0, out) < 0 then return {}, ffi.string(C.error_message()) end
  local frame, payload, frames = ffi.new("struct journal_frame"), ffi.new("struct slice"), {}
  local status = C.journal_next(out[0], frame, payload)
  while status > 0 do
    frames[#frames + 1] = { frame.subtask, frame.group_first, frame.group_last, tonumber(frame.epoch), ffi.string(payload.data, payload.bytes) }
    status = C.journal_next(out[0], frame, payload)
  end
  local message = status < 0 and ffi.string(C.error_message()) or nil
  C.journal_reader_close(out[0])
  return frames, message
end

describe("journal", function()
  local root
  before_each(function() root = temporary.folder() end)
  after_each(function() temporary.remove(root) end)

  it("gives back the frames in order, empty ones too", function()
    local journal = create(root, "a.delta", C.JOURNAL_DUMP)
    check(append(journal, "first", 7, 3, 1, 65535))
    check(append(journal, "", 8))
    check(append(journal, ("x"):rep(3000000), 2 ^ 52, 4294967295, 5, 5))
    local bytes, checksum = seal(journal)
    local frames, message = read(root .. "/a.delta", bytes, checksum)
    assert.is_nil(message)
    assert.are.same({ { 3, 1, 65535, 7, "first" }, { 0, 0, 127, 8, "" }, { 4294967295, 5, 5, 2 ^ 52, ("x"):rep(3000000) } }, frames)
    check(C.journal_verify(root .. "/a.delta", bytes, checksum))
    check(C.journal_verify(root .. "/a.delta", 0, 0))
    local out = ffi.new("struct journal_reader *[1]")
    check(C.journal_open(root .. "/a.delta", 0, 0, out))
    assert.are.equal(C.JOURNAL_DUMP, C.journal_reader_kind(out[0]))
    C.journal_reader_close(out[0])
  end)

  it("holds nothing at all", function()
    local bytes, checksum = seal(create(root, "empty.delta"))
    assert.are.same({}, (read(root .. "/empty.delta", bytes, checksum)))
    check(C.journal_verify(root .. "/empty.delta", bytes, checksum))
  end)

  it("never writes over a file, and takes one away when it is discarded", function()
    local journal = create(root, "a.delta")
    local out = ffi.new("struct journal *[1]")
    assert.is_true(C.journal_create(root .. "/a.delta", C.JOURNAL_DELTA, out) < 0)
    assert.truthy(ffi.string(C.error_message()):find("a.delta", 1, true))
    C.journal_discard(journal)
    assert.are.same({}, files.tree(root))
  end)

  it("refuses what was not sealed", function()
    local journal = create(root, "a.delta")
    check(append(journal, "rows"))
    C.journal_close(journal)
    local frames, message = read(root .. "/a.delta")
    assert.are.same({}, frames)
    assert.truthy(message:find("a.delta", 1, true))
  end)

  it("refuses another whole file under the name that is expected", function()
    local journal = create(root, "a.delta")
    check(append(journal, "rows"))
    local bytes, checksum = seal(journal)
    journal = create(root, "b.delta")
    check(append(journal, "ROWS"))
    seal(journal)
    local frames, message = read(root .. "/b.delta", bytes, checksum)
    assert.are.same({}, frames)
    assert.truthy(message:find("checksum", 1, true))
    assert.is_true(C.journal_verify(root .. "/a.delta", bytes + 1, checksum) < 0)
    assert.is_true(C.journal_verify(root .. "/absent.delta", 0, 0) < 0)
    assert.is_true(C.journal_verify(root, 0, 0) < 0)
  end)

  it("refuses every damage by file and offset, and frames that were moved", function()
    local journal = create(root, "a.delta")
    for i = 1, 20 do check(append(journal, ("%04d"):format(i):rep(i), i)) end
    local bytes, checksum = seal(journal)
    local whole, good = temporary.read(root .. "/a.delta"), read(root .. "/a.delta")
    local function expect_refused(text, description)
      temporary.write(root .. "/b.delta", text)
      for _, known in ipairs { { 0, 0 }, { bytes, checksum } } do
        assert.is_true(C.journal_verify(root .. "/b.delta", known[1], known[2]) < 0, description)
        local message = ffi.string(C.error_message())
        assert.truthy(message:find("b.delta: offset %d+: "), description .. ": " .. message)
        for i, frame in ipairs((read(root .. "/b.delta", known[1], known[2]))) do assert.are.same(good[i], frame, description) end
      end
    end
    files.damages(whole, expect_refused)
    expect_refused(whole .. "x", "a byte more")
    expect_refused(whole .. whole, "twice")
    local frame = 32 + 4
    expect_refused(whole:sub(1, 16) .. whole:sub(17 + frame), "first frame cut out")
    expect_refused(whole:sub(1, 16 + frame) .. whole:sub(17), "first frame twice")
    local second = whole:sub(17 + frame, 16 + frame + 40)
    expect_refused(whole:sub(1, 16) .. second .. whole:sub(17, 16 + frame) .. whole:sub(17 + frame + 40), "two frames exchanged")
  end)

  it("refuses good frames of another file in the same place", function()
    local function made(name, ...)
      local journal = create(root, name)
      for _, payload in ipairs { ... } do check(append(journal, payload)) end
      seal(journal)
      return temporary.read(root .. "/" .. name)
    end
    local first, second, other = ("1"):rep(24), ("2"):rep(24), ("3"):rep(24)
    local both, short, changed = made("both", first, second), made("short", first), made("changed", first, other)
    local frame = 32 + 24
    local function expect_refused(text, reason)
      temporary.write(root .. "/mixed", text)
      assert.is_true(C.journal_verify(root .. "/mixed", 0, 0) < 0)
      assert.truthy(ffi.string(C.error_message()):find(reason, 1, true), ffi.string(C.error_message()))
    end
    expect_refused(both:sub(1, 16 + frame) .. changed:sub(17 + frame, 16 + 2 * frame) .. both:sub(17 + 2 * frame), "totals")
    expect_refused(both:sub(1, 16 + frame) .. short:sub(17 + frame) .. both:sub(17 + 2 * frame), "end frame before the end")
  end)

  it("is whole after a full disk, and goes on where it stopped", function()
    -- Enough for about 60 KB; the signal that the limit sends is ignored, so that write() fails as on a full disk.
    local status, output = files.child(files.prelude .. ([[
      ffi.cdef "struct moontide_limit { uint64_t soft, hard; }; int setrlimit(int, const struct moontide_limit *); void (*signal(int, void (*)(int)))(int);"
      ffi.C.signal(25, ffi.cast("void (*)(int)", 1))
      local out = ffi.new("struct journal *[1]")
      check(C.journal_create(%q, C.JOURNAL_DELTA, out))
      ffi.C.setrlimit(1, ffi.new("struct moontide_limit", { 60000, 1000000 }))
      local frame = ffi.new("struct journal_frame", { 1, 2, 3, 4 })
      local payload, count = ("p"):rep(7000), 0
      while C.journal_append(out[0], frame, slice(payload)) == 0 do count = count + 1 end
      assert(C.journal_append(out[0], frame, slice(payload)) < 0)
      print("failed after " .. count .. ": " .. ffi.string(C.error_message()))
      assert(C.journal_bytes(out[0]) == 16 + count * 7032)
      ffi.C.setrlimit(1, ffi.new("struct moontide_limit", { 1000000, 1000000 }))
      check(C.journal_append(out[0], frame, slice "the rest"))
      local bytes, checksum = ffi.new("uint64_t[1]"), ffi.new("uint64_t[1]")
      check(C.journal_seal(out[0], bytes, checksum))
      C.journal_close(out[0])
      check(C.journal_verify(%q, bytes[0], checksum[0]))
    ]]):format(root .. "/a.delta", root .. "/a.delta"))
    assert.are.equal(0, status, output)
    assert.truthy(output:find("failed after 8: ", 1, true), output)
    local frames = read(root .. "/a.delta")
    assert.are.equal(9, #frames)
    assert.are.equal("the rest", frames[9][5])
  end)

  it("is refused or whole after a kill at any point", function()
    for _, point in ipairs(files.crash_points(C, "journal.")) do
      local status, output = files.child(files.prelude .. ([[
        local out = ffi.new("struct journal *[1]")
        check(C.journal_create(%q, C.JOURNAL_DELTA, out))
        local frame = ffi.new("struct journal_frame", { 1, 2, 3, 4 })
        for i = 1, 3 do check(C.journal_append(out[0], frame, slice("rows"))) end
        local bytes, checksum = ffi.new("uint64_t[1]"), ffi.new("uint64_t[1]")
        check(C.journal_seal(out[0], bytes, checksum))
      ]]):format(root .. "/" .. point), { MOONTIDE_CRASH_POINT = point == "journal.append" and point .. ":3" or point })
      assert.are.equal(137, status, point .. ": " .. output)
      local sealed = point == "journal.before_sync" or point == "journal.after_sync"
      assert.are.equal(sealed, C.journal_verify(root .. "/" .. point, 0, 0) == 0, point)
    end
  end)
end)
