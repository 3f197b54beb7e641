local C = require "support.engine"
local child = require "engine.connectors.child"
local drive = require "engine.connectors.drive"
local ffi = require "ffi"
local temporary = require "support.temporary"

local function seeded()
  local seed = tonumber(os.getenv "SEED") or os.time()
  print("seed " .. seed)
  math.randomseed(seed)
end

local function without_dot(names)
  local shown = {}
  for _, name in ipairs(names) do
    if name:sub(1, 1) ~= "." then shown[#shown + 1] = name end
  end
  return shown
end

describe("sink file", function()
  local dir, out

  before_each(function()
    dir = temporary.folder()
    out = dir .. "/deep/out"
  end)
  after_each(function() temporary.remove(dir) end)

  local function options(more)
    local given = { dir = out, format = "lines", roll_interval = 1000000 }
    for name, value in pairs(more or {}) do given[name] = value end
    return given
  end

  --- Recover and open. `at` is the context.
  local function start(at, committables, older, more)
    assert.equal(0, drive.recover("file", options(more), at, committables, older), drive.message())
    return drive.sink("file", options(more), at)
  end

  local function published()
    local text = {}
    for _, name in ipairs(without_dot(temporary.names(out))) do text[#text + 1] = temporary.read(out .. "/" .. name) end
    return table.concat(text)
  end

  --- Names in the folder without the history and the marks.
  local function parts()
    local list = {}
    for _, name in ipairs(temporary.names(out)) do
      if not (name:find "^%.runs%-" or name:find "^%.published%-") then list[#list + 1] = name end
    end
    return list
  end

  it("S42: shows a part after the commit of the checkpoint that closed it, and not before", function()
    local sink = start { run_id = 0x4d2 }
    assert.equal(0, (sink:write { "one", "two" }))
    assert.same({}, parts())
    sink:prepare(1)
    sink:commit(1)
    assert.same({ ".part-00000000000004d2-0-000000.txt.open" }, parts())
    sink:write { "three" }
    sink:prepare(2, true)
    assert.same({ ".part-00000000000004d2-0-000000.txt.open" }, parts())
    sink:commit(2)
    assert.same({ "part-00000000000004d2-0-000000.txt" }, parts())
    assert.equal("one\ntwo\nthree\n", published())
    sink:commit(2)
    assert.same({ 3, 14 }, { sink:counts() })
    sink:close()
  end)

  it("S42: commits all earlier checkpoints with a later one, where commits were lost", function()
    local sink = start({}, nil, false, { roll_size = 1 })
    for i = 1, 4 do
      sink:write { "line " .. i }
      sink:prepare(i)
    end
    assert.equal("", published())
    sink:commit(3)
    assert.equal("line 1\nline 2\nline 3\n", published())
    sink:commit(2)
    sink:commit(4)
    assert.equal("line 1\nline 2\nline 3\nline 4\n", published())
    sink:close()
  end)

  it("S42: commits nothing that was closed behind the checkpoint's barrier", function()
    local sink = start({}, nil, false, { roll_size = 1 })
    sink:write { "before" }
    sink:prepare(1)
    sink:write { "behind" }
    sink:write { "closes it" }
    sink:commit(1)
    assert.equal("before\n", published())
    sink:prepare(2)
    sink:commit(2)
    assert.equal("before\nbehind\ncloses it\n", published())
    sink:close()
  end)

  it("S42: repeats a commit that failed half way", function()
    local sink = start({}, nil, false, { roll_size = 1 })
    for _, line in ipairs { "one", "two", "three" } do sink:write { line } end
    sink:prepare(1)
    local second = out .. "/" .. parts()[2]
    os.rename(second, dir .. "/away")
    assert.has_error(function() sink:commit(1) end)
    assert.equal("one\n", published())
    os.rename(dir .. "/away", second)
    sink:commit(1)
    assert.equal("one\ntwo\nthree\n", published())
    sink:close()
  end)

  it("rolls by size and by age", function()
    local sink = start({}, nil, false, { roll_size = 100 })
    for _ = 1, 10 do sink:write { ("x"):rep(59) } end
    sink:prepare(1)
    sink:commit(1)
    assert.same(5, #without_dot(parts()))
    sink:close()
    out = dir .. "/other"
    sink = start({}, nil, false, { roll_interval = 0 })
    for i = 1, 3 do
      sink:write { "a" }
      sink:prepare(i)
      sink:commit(i)
      assert.equal(i, #parts())
    end
    sink:close()
  end)

  it("makes no part where nothing was written", function()
    local sink = start({}, nil, false, { roll_interval = 0 })
    sink:prepare(1)
    sink:commit(1)
    sink:prepare(2, true)
    sink:commit(2)
    assert.same({}, parts())
    sink:close()
  end)

  it("begins every part with the format's header, and none with nothing but it", function()
    local sink = start({}, nil, false, { format = "csv", roll_size = 1 })
    assert.is_true((sink:write { "no row" }) < 0)
    assert.equal(0, (sink:write { { x = 1 } }))
    assert.equal(0, (sink:write { { x = 2 } }))
    sink:prepare(1, true)
    sink:commit(1)
    assert.equal("x\n1\nx\n2\n", published())
    sink:close()
  end)

  it("takes the records before one that cannot be written", function()
    local sink = start({}, nil, false, { format = "csv" })
    local status, failed = sink:write { { x = 1 }, { x = 2 }, "no row", { x = 3 } }
    assert.is_true(status < 0)
    assert.equal(2, failed)
    assert.equal(0, (sink:write({ { x = 1 }, { x = 2 }, "no row", { x = 3 } }, 3)))
    sink:prepare(1, true)
    sink:commit(1)
    assert.equal("x\n1\n2\n3\n", published())
    sink:close()
  end)

  it("S42: publishes on recovery what the checkpoint has, and drops the rest", function()
    local sink = start({ run_id = 1 }, nil, false, { roll_size = 10 })
    sink:write { "0123456789" }
    sink:write { "kept" }
    local committable = sink:prepare(1)
    sink:write { "lost 1", "lost 2" }
    sink:write { "lost 3" }
    sink:prepare(2)
    sink:close()
    assert.equal(0, drive.recover("file", options(), { run_id = 2 }, { committable }))
    assert.equal("0123456789\nkept\n", published())
    assert.same({ "part-0000000000000001-0-000000.txt", "part-0000000000000001-0-000001.txt" }, parts())
    -- Again: nothing changes.
    assert.equal(0, drive.recover("file", options(), { run_id = 3 }, { committable }))
    assert.equal("0123456789\nkept\n", published())
  end)

  it("S42: recovers the subtasks of any parallelism, also one that never wrote", function()
    local committables, sinks = {}, {}
    start({ run_id = 7 }):close()
    for subtask = 0, 3 do
      local sink = drive.sink("file", options(), { run_id = 7, subtask = subtask, parallelism = 4 })
      if subtask ~= 2 then sink:write { "subtask " .. subtask } end
      committables[subtask + 1] = sink:prepare(1)
      if subtask == 1 then sink:write { "late" } end
      sink:prepare(2)
      sinks[subtask + 1] = sink
    end
    for _, sink in ipairs(sinks) do sink:close() end
    committables[5] = ""
    start({ run_id = 8, parallelism = 2 }, committables):close()
    assert.equal("subtask 0\nsubtask 1\nsubtask 3\n", published())
    assert.equal(3, #parts())
  end)

  it("removes hidden parts of earlier runs at a fresh start, and leaves published ones and those of others", function()
    local sink = start({ run_id = 1 }, nil, false, { roll_size = 1 })
    sink:write { "published" }
    sink:write { "hidden" }
    sink:prepare(1)
    sink:commit(0)
    sink:write { "open" }
    sink:prepare(2)
    sink:commit(1)
    sink:close()
    local strange = { ".part-0000000000000099-0-000000.txt.open", ".part-1-0-0.open", "part-x", ".hidden" }
    for _, name in ipairs(strange) do temporary.write(out .. "/" .. name, "theirs") end
    start({ run_id = 2 }):close()
    local left = parts()
    assert.same({ ".hidden", ".part-0000000000000099-0-000000.txt.open", ".part-1-0-0.open", "part-0000000000000001-0-000000.txt",
      "part-0000000000000001-0-000001.txt", "part-x" }, left)
  end)

  -- Part 0 is full and closed, part 1 holds "open" and a line feed; the committable of checkpoint 1, nothing published.
  local function prepare_closed_and_open()
    local sink = start({ run_id = 1 }, nil, false, { roll_size = 10 })
    sink:write { "0123456789" }
    sink:write { "open" }
    local committable = sink:prepare(1)
    sink:close()
    return committable
  end

  it("refuses to recover what is missing or too short, and changes nothing", function()
    local committable = prepare_closed_and_open()
    local open_name, closed_name = out .. "/.part-0000000000000001-0-000001.txt.open", out .. "/.part-0000000000000001-0-000000.txt.open"
    temporary.write(open_name, "ope")
    assert.is_true(drive.recover("file", options(), { run_id = 2 }, { committable }) < 0)
    assert.truthy(drive.message():find("part-0000000000000001-0-000001.txt has 3 bytes, the checkpoint 5", 1, true), drive.message())
    os.remove(open_name)
    assert.is_true(drive.recover("file", options(), { run_id = 2 }, { committable }) < 0)
    assert.truthy(drive.message():find("part-0000000000000001-0-000001.txt of the checkpoint is missing", 1, true), drive.message())
    temporary.write(open_name, "open\n")
    os.rename(closed_name, dir .. "/away")
    assert.is_true(drive.recover("file", options(), { run_id = 2 }, { committable }) < 0)
    assert.truthy(drive.message():find("part-0000000000000001-0-000000.txt of the checkpoint is missing", 1, true), drive.message())
    assert.same({ ".part-0000000000000001-0-000001.txt.open" }, parts())
    os.rename(dir .. "/away", closed_name)
    assert.equal(0, drive.recover("file", options(), { run_id = 2 }, { committable }))
    assert.equal("0123456789\nopen\n", published())
  end)

  local function marks()
    local list = {}
    for _, name in ipairs(temporary.names(out)) do list[#list + 1] = name:match "^%.published%-(.*)" end
    return list
  end

  it("recovers where a reader has taken published parts away, at any moment after", function()
    local sink = start({ run_id = 1 }, nil, false, { roll_size = 1 })
    sink:write { "one" }
    sink:write { "two" }
    sink:prepare(1)
    sink:commit(1)
    assert.same({ "part-0000000000000001-0-000002.txt" }, marks())
    sink:write { "three" }
    local committable = sink:prepare(2)
    sink:commit(2)
    sink:commit(2)
    sink:write { "never" }
    sink:close()
    assert.equal("one\ntwo\nthree\n", published())
    assert.same({ "part-0000000000000001-0-000003.txt" }, marks())
    for _, name in ipairs(without_dot(parts())) do os.remove(out .. "/" .. name) end
    for run = 2, 4 do
      assert.equal(0, drive.recover("file", options(), { run_id = run }, { committable }), drive.message())
      assert.same({}, parts())
      assert.same({}, marks())
    end
  end)

  it("recovers where a reader has taken away what a recovery published", function()
    local committable = prepare_closed_and_open()
    assert.equal(0, drive.recover("file", options(), { run_id = 2 }, { committable }))
    assert.equal("0123456789\nopen\n", published())
    for _, name in ipairs(parts()) do os.remove(out .. "/" .. name) end
    assert.equal(0, drive.recover("file", options(), { run_id = 3 }, { committable }), drive.message())
    assert.same({}, parts())
  end)

  it("takes a mark of another folder, prefix, run or subtask, or before the part, for nothing", function()
    local sink = start({ run_id = 1, subtask = 1 }, nil, false, { roll_size = 1 })
    sink:write { "one" }
    local committable = sink:prepare(1)
    sink:close()
    os.remove(out .. "/.part-0000000000000001-1-000000.txt.open")
    local function refused(folder)
      assert.is_true(drive.recover("file", options { dir = folder }, { run_id = 2 }, { committable }) < 0)
      assert.truthy(drive.message():find("part-0000000000000001-1-000000.txt of the checkpoint is missing, and was never published here", 1, true))
    end
    for _, name in ipairs { "part-0000000000000001-0-000009.txt", "part-0000000000000002-1-000009.txt", "other-0000000000000001-1-000009.txt",
      "part-0000000000000001-1-000000.txt" } do
      temporary.write(out .. "/.published-" .. name, "")
    end
    refused(out)
    temporary.write(out .. "/.published-part-0000000000000001-1-000001.txt", "")
    refused(dir .. "/elsewhere")
    assert.equal(0, drive.recover("file", options(), { run_id = 2 }, { committable }), drive.message())
  end)

  it("refuses committables that are damaged", function()
    seeded()
    local sink = start({ run_id = 1 }, nil, false, { roll_size = 1 })
    for i = 1, 5 do sink:write { "line " .. i } end
    local committable = sink:prepare(1)
    sink:close()
    for bytes = 1, #committable - 1 do
      assert.is_true(drive.recover("file", options(), { run_id = 2 }, { committable:sub(1, bytes) }) < 0)
    end
    local refused = 0
    for _ = 1, 500 do
      local at = math.random(#committable)
      local changed = committable:sub(1, at - 1) .. string.char(math.random(0, 255)) .. committable:sub(at + 1)
      if drive.recover("file", options { dir = dir .. "/empty" }, { run_id = 2 }, { changed }) < 0 then refused = refused + 1 end
    end
    -- In an empty folder nothing is as any of them says.
    assert.equal(500, refused)
    assert.same({}, without_dot(temporary.names(dir .. "/empty")))
  end)

  it("refuses two sinks of a job whose parts would have the same names", function()
    start({ run_id = 1, step_name = "a" }):close()
    assert.is_true(drive.recover("file", options(), { run_id = 1, step_name = "b" }) < 0)
    assert.truthy(drive.message():find("give each its own dir or prefix", 1, true))
    assert.equal(0, drive.recover("file", options { prefix = "b" }, { run_id = 1, step_name = "b" }))
    assert.equal(0, drive.recover("file", options(), { run_id = 2, step_name = "b" }))
  end)

  it("leaves the parts of another sink in the same folder alone", function()
    local a = start({ run_id = 1, step_name = "a" }, nil, false, { prefix = "a" })
    local b = start({ run_id = 1, step_name = "b" }, nil, false, { prefix = "b" })
    a:write { "of a" }
    b:write { "of b" }
    local of_a, of_b = a:prepare(1), b:prepare(1)
    a:close()
    b:close()
    assert.equal(0, drive.recover("file", options { prefix = "a" }, { run_id = 2, step_name = "a" }, { of_a }))
    assert.same({ ".b-0000000000000001-0-000000.txt.open", "a-0000000000000001-0-000000.txt" }, parts())
    assert.equal(0, drive.recover("file", options { prefix = "b" }, { run_id = 2, step_name = "b" }, { of_b }))
    assert.same({ "a-0000000000000001-0-000000.txt", "b-0000000000000001-0-000000.txt" }, parts())
  end)

  it("refuses options out of range, by name", function()
    for name, value in pairs { prefix = "a/b", dir = "", roll_size = 0 } do
      local ok, message = pcall(drive.sink, "file", options { [name] = value })
      assert.is_false(ok)
      assert.truthy(message:find("'" .. name .. "'", 1, true), message)
    end
    for _, prefix in ipairs { ".x", "", ("x"):rep(65), "a b" } do assert.has_error(function() drive.sink("file", options { prefix = prefix }) end) end
  end)

  it("goes on where a disk was full, and writes nothing twice", function()
    local small = dir .. "/small"
    if os.execute(("mkdir '%s' && mount -t tmpfs -o size=1m tmpfs '%s' 2>/dev/null"):format(small, small)) ~= 0 then
      return pending "no tmpfs can be mounted here"
    end
    local ok, problem = pcall(function()
      out = small .. "/out"
      local sink = start { run_id = 1 }
      local expected, last = {}, nil
      repeat
        local values = {}
        for i = 1, 100 do values[i] = ("%06d"):format(#expected + i) .. ("x"):rep(200) end
        local status, failed = sink:write(values)
        last = { status, failed, values }
        if status == 0 then for _, value in ipairs(values) do expected[#expected + 1] = value end end
      until status < 0
      assert.equal(-996, last[1])
      assert.equal(-1, last[2])
      assert.truthy(drive.message():find(small .. "/out/.part-0000000000000001-0-000000.txt.open: No space left on device", 1, true))
      assert.has_error(function() sink:prepare(1) end)
      assert.is_true((sink:write(last[3])) < 0)
      os.execute(("mount -o remount,size=4m '%s'"):format(small))
      assert.equal(0, (sink:write(last[3])))
      for _, value in ipairs(last[3]) do expected[#expected + 1] = value end
      sink:prepare(2, true)
      sink:commit(2)
      assert.is_true(published() == table.concat(expected, "\n") .. "\n")
      assert.same(#expected, (sink:counts()))
      sink:close()
    end)
    os.execute("umount '" .. small .. "'")
    assert(ok, problem)
  end)

  it("fails by name where a part may not grow", function()
    local status, _, errors = child.run(dir, ([[
      require("ffi").cdef "void (*signal(int, void (*)(int)))(int);"
      require("ffi").C.signal(25, require("ffi").cast("void (*)(int)", 1))
      local options = { dir = %q, format = "lines" }
      assert(drive.recover("file", options, {}) == 0)
      local sink = drive.sink("file", options)
      local status, failed
      for _ = 1, 50 do
        status, failed = sink:write { ("x"):rep(100000) }
        if status < 0 then break end
      end
      io.stderr:write(status, " ", failed, " ", drive.message(), "\n")
    ]]):format(out), { before = "ulimit -f 1000" })
    assert.equal(0, status, errors)
    assert.equal("-997 -1 " .. out .. "/.part-0000000000000001-0-000000.txt.open: File too large\n", errors)
  end)

  it("tells the paths of its parts in the order in which they were written", function()
    -- Later runs have smaller numbers here.
    local committables
    for run = 9, 7, -1 do
      assert.equal(0, drive.recover("file", options(), { run_id = run }, committables))
      committables = {}
      for subtask = 0, 1 do
        local sink = drive.sink("file", options { roll_size = 1 }, { run_id = run, subtask = subtask })
        for i = 1, 11 do sink:write { ("run %d subtask %d part %d"):format(run, subtask, i) } end
        committables[subtask + 1] = sink:prepare(1, true)
        sink:commit(1)
        sink:close()
      end
    end
    local buffer, texts, expected = drive.buffer(), {}, {}
    assert.equal(0, C.file_sink_paths(out, buffer))
    for path in drive.bytes_of(buffer):gmatch "([^%z]+)%z" do texts[#texts + 1] = temporary.read(path) end
    for run = 9, 7, -1 do
      for subtask = 0, 1 do
        for i = 1, 11 do expected[#expected + 1] = ("run %d subtask %d part %d\n"):format(run, subtask, i) end
      end
    end
    assert.same(expected, texts)
  end)

  it("declares itself", function()
    assert.equal(1, tonumber(ffi.cast("int", C.sink_find("file").guarantee)))
    assert.equal(1, tonumber(ffi.cast("int", C.sink_find("collect").guarantee)))
  end)
end)

describe("sink collect", function()
  it("keeps its results below the data directory, as msgpack", function()
    local dir = temporary.folder()
    local at = { run_id = 1, data = dir }
    assert.equal(0, drive.recover("collect", { name = "seen" }, at))
    local sink = drive.sink("collect", { name = "seen" }, at)
    sink:write { 1, 2, { a = "b" } }
    local committable = sink:prepare(1)
    sink:write { 4 }
    sink:prepare(2)
    sink:close()
    assert.equal(0, drive.recover("collect", { name = "seen" }, { run_id = 2, data = dir }, { committable }))
    local source = drive.source("file", { path = dir .. "/collect/seen/*", format = "msgpack" })
    assert.same({ 1, 2, { a = "b" } }, source:read_all())
    source:close()
    assert.has_error(function() drive.sink("collect", { name = "../seen" }, at) end)
    temporary.remove(dir)
  end)
end)
