local ffi = require "ffi"
local C = require "support.engine"
local files = require "engine.checkpoint.files"
local commits = require "engine.checkpoint.commits"
local temporary = require "support.temporary"

local check, open, delta, commit = commits.check, commits.open, commits.delta, commits.commit
local newest, ids, retain, new_name = commits.newest, commits.ids, commits.retain, commits.new_name

local function message() return ffi.string(C.error_message()) end

describe("storage", function()
  local root, storage, checkpoints

  before_each(function()
    root = temporary.folder()
    storage = open(root)
    checkpoints = root .. "/checkpoints"
    C.log_set_level(4)
  end)

  after_each(function()
    C.storage_close(storage)
    temporary.remove(root)
    C.log_set_level(1)
  end)

  local function shared(name) return checkpoints .. "/shared/" .. name end
  local function exists(file) return files.exists(shared(file.name)) end

  -- Checkpoint n names the deltas 1 to n.
  local function chain(count, from)
    local deltas = {}
    for id = from or 1, count do
      deltas[#deltas + 1] = delta(storage, id)
      check(commit(storage, id, deltas))
    end
    return deltas
  end

  it("gives names that no other opening gives", function()
    local other, seen = open(root), {}
    for _ = 1, 100 do
      for _, name in ipairs { new_name(storage, ".delta"), new_name(other, ".delta") } do
        assert.is_nil(seen[name])
        seen[name] = true
        assert.truthy(name:find("^[%x-]+%.delta$"))
      end
    end
    C.storage_close(other)
  end)

  it("is locked for one opening at a time, whatever path leads to it", function()
    check(C.storage_lock(storage))
    local copy = temporary.folder()
    assert.are.equal(0, os.execute(("ln -s '%s' '%s/checkpoints'"):format(checkpoints, copy)))
    local other = open(copy)
    assert.is_true(C.storage_lock(other) < 0)
    assert.truthy(message():find("another process has the checkpoints", 1, true), message())
    C.storage_close(storage)
    storage = open(root)
    check(C.storage_lock(storage))
    C.storage_close(other)
    temporary.remove(copy)
  end)

  it("commits, lists and loads", function()
    assert.is_nil(newest(storage))
    assert.are.equal(0ULL, C.storage_newest_id(storage))
    chain(11)
    assert.are.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 }, ids(storage))
    assert.are.equal(11, newest(storage, true))
    assert.are.equal(11ULL, C.storage_newest_id(storage))
    local out = ffi.new("struct manifest *[1]")
    check(C.storage_load(storage, 3, out))
    assert.are.equal(3, out[0].file_count)
    C.manifest_free(out[0])
    assert.is_true(C.storage_load(storage, 12, out) < 0)
    assert.truthy(message():find("checkpoint 12", 1, true))
    check(C.storage_verify(storage, 3))
  end)

  it("refuses to commit a number again, or files that are not there", function()
    local deltas = chain(1)
    assert.is_true(commit(storage, 1, deltas) < 0)
    deltas[2] = { name = "absent.delta", bytes = 100, checksum = 0, epoch = 2 }
    assert.is_true(commit(storage, 2, deltas) < 0)
    assert.truthy(message():find("absent.delta", 1, true))
    deltas[2] = delta(storage, 2)
    deltas[2].bytes = deltas[2].bytes + 1
    assert.is_true(commit(storage, 2, deltas) < 0)
    assert.are.same({ 1 }, ids(storage))
    assert.is_false(files.exists(checkpoints .. "/chk-2.tmp"))
  end)

  it("uses the one before when a manifest is damaged, whatever the damage", function()
    chain(3)
    local path = checkpoints .. "/chk-3/manifest"
    local whole = temporary.read(path)
    files.damages(whole, function(damaged, description)
      temporary.write(path, damaged)
      assert.are.equal(2, newest(storage), description)
      local list = ffi.new("struct storage_list")
      check(C.storage_list(storage, false, list))
      assert.are.equal(3, list.count)
      assert.is_true(list.items[2].code < 0 and list.items[2].manifest == nil, description)
      assert.truthy(ffi.string(list.items[2].reason):find("checkpoint 3: ", 1, true))
      C.storage_list_free(list)
    end)
    os.remove(path)
    assert.are.equal(2, newest(storage))
    assert.are.equal(3ULL, C.storage_newest_id(storage))
    temporary.write(path, temporary.read(checkpoints .. "/chk-2/manifest"))
    assert.is_true(C.storage_verify(storage, 3) < 0)
    assert.truthy(message():find("checkpoint 3: manifest: it is that of checkpoint 2", 1, true))
    temporary.write(path, whole)
    assert.are.equal(3, newest(storage))
  end)

  it("uses the one before when a file is damaged, by its size at once, by its content when verified", function()
    local deltas = chain(3)
    local path = shared(deltas[3].name)
    local whole = temporary.read(path)
    files.damages(whole, function(damaged, description)
      temporary.write(path, damaged)
      assert.are.equal(2, newest(storage, true), description)
      assert.are.equal(#damaged == #whole and 3 or 2, newest(storage, false), description)
      assert.is_true(C.storage_verify(storage, 3) < 0)
      assert.truthy(message():find(deltas[3].name, 1, true), message())
      assert.truthy(message():find("checkpoint 3", 1, true))
    end)
    os.remove(path)
    assert.are.equal(2, newest(storage))
    os.execute(("ln -s '%s' '%s'"):format(shared(deltas[2].name), path))
    assert.are.equal(2, newest(storage))
    os.remove(path)
    os.execute(("mkdir '%s'"):format(path))
    assert.are.equal(2, newest(storage))
  end)

  it("never touches what is not a checkpoint", function()
    chain(2)
    os.execute(("cd '%s' && mkdir chk-x chk-03 chk- chk-99999999999999999999 other && touch chk-7.tmp2 shared.txt"):format(checkpoints))
    assert.are.same({ 1, 2 }, ids(storage))
    check(C.storage_clean(storage))
    retain(storage, 1)
    for _, name in ipairs { "chk-x", "chk-03", "chk-", "chk-99999999999999999999", "other", "chk-7.tmp2", "shared.txt" } do
      assert.is_true(files.exists(checkpoints .. "/" .. name), name)
    end
  end)

  it("retains the newest, with every file that one of them names", function()
    local deltas = chain(3)
    local later = { deltas[3], delta(storage, 4) }
    check(commit(storage, 4, later))
    retain(storage, 2)
    assert.are.same({ 3, 4 }, ids(storage))
    for _, file in ipairs(deltas) do assert.is_true(exists(file)) end
    later[3] = delta(storage, 5)
    check(commit(storage, 5, later))
    retain(storage, 2)
    assert.are.same({ 4, 5 }, ids(storage))
    assert.are.same({ false, false, true }, { exists(deltas[1]), exists(deltas[2]), exists(deltas[3]) })
    assert.are.equal(5, newest(storage, true))
    retain(storage, 0)
    assert.are.same({ 5 }, ids(storage))
    assert.are.equal(5, newest(storage, true))
  end)

  it("deletes nothing that a living process has written or still needs", function()
    local deltas = chain(2)
    local unnamed = delta(storage, 3)
    check(commit(storage, 3, { delta(storage, 3) }))
    retain(storage, 1, { deltas[1].name })
    assert.are.same({ 3 }, ids(storage))
    assert.are.same({ true, false, true }, { exists(deltas[1]), exists(deltas[2]), exists(unnamed) })
  end)

  it("counts the newest that was deleted for one that was there, till there is a newer one", function()
    chain(3)
    check(C.storage_delete(storage, 3, nil, 0))
    check(C.storage_clean(storage))
    assert.are.equal(2, newest(storage))
    assert.are.equal(3ULL, C.storage_newest_id(storage))
    check(C.storage_delete(storage, 2, nil, 0))
    assert.are.equal(3ULL, C.storage_newest_id(storage))
    check(commit(storage, 4, { delta(storage, 4) }))
    check(C.storage_clean(storage))
    assert.are.same({ 1, 4 }, ids(storage))
    assert.is_false(files.exists(checkpoints .. "/chk-3.gone"))
  end)

  describe("of a run that did not go on from the newest", function()
    local function commits(...)
      for _, each in ipairs { ... } do check(commit(storage, each[1], { delta(storage, each[1]) }, nil, { parent = each[2], run = each[3] })) end
    end

    it("keeps what the run before --fresh has left, and does not count it", function()
      commits({ 1, 0, 7 }, { 2, 1, 7 }, { 3, 0, 8 }, { 4, 3, 8 }, { 5, 4, 8 })
      retain(storage, 2)
      assert.are.same({ 1, 2, 4, 5 }, ids(storage))
      retain(storage, 1)
      assert.are.same({ 1, 2, 5 }, ids(storage))
      for _, id in ipairs { 1, 2 } do check(C.storage_verify(storage, id)) end
    end)

    it("counts the ones before an earlier one that was gone on from, not those behind it", function()
      commits({ 1, 0, 7 }, { 2, 1, 7 }, { 3, 2, 7 }, { 4, 2, 8 }, { 5, 4, 9 })
      retain(storage, 3)
      assert.are.same({ 2, 3, 4, 5 }, ids(storage))
      retain(storage, 2)
      assert.are.same({ 3, 4, 5 }, ids(storage))
    end)

    it("finds the way on where one of a run is gone", function()
      commits({ 1, 0, 7 }, { 2, 1, 7 }, { 3, 2, 7 }, { 4, 3, 7 })
      check(C.storage_delete(storage, 3, nil, 0))
      retain(storage, 1)
      assert.are.same({ 4 }, ids(storage))
    end)

    it("deletes what is damaged of other lines", function()
      local lost = delta(storage, 1)
      check(commit(storage, 1, { lost }, nil, { parent = 0, run = 7 }))
      commits({ 2, 0, 8 }, { 3, 2, 8 })
      os.remove(shared(lost.name))
      retain(storage, 1)
      assert.are.same({ 3 }, ids(storage))
    end)
  end)

  it("keeps tagged ones, and does not count them", function()
    local deltas = chain(2)
    check(C.storage_tag(storage, 1, "before the change"))
    check(C.storage_tag(storage, 1, "before the change"))
    local fresh = {}
    for id = 3, 5 do
      fresh[1] = delta(storage, id)
      check(commit(storage, id, fresh))
    end
    retain(storage, 2)
    assert.are.same({ 1, 4, 5 }, ids(storage))
    assert.are.same({ true, false }, { exists(deltas[1]), exists(deltas[2]) })
    check(C.storage_verify(storage, 1))

    local id = ffi.new("uint64_t[1]")
    check(C.storage_find(storage, "before the change", id))
    assert.are.equal(1ULL, id[0])
    check(C.storage_find(storage, "4", id))
    assert.are.equal(4ULL, id[0])
    assert.is_true(C.storage_find(storage, "2", id) < 0)
    assert.is_true(C.storage_tag(storage, 4, "before the change") < 0)
    for _, tag in ipairs { "", "12", "a/b", "a\nb", ("x"):rep(129) } do assert.is_true(C.storage_tag(storage, 4, tag) < 0, tag) end
    assert.is_true(C.storage_tag(storage, 2, "gone") < 0)
  end)

  it("does not count damaged ones, and keeps an unreadable one for a look at it", function()
    local deltas = {}
    for id = 1, 5 do
      deltas[id] = delta(storage, id)
      check(commit(storage, id, { deltas[id] }))
    end
    os.remove(shared(deltas[5].name))
    temporary.write(checkpoints .. "/chk-4/manifest", "damaged")
    retain(storage, 2)
    assert.are.same({ 2, 3, 4, 5 }, ids(storage))
    assert.are.equal(3, newest(storage))
    check(C.storage_delete(storage, 4, nil, 0))
    assert.are.same({ 2, 3, 5 }, ids(storage))
    check(C.storage_delete(storage, 3, nil, 0))
    assert.are.equal(2, newest(storage))
    assert.is_false(exists(deltas[3]))
    assert.is_true(C.storage_delete(storage, 3, nil, 0) < 0)
  end)

  it("cleans up after killed processes, but not before something is known to be good", function()
    local garbage = delta(storage, 1)
    os.execute(("cd '%s' && mkdir chk-9.tmp chk-8.del && touch chk-9.tmp/manifest chk-8.del/manifest && mkdir -p shared/x.rows/y && touch shared/x.rows/y/z")
      :format(checkpoints))
    check(C.storage_clean(storage))
    assert.are.same({ "shared", "shared/" .. garbage.name, "shared/x.rows", "shared/x.rows/y", "shared/x.rows/y/z" }, files.tree(checkpoints))
    local deltas = chain(2)
    check(C.storage_clean(storage))
    assert.are.equal(2, newest(storage, true))
    assert.are.same({ true, true, false }, { exists(deltas[1]), exists(deltas[2]), exists(garbage) })
    assert.is_false(files.exists(shared "x.rows"))
  end)

  it("leaves all files alone when a newer engine's checkpoint is there", function()
    local deltas = { delta(storage, 1), delta(storage, 2) }
    for id = 1, 2 do check(commit(storage, id, { deltas[id] })) end
    local garbage = delta(storage, 9)
    local bytes, sum, path = ffi.new("uint64_t[1]"), ffi.new("uint64_t[1]"), os.tmpname()
    local function hash(text)
      temporary.write(path, text)
      check(C.storage_hash_file(path, bytes, sum))
      return ffi.string(sum, 8)
    end
    local payload = "\144"
    local head = "MTMF\2\0\0\0\1\0\0\0\0\0\0\0"
    os.execute(("mkdir '%s/chk-3'"):format(checkpoints))
    temporary.write(checkpoints .. "/chk-3/manifest", head .. hash(head .. hash(payload)) .. payload)
    os.remove(path)
    check(C.storage_clean(storage))
    assert.is_true(exists(garbage))
    retain(storage, 1)
    assert.are.same({ 2, 3 }, ids(storage))
    assert.is_true(exists(deltas[1]))
    assert.are.equal(2, newest(storage))
    check(C.storage_delete(storage, 3, nil, 0))
    check(C.storage_clean(storage))
    assert.are.same({ false, true, false }, { exists(deltas[1]), exists(deltas[2]), exists(garbage) })
  end)

  describe("with a directory of rows", function()
    local function store_with_rows(path)
      local out = ffi.new("struct store *[1]")
      check(C.store_open(ffi.new("struct store_config", { directory = path, memory_bytes = 2 ^ 24 }), out))
      return out[0]
    end

    local function put(store, key, value)
      local write = C.store_write_new()
      C.store_write_put(write, ffi.new("struct slice", { key, #key }), ffi.new("struct slice", { value, #value }))
      check(C.store_write_apply(store, write))
      C.store_write_free(write)
    end

    local function add_base(made, store, name, previous, known)
      check(C.store_checkpoint(store, shared(name)))
      local file = ffi.new("struct manifest_file", { name = name, epoch_first = 1, epoch_last = 1 })
      check(C.storage_describe_rows(shared(name), previous and shared(previous) or nil, known, file))
      C.manifest_add_file(made, file)
      for i = 0, file.entry_count - 1 do C.manifest_add_entry(made, file.entries[i]) end
      return file
    end

    local function empty_manifest(id)
      return C.manifest_new(ffi.new("struct manifest_head", { id = id, run = 1, parallelism = 1, max_parallelism = 128, engine_version = "0",
        job = "j", mode = "exactly_once", script = "" }))
    end

    it("takes a checksum over only from the very same file", function()
      local function describe_one(name, text, previous, known)
        os.execute(("mkdir '%s'"):format(shared(name)))
        if text then temporary.write(shared(name .. "/000001.sst"), text)
        else os.execute(("ln '%s/000001.sst' '%s/'"):format(shared(previous), shared(name))) end
        local file = ffi.new("struct manifest_file")
        check(C.storage_describe_rows(shared(name), previous and shared(previous) or nil, known, file))
        assert.are.same({ 1, 3, C.MANIFEST_ROWS }, { file.entry_count, tonumber(file.bytes), file.kind })
        return file
      end
      local one = describe_one("one.rows", "abc")
      local other = describe_one("other.rows", "xyz", "one.rows", one)
      assert.are_not.equal(one.entries[0].checksum, other.entries[0].checksum)
      one.entries[0].checksum = 42 -- what is known is believed, so that the file need not be read
      local linked = describe_one("linked.rows", nil, "one.rows", one)
      assert.are.equal(42ULL, linked.entries[0].checksum)
    end)

    it("checks every file in it and deletes it as a whole", function()
      local store = store_with_rows(root .. "/state")
      put(store, "a", "1")
      local first = empty_manifest(1)
      local known = add_base(first, store, "one.rows")
      check(C.storage_commit(storage, first))
      put(store, "b", "2")
      local second = empty_manifest(2)
      add_base(second, store, "two.rows", "one.rows", known)
      check(C.storage_commit(storage, second))
      C.store_close(store)
      assert.are.equal(2, newest(storage, true))

      local names, shared_with_first = files.tree(shared "two.rows"), 0
      for _, name in ipairs(names) do
        local path = shared("two.rows/" .. name)
        local whole = temporary.read(path)
        local twin = files.exists(shared("one.rows/" .. name)) and name:find "%.sst$"
        shared_with_first = shared_with_first + (twin and 1 or 0)
        files.damages(whole, function(damaged, description)
          if damaged == whole then return end
          os.remove(path)
          temporary.write(path, damaged)
          assert.are.equal(1, newest(storage, true), name .. ": " .. description)
          if #damaged ~= #whole then assert.are.equal(1, newest(storage, false), name .. ": " .. description) end
        end)
        os.remove(path)
        assert.are.equal(1, newest(storage))
        temporary.write(path, whole)
      end
      assert.is_true(shared_with_first > 0)
      assert.are.equal(2, newest(storage, true))
      retain(storage, 1)
      assert.are.equal(2, newest(storage, true))
      assert.is_false(files.exists(shared "one.rows"))
      C.manifest_free(first)
      C.manifest_free(second)
    end)
  end)
end)
