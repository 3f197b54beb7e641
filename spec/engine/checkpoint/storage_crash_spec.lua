local ffi = require "ffi"
local C = require "support.engine"
local files = require "engine.checkpoint.files"
local commits = require "engine.checkpoint.commits"
local temporary = require "support.temporary"

local check, open, delta, commit = commits.check, commits.open, commits.delta, commits.commit
local newest, ids = commits.newest, commits.ids

local function message() return ffi.string(C.error_message()) end

describe("storage, killed or on a full disk,", function()
  local root, checkpoints

  before_each(function()
    root = temporary.folder()
    checkpoints = root .. "/checkpoints"
    C.log_set_level(4)
  end)

  after_each(function()
    temporary.remove(root)
    C.log_set_level(1)
  end)

  -- What a restart sees: the newest checkpoint is whole, cleaning leaves nothing else, and the next commit works.
  local function expect_restartable(possible, description)
    local again = open(root)
    local id = newest(again, true)
    local ok = false
    for _, one in ipairs(possible) do ok = ok or one == id end
    assert.is_true(ok, description .. ": newest is " .. tostring(id))
    check(C.storage_clean(again))
    assert.are.equal(id, newest(again, true), description)
    local list, named = ffi.new("struct storage_list"), {}
    check(C.storage_list(again, true, list))
    for i = 0, list.count - 1 do
      assert.are.equal(0, list.items[i].code, description)
      for f = 0, list.items[i].manifest.file_count - 1 do named[ffi.string(list.items[i].manifest.files[f].name)] = true end
    end
    C.storage_list_free(list)
    for _, name in ipairs(files.tree(checkpoints .. "/shared")) do assert.is_true(named[name], description .. ": left over: " .. name) end
    for _, name in ipairs(files.tree(checkpoints)) do assert.is_nil(name:match "^chk%-%d+%.", description) end
    local next_id = tonumber(C.storage_newest_id(again)) + 1
    check(commit(again, next_id, { delta(again, next_id) }))
    assert.are.equal(next_id, newest(again, true))
    C.storage_close(again)
    return id
  end

  local function killed_at(point, program)
    local status, output = files.child(files.prelude .. commits.helpers .. program, { MOONTIDE_CRASH_POINT = point })
    assert.are.equal(137, status, point .. ": " .. output)
  end

  it("has a whole newest checkpoint after a kill at any point of a commit", function()
    local seen = {}
    for _, point in ipairs(files.crash_points(C, "commit.")) do
      temporary.remove(checkpoints)
      local before = open(root)
      check(commit(before, 1, { delta(before, 1) }))
      C.storage_close(before)
      killed_at(point, ([[
        local storage = open(%q)
        check(commit(storage, 2, { delta(storage, 2) }))
      ]]):format(root))
      seen[point] = expect_restartable({ 1, 2 }, point)
    end
    assert.are.same({ 1, 1, 1, 2, 2 }, { seen["commit.before_manifest"], seen["commit.after_manifest"], seen["commit.before_rename"],
      seen["commit.after_rename"], seen["commit.after_sync"] })
  end)

  it("has a whole newest checkpoint after a kill at any point of a journal", function()
    for _, point in ipairs(files.crash_points(C, "journal.")) do
      temporary.remove(checkpoints)
      local before = open(root)
      check(commit(before, 1, { delta(before, 1) }))
      C.storage_close(before)
      killed_at(point, ("local storage = open(%q)\ncommit(storage, 2, { delta(storage, 2) })"):format(root))
      expect_restartable({ 1 }, point)
    end
  end)

  it("has a whole newest checkpoint after a kill at any point of a deletion", function()
    for _, point in ipairs(files.crash_points(C, "retain.")) do
      for passage = 1, (point == "retain.between_files" or point:find "rename") and 3 or 1 do
        temporary.remove(checkpoints)
        local before = open(root)
        for id = 1, 5 do check(commit(before, id, { delta(before, id), delta(before, id) })) end
        C.storage_close(before)
        killed_at(point .. ":" .. passage, ("check(C.storage_retain(open(%q), 2, nil, 0))"):format(root))
        expect_restartable({ 5 }, point)
      end
    end
  end)

  it("has the old tags or the new ones after a kill", function()
    for _, point in ipairs(files.crash_points(C, "tag.")) do
      temporary.remove(checkpoints)
      local before = open(root)
      check(commit(before, 1, { delta(before, 1) }))
      C.storage_close(before)
      killed_at(point, ("check(C.storage_tag(open(%q), 1, 'kept'))"):format(root))
      local again, id = open(root), ffi.new("uint64_t[1]")
      assert.are.equal(point == "tag.after_rename", C.storage_find(again, "kept", id) == 0, point)
      check(C.storage_tag(again, 1, "kept"))
      C.storage_close(again)
      expect_restartable({ 1 }, point)
    end
  end)

  it("keeps what is committed when the disk is full, and goes on when it is not", function()
    local disk = root .. "/small"
    os.execute(("mkdir '%s' && mount -t tmpfs -o size=1m none '%s' 2>/dev/null"):format(disk, disk))
    local pipe = io.popen(("stat -f -c %%T '%s'"):format(disk))
    local mounted = pipe:read "*l" == "tmpfs"
    pipe:close()
    if not mounted then return pending "needs the right to mount a small disk" end
    local ok, reason = pcall(function()
      local small, deltas, id = open(disk), {}, 0
      local full
      repeat
        local file, why = delta(small, id + 1, ("x"):rep(100000))
        full = why
        if file then
          deltas[#deltas + 1] = file
          if commit(small, id + 1, deltas) == 0 then id = id + 1 else full = message() end
        end
      until full
      assert.is_true(id >= 5)
      assert.truthy(full:find("No space left", 1, true), full)
      assert.are.equal(id, newest(small, true))

      -- Filled to the last byte a commit of known files fails too, and again nothing is lost.
      os.execute(("cat /dev/zero > '%s/filler' 2>/dev/null"):format(disk))
      assert.is_true(commit(small, id + 1, deltas) < 0)
      assert.are.equal(id, newest(small, true))
      assert.is_true(C.storage_tag(small, id, "kept") < 0)
      assert.are.equal(id, newest(small, true))

      -- Retention makes room also then.
      check(C.storage_retain(small, 1, nil, 0))
      assert.are.same({ id }, ids(small))
      os.remove(disk .. "/filler")
      check(C.storage_clean(small))
      check(commit(small, id + 1, deltas))
      assert.are.equal(id + 1, newest(small, true))
      C.storage_close(small)
    end)
    os.execute(("umount '%s'"):format(disk))
    assert(ok, reason)
  end)
end)
