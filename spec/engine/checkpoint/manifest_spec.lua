local ffi = require "ffi"
local C = require "support.engine"
local files = require "engine.checkpoint.files"
local temporary = require "support.temporary"

local function message() return ffi.string(C.error_message()) end

local function head(changes)
  local fields = { id = 7, parent = 6, run = 99, time_ms = 1700000000123, parallelism = 4, max_parallelism = 128,
                   engine_version = "0.1.0", job = "fraud", mode = "exactly_once", script = "abc" }
  for name, value in pairs(changes or {}) do fields[name] = value end
  return ffi.new("struct manifest_head", fields)
end

local function add_part(manifest, step, kind, subtask, parallelism, bytes)
  C.manifest_add_part(manifest, ffi.new("struct manifest_part", { step, kind, subtask, parallelism, { bytes, #bytes } }))
end

local function add_file(manifest, name, kind, bytes, first, last)
  C.manifest_add_file(manifest, ffi.new("struct manifest_file", { name = name, kind = kind, bytes = bytes, checksum = 0xfedcba9876543210ULL,
                                                                  epoch_first = first, epoch_last = last }))
end

local function full(changes)
  local manifest = C.manifest_new(head(changes))
  C.manifest_add_tag(manifest, "before the change")
  C.manifest_add_column(manifest, ffi.new("struct manifest_column", { "detector", "", "keys", 1, 1 }))
  C.manifest_add_column(manifest, ffi.new("struct manifest_column", { "detector", "seen", "map", 65535, 4294967295 }))
  add_file(manifest, "abc.delta", C.MANIFEST_DELTA, 1000, 5, 7)
  add_file(manifest, "base.rows", C.MANIFEST_ROWS, 0, 1, 4)
  C.manifest_add_entry(manifest, ffi.new("struct manifest_entry", { "000012.sst", 100, 5 }))
  C.manifest_add_entry(manifest, ffi.new("struct manifest_entry", { "CURRENT", 16, 0 }))
  add_file(manifest, "d.dump", C.MANIFEST_DUMP, 0, 0, 0)
  add_part(manifest, "detector", "keyed", 3, 4, "a\0b")
  add_part(manifest, "detector", "keyed", 0, 4, "")
  return manifest
end

local function write(manifest)
  local buffer = ffi.new("struct buffer")
  local status = C.manifest_write(manifest, buffer)
  local text = status == 0 and ffi.string(buffer.data, buffer.bytes) or nil
  C.buffer_deinit(buffer)
  return text, status
end

local function read(text)
  -- Exactly as many bytes as there are, so that AddressSanitizer sees a read behind them.
  local exact = ffi.new("char[?]", #text)
  ffi.copy(exact, text, #text)
  local out = ffi.new("struct manifest *[1]")
  local status = C.manifest_read(ffi.new("struct slice", { exact, #text }), out)
  if status < 0 then return nil, message(), status end
  return out[0]
end

local function text(pointer) return ffi.string(pointer) end

describe("manifest", function()
  it("comes back as it was written, byte for byte when written again", function()
    local manifest = full()
    local bytes = assert(write(manifest))
    C.manifest_free(manifest)
    local again = assert(read(bytes))
    assert.are.equal(bytes, write(again))
    assert.are.equal(1, again.format_version)
    assert.are.equal(7ULL, again.head.id)
    assert.are.equal(6ULL, again.head.parent)
    assert.are.equal(99ULL, again.head.run)
    assert.are.equal(1700000000123LL, again.head.time_ms)
    assert.are.same({ 4, 128 }, { again.head.parallelism, again.head.max_parallelism })
    assert.are.same({ "0.1.0", "fraud", "exactly_once", "abc" },
      { text(again.head.engine_version), text(again.head.job), text(again.head.mode), text(again.head.script) })
    assert.are.same({ 1, "before the change" }, { again.tag_count, text(again.tags[0]) })
    assert.are.equal(2, again.column_count)
    assert.are.same({ "detector", "seen", "map", 65535, 4294967295 }, { text(again.columns[1].step), text(again.columns[1].state),
      text(again.columns[1].kind), again.columns[1].column, again.columns[1].format_version })
    assert.are.equal(3, again.file_count)
    local rows = again.files[1]
    assert.are.same({ "base.rows", 3, 116, 1, 4, 2 }, { text(rows.name), rows.kind, tonumber(rows.bytes), tonumber(rows.epoch_first),
      tonumber(rows.epoch_last), rows.entry_count })
    assert.are.same({ "CURRENT", 16 }, { text(rows.entries[1].name), tonumber(rows.entries[1].bytes) })
    assert.are.equal(0xfedcba9876543210ULL, again.files[0].checksum)
    assert.are.equal("d.dump", text(again.files[2].name))
    assert.are.equal(2, again.part_count)
    local part = again.parts[0]
    assert.are.same({ "detector", "keyed", 3, 4, "a\0b" }, { text(part.step), text(part.kind), part.subtask, part.parallelism,
      ffi.string(part.bytes.data, part.bytes.bytes) })
    assert.are.same({ 0, 0 }, { again.parts[1].subtask, tonumber(again.parts[1].bytes.bytes) })
    C.manifest_free(again)
  end)

  it("may be nearly empty", function()
    local manifest = C.manifest_new(head { parent = 0, job = "", script = "" })
    local again = assert(read(assert(write(manifest))))
    assert.are.same({ 0, 0, 0, 0 }, { again.tag_count, again.column_count, again.file_count, again.part_count })
    C.manifest_free(manifest)
    C.manifest_free(again)
  end)

  it("keeps thousands of parts and files", function()
    local manifest = C.manifest_new(head { max_parallelism = 32768, parallelism = 3000 })
    for i = 0, 2999 do
      add_part(manifest, "s", "keyed", i, 3000, ("x"):rep(i % 7))
      add_file(manifest, ("f%d.delta"):format(i), C.MANIFEST_DELTA, i, i, i)
    end
    local again = assert(read(assert(write(manifest))))
    assert.are.same({ 3000, 3000 }, { again.part_count, again.file_count })
    assert.are.equal(2998 % 7, tonumber(again.parts[2998].bytes.bytes))
    C.manifest_free(manifest)
    C.manifest_free(again)
  end)

  it("adds tags", function()
    local manifest = C.manifest_new(head())
    for i = 1, 33 do C.manifest_add_tag(manifest, "t" .. i) end
    assert.are.equal(33, manifest.tag_count)
    for i = 1, 33 do assert.is_true(C.manifest_has_tag(manifest, "t" .. i)) end
    assert.is_false(C.manifest_has_tag(manifest, "t34"))
    C.manifest_free(manifest)
  end)

  it("is refused whatever byte is damaged or missing", function()
    local manifest = full()
    local bytes = write(manifest)
    C.manifest_free(manifest)
    local function expect_refused(damaged, description)
      local again, reason, status = read(damaged)
      assert.is_nil(again, description)
      assert.truthy(status < 0 and reason:find("manifest", 1, true), description)
    end
    files.damages(bytes, expect_refused)
    expect_refused(bytes .. "\0", "a byte more")
    expect_refused("", "nothing")
    for at = 1, #bytes do
      expect_refused(bytes:sub(1, at - 1) .. string.char((bytes:byte(at) + 1) % 256) .. bytes:sub(at + 1), "byte " .. at)
    end
  end)

  local function hash_of(content)
    local path, bytes, checksum = os.tmpname(), ffi.new("uint64_t[1]"), ffi.new("uint64_t[1]")
    temporary.write(path, content)
    assert.are.equal(0, C.storage_hash_file(path, bytes, checksum))
    os.remove(path)
    return checksum[0]
  end

  -- The envelope is right, what is in it is not: what a hostile or buggy writer would make.
  local function sealed(payload, version)
    local header = ffi.new("struct { uint32_t magic, version; uint64_t bytes, checksum; }", { 0x464d544d, version or 1, #payload })
    local words = ffi.new("uint64_t[3]")
    ffi.copy(words, header, 16)
    words[2] = hash_of(payload)
    header.checksum = hash_of(ffi.string(words, 24))
    return ffi.string(header, 24) .. payload
  end

  it("of a newer format is told from a damaged one", function()
    local manifest = full()
    local payload = write(manifest):sub(25)
    C.manifest_free(manifest)
    local same = assert(read(sealed(payload)))
    C.manifest_free(same)
    local again, reason, status = read(sealed(payload, 2))
    assert.is_nil(again)
    assert.truthy(reason:find("format version 2", 1, true))
    assert.are.equal("not supported", ffi.string(C.error_text(status)))
  end)

  it("is refused for damage that its checksum covers", function()
    local manifest = full()
    local payload = write(manifest):sub(25)
    C.manifest_free(manifest)
    local refused = 0
    files.damages(payload, function(damaged)
      local again, reason, status = read(sealed(damaged))
      if again then -- a changed number or text is another manifest, but one that keeps all rules
        assert.are.equal(0, C.manifest_check(again))
        C.manifest_free(again)
      else
        refused = refused + 1
        assert.truthy(reason:find("manifest", 1, true))
        assert.are.equal("corrupt data", ffi.string(C.error_text(status)))
      end
    end)
    assert.is_true(refused >= 16, "seed " .. files.seed)
    assert.is_nil((read(sealed(payload .. "\192"))))
    for _, count in ipairs { "\221\255\255\255\255", "\220\255\255" } do
      assert.is_nil((read(sealed("\149" .. count))))
      assert.is_nil((read(sealed(payload:sub(1, 1) .. count .. payload:sub(2)))))
    end
  end)

  local wrong = {
    ["a file name with a slash"] = function(m) add_file(m, "a/b", C.MANIFEST_DELTA, 1, 1, 1) end,
    ["a file name of dots"] = function(m) add_file(m, "..", C.MANIFEST_DELTA, 1, 1, 1) end,
    ["a hidden file"] = function(m) add_file(m, ".a", C.MANIFEST_DELTA, 1, 1, 1) end,
    ["a file without a name"] = function(m) add_file(m, "", C.MANIFEST_DELTA, 1, 1, 1) end,
    ["a file name of 201 bytes"] = function(m) add_file(m, ("x"):rep(201), C.MANIFEST_DELTA, 1, 1, 1) end,
    ["a file twice"] = function(m) add_file(m, "abc.delta", C.MANIFEST_DELTA, 1, 1, 1) end,
    ["an unknown kind of file"] = function(m) add_file(m, "x", 4, 1, 1, 1) end,
    ["kind 0"] = function(m) add_file(m, "x", 0, 1, 1, 1) end,
    ["epochs turned round"] = function(m) add_file(m, "x", C.MANIFEST_DELTA, 1, 2, 1) end,
    ["rows without entries"] = function(m) add_file(m, "x", C.MANIFEST_ROWS, 0, 1, 1) end,
    ["a delta with entries"] = function(m) C.manifest_add_entry(m, ffi.new("struct manifest_entry", { "y", 1, 1 })) end,
    ["an entry that leaves its folder"] = function(m)
      add_file(m, "x", C.MANIFEST_ROWS, 0, 1, 1)
      C.manifest_add_entry(m, ffi.new("struct manifest_entry", { "../CURRENT", 1, 1 }))
    end,
    ["an entry twice"] = function(m)
      add_file(m, "x", C.MANIFEST_ROWS, 0, 1, 1)
      for _ = 1, 2 do C.manifest_add_entry(m, ffi.new("struct manifest_entry", { "CURRENT", 1, 1 })) end
    end,
    ["entries whose sizes overflow"] = function(m)
      add_file(m, "x", C.MANIFEST_ROWS, 0, 1, 1)
      for i = 1, 3 do C.manifest_add_entry(m, ffi.new("struct manifest_entry", { "e" .. i, 0x7fffffffffffffffULL, 1 })) end
    end,
    ["a column number twice"] = function(m) C.manifest_add_column(m, ffi.new("struct manifest_column", { "other", "s", "map", 1, 1 })) end,
    ["a state twice"] = function(m) C.manifest_add_column(m, ffi.new("struct manifest_column", { "detector", "seen", "map", 9, 1 })) end,
    ["a column of no step"] = function(m) C.manifest_add_column(m, ffi.new("struct manifest_column", { "", "s", "map", 9, 1 })) end,
    ["a subtask beyond the parallelism"] = function(m) add_part(m, "x", "source", 4, 4, "") end,
    ["parts of a step that disagree about its parallelism"] = function(m)
      add_part(m, "x", "source", 0, 1, "")
      add_part(m, "x", "source", 70, 100, "")
    end,
    ["a part of parallelism 0"] = function(m) add_part(m, "x", "source", 0, 0, "") end,
    ["a part of absurd parallelism"] = function(m) add_part(m, "x", "source", 0, 32769, "") end,
    ["a part twice"] = function(m) add_part(m, "detector", "keyed", 3, 4, "") end,
    ["an empty tag"] = function(m) C.manifest_add_tag(m, "") end,
    ["a tag with a slash"] = function(m) C.manifest_add_tag(m, "a/b") end,
    ["a tag with a line end"] = function(m) C.manifest_add_tag(m, "a\nb") end,
    ["parallelism 0"] = { parallelism = 0 },
    ["parallelism above the key groups"] = { parallelism = 129 },
    ["absurd key groups"] = { max_parallelism = 32769 },
    ["id 0"] = { id = 0, parent = 0 },
    ["its own parent"] = { parent = 7 },
    ["an unknown mode"] = { mode = "at_most_once" },
  }
  for name, make in pairs(wrong) do
    it("is not written with " .. name, function()
      local manifest = full(type(make) == "table" and make or nil)
      if type(make) == "function" then
        assert.are.equal(0, C.manifest_check(manifest))
        make(manifest)
      end
      local bytes, status = write(manifest)
      C.manifest_free(manifest)
      assert.is_nil(bytes)
      assert.is_true(status < 0)
    end)
  end
end)
