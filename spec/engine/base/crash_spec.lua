local C = require "support.engine"
local files = require "engine.checkpoint.files"

local program = files.prelude .. [[
for i = 1, 5 do
  C.crash_point "journal.append"
  C.crash_point "commit.after_rename"
  print("passed " .. i)
end
]]

local function passages(setting)
  local status, output = files.child("io.stdout:setvbuf('no')\n" .. program, { MOONTIDE_CRASH_POINT = setting })
  local _, passed = output:gsub("passed %d", "")
  return status, passed
end

describe("crash point", function()
  it("is passed when nothing is asked for", function()
    assert.are.same({ 0, 5 }, { passages(nil) })
    assert.are.same({ 0, 5 }, { passages "" })
  end)

  it("kills at the first passage, or the one that is asked for", function()
    assert.are.same({ 137, 0 }, { passages "journal.append" })
    assert.are.same({ 137, 0 }, { passages "commit.after_rename:1" })
    assert.are.same({ 137, 3 }, { passages "commit.after_rename:4" })
    assert.are.same({ 0, 5 }, { passages "journal.append:6" })
    assert.are.same({ 0, 5 }, { passages "commit.before_rename" })
  end)

  it("kills the whole process group", function()
    local status, output = files.child(files.prelude .. [[
      ffi.cdef "int fork(void); unsigned sleep(unsigned);"
      if ffi.C.fork() == 0 then
        ffi.C.sleep(10)
        print("alive")
      else
        C.crash_point "journal.append"
      end
    ]], { MOONTIDE_CRASH_POINT = "journal.append" })
    -- The output ends when the last process that holds it has ended.
    assert.are.equal(137, status)
    assert.is_nil(output:find("alive", 1, true))
  end)

  it("ends the process when the name is not known, so that no test kills nothing", function()
    for _, setting in ipairs { "journal.apend", "journal.append:", "journal.append:0", "journal.append:x", "journal.append:1x", ":1" } do
      assert.are.same({ 2, 0 }, { passages(setting) }, setting)
    end
  end)

  it("has every name once", function()
    local seen = {}
    for _, name in ipairs(files.crash_points(C, "")) do
      assert.is_nil(seen[name], name)
      seen[name] = true
    end
  end)
end)
