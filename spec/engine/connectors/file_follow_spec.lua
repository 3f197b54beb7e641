local child = require "engine.connectors.child"
local drive = require "engine.connectors.drive"
local temporary = require "support.temporary"

--- Poll until nothing is at hand.
local function take(reader)
  local all = {}
  while true do
    local status, values = reader:poll()
    if status < 0 then error(drive.message(), 2) end
    for _, value in ipairs(values) do all[#all + 1] = value end
    if status == drive.IDLE then return all end
    assert.equal(drive.MORE, status)
  end
end

describe("source file with follow", function()
  local dir, path, source, reader

  before_each(function()
    dir = temporary.folder()
    path = dir .. "/app.log"
  end)

  after_each(function()
    if reader then reader:close() end
    if source then source:close() end
    reader, source = nil, nil
    temporary.remove(dir)
  end)

  local function open(position, format)
    if reader then reader:close() end
    if source then source:close() end
    source = drive.source("file", { path = path, format = format or "lines", follow = true, split = 10 })
    reader = source:reader(path .. "#0", position)
  end

  it("waits for more bytes, and for the end of a torn line", function()
    temporary.write(path, "one\ntwo\nthr")
    open()
    assert.same({ "one", "two" }, take(reader))
    assert.same({}, take(reader))
    local ms, descriptor = reader:wait()
    assert.is_true(ms > 0 and ms <= 50)
    assert.equal(-1, descriptor)
    temporary.append(path, "ee\nfour\n")
    assert.same({ "three", "four" }, take(reader))
    temporary.append(path, "five\n")
    assert.same({ "five" }, take(reader))
  end)

  it("is one split, and says that more may come", function()
    temporary.write(path, ("line\n"):rep(100))
    open()
    local splits, more = source:splits()
    assert.same({ path .. "#0" }, splits)
    assert.is_true(more)
  end)

  it("finds files that appear later", function()
    local glob = drive.source("file", { path = dir .. "/*.log", format = "lines", follow = true })
    assert.same({}, (glob:splits()))
    temporary.write(dir .. "/b.log", "b\n")
    assert.same({ dir .. "/b.log#0" }, (glob:splits()))
    temporary.write(dir .. "/a.log", "a\n")
    assert.same({ dir .. "/a.log#0", dir .. "/b.log#0" }, (glob:splits()))
    glob:close()
  end)

  local function rotate()
    for i = 60, 1, -1 do os.rename(path .. "." .. i, path .. "." .. i + 1) end
    os.rename(path, path .. ".1")
  end

  it("does not take a rotated file for a new one", function()
    source = drive.source("file", { path = dir .. "/app.*", format = "lines", follow = true })
    temporary.write(path, "first\n")
    assert.same({ path .. "#0" }, (source:splits()))
    reader = source:reader(path .. "#0")
    for _ = 1, 3 do
      take(reader)
      rotate()
      assert.same({}, (source:splits()))
      temporary.write(path, "next\n")
      assert.same({ path .. "#0" }, (source:splits()))
      assert.same({ "next" }, take(reader))
    end
    temporary.write(dir .. "/app.log.7", "another\n")
    assert.same({ path .. "#0", dir .. "/app.log.7#0" }, (source:splits()))
  end)

  it("S42b: does not take rotated files for new ones after a restore", function()
    temporary.write(path, "0\n")
    local position
    for i = 1, 3 do
      if reader then reader:close() end
      if source then source:close() end
      source = drive.source("file", { path = dir .. "/app.*", format = "lines", follow = true })
      if position then source:restored(path .. "#0", position) end
      assert.same(position and {} or { path .. "#0" }, (source:splits()))
      reader = source:reader(path .. "#0", position)
      take(reader)
      rotate()
      if i == 2 then position = reader:position() end
      temporary.write(path, i .. "\n")
      assert.same({ tostring(i) }, take(reader))
      if i ~= 2 then position = reader:position() end
    end
  end)

  it("reads a file that was rotated before its reader came to it", function()
    source = drive.source("file", { path = dir .. "/app.*", format = "lines", follow = true })
    temporary.write(path, "one\n")
    source:splits()
    reader = source:reader(path .. "#0")
    take(reader)
    rotate()
    temporary.write(path, "two\n")
    source:splits()
    rotate()
    temporary.write(path, "three\n")
    assert.same({ path .. "#0", path .. ".1#0" }, (source:splits()))
    local other = source:reader(path .. ".1#0")
    assert.same({ "two" }, take(other))
    other:close()
    assert.same({ "three" }, take(reader))
  end)

  it("does not read again what a rotation puts in the place of another followed file", function()
    source = drive.source("file", { path = dir .. "/app.*", format = "lines", follow = true })
    temporary.write(path, "two\n")
    temporary.write(path .. ".1", "one\n")
    reader = source:reader(path .. "#0")
    local older = source:reader(path .. ".1#0")
    assert.same({ "two" }, take(reader))
    assert.same({ "one" }, take(older))
    rotate()
    temporary.write(path, "three\n")
    assert.same({ "three" }, take(reader))
    assert.same({}, take(older))
    temporary.append(path .. ".2", "late\n")
    assert.same({ "late" }, take(older))
    older:close()
  end)

  it("S42b: goes on with a file that has another name, as long as none has the old one", function()
    temporary.write(path, "one\ntwo\n")
    open()
    take(reader)
    local position = reader:position()
    os.rename(path, path .. ".1")
    temporary.append(path .. ".1", "thr")
    open(position)
    assert.same({}, take(reader))
    temporary.append(path .. ".1", "ee\n")
    assert.same({ "three" }, take(reader))
    temporary.write(path, "four\n")
    assert.same({ "four" }, take(reader))
  end)

  it("S42b: reads each line once through random rotations and restores", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    print("seed " .. seed)
    math.randomseed(seed)
    for _ = 1, 20 do
      os.execute(("rm -f '%s'/app.*"):format(dir))
      local readers, positions, got, lines = {}, {}, {}, 0
      local function look()
        for _, split in ipairs((source:splits())) do
          readers[split] = readers[split] or source:reader(split)
        end
      end
      local function poll()
        for _, each in pairs(readers) do
          for _, value in ipairs(take(each)) do got[#got + 1] = tonumber(value) end
        end
      end
      local function restart()
        for split, each in pairs(readers) do
          positions[split] = each:position()
          each:close()
        end
        if source then source:close() end
        source, readers = drive.source("file", { path = dir .. "/app.*", format = "lines", follow = true }), {}
        for split, position in pairs(positions) do source:restored(split, position) end
        for split, position in pairs(positions) do readers[split] = source:reader(split, position) end
      end
      restart()
      local does = {
        function() lines = lines + 1; temporary.append(path, lines .. "\n") end,
        function() if temporary.read(path) then rotate() end end,
        look, poll, restart,
      }
      for _ = 1, 60 do does[math.random(#does)]() end
      temporary.append(path, "0\n") -- who waits for a new file goes on
      for _ = 1, 3 do look(); poll() end
      for _, each in pairs(readers) do each:close() end
      table.sort(got)
      local expected = {}
      for i = 0, lines do expected[i + 1] = i end
      assert.same(expected, got)
    end
  end)

  it("forgets a value that cannot be read, and a line that is too long, with the file that they were in", function()
    local function bad_reader(format)
      source = drive.source("file", { path = path, format = format, follow = true })
      return source:reader(path .. "#0", nil, function() return 0 end)
    end
    temporary.write(path, "\1\193\2")
    reader = bad_reader "msgpack"
    assert.same({ 1 }, take(reader))
    local position = reader:position()
    reader:close()
    temporary.append(path, "\5")
    reader = source:reader(path .. "#0", position) -- S42b: as lost as the one before it
    assert.same({}, take(reader))
    os.rename(path, path .. ".1")
    temporary.write(path, "\3\4")
    assert.same({ 3, 4 }, take(reader))
    reader:close()
    source:close()
    for _, format in ipairs { "lines", "json", "csv" } do
      temporary.write(path, "7\n" .. ("8"):rep(64 * 1024 * 1024 + 1))
      reader = bad_reader(format)
      take(reader)
      os.rename(path, path .. ".1")
      temporary.write(path, "5\n6\n")
      assert.equal(format == "csv" and 1 or 2, #take(reader))
      reader:close()
      source:close()
    end
    reader, source = nil, nil
  end)

  it("reads a rotated file to its end, a torn last line too, and then the one that took its name", function()
    temporary.write(path, "one\ntwo\n")
    open()
    assert.same({ "one", "two" }, take(reader))
    os.rename(path, path .. ".1")
    assert.same({}, take(reader))
    temporary.append(path .. ".1", "three\ntorn")
    temporary.write(path, "")
    -- The new file is empty: its writer may still be at the old one.
    assert.same({ "three" }, take(reader))
    temporary.append(path .. ".1", " end\nfour")
    assert.same({ "torn end" }, take(reader))
    temporary.append(path, "five\n")
    assert.same({ "four", "five" }, take(reader))
    temporary.append(path, "six\n")
    assert.same({ "six" }, take(reader))
  end)

  it("begins again in a file that was cut", function()
    temporary.write(path, "one\ntwo\ntorn")
    open()
    assert.same({ "one", "two" }, take(reader))
    temporary.write(path, "new\n")
    assert.same({ "new" }, take(reader))
    temporary.append(path, "more\n")
    assert.same({ "more" }, take(reader))
  end)

  it("S42b: begins again in a file that was cut and has grown beyond its position", function()
    temporary.write(path, "one\ntwo\nto")
    open()
    assert.same({ "one", "two" }, take(reader))
    temporary.write(path, "alpha\nbeta\ngamma\n")
    assert.same({ "alpha", "beta", "gamma" }, take(reader))
    local position = reader:position()
    temporary.append(path, "delta\n")
    open(position)
    assert.same({ "delta" }, take(reader))
    position = reader:position()
    temporary.write(path, ("another line, of more bytes\n"):rep(20))
    open(position)
    assert.equal(20, #take(reader))
    -- The position of a version that did not tell.
    open((position:gsub(" %d+$", "")))
    assert.not_equal("another line, of more bytes", take(reader)[1])
  end)

  it("begins again in a file that was cut under another name, and then goes on to the next", function()
    for _, text in ipairs { "n\n", "new, and longer than before\n" } do
      temporary.write(path, "one\ntwo\n")
      open()
      take(reader)
      os.rename(path, path .. ".1")
      temporary.write(path .. ".1", text)
      assert.same({ text:sub(1, -2) }, take(reader))
      temporary.write(path, "next\n")
      assert.same({ "next" }, take(reader))
      os.remove(path)
    end
  end)

  it("S42b: goes on at its position, in the rotated file first", function()
    temporary.write(path, "one\ntwo\nthree\n")
    open()
    assert.same({ "one", "two", "three" }, take(reader))
    local position = reader:position()
    temporary.append(path, "four\n")
    open(position)
    assert.same({ "four" }, take(reader))
    position = reader:position()
    temporary.append(path, "five\n")
    os.rename(path, path .. ".1")
    open(position)
    assert.same({ "five" }, take(reader))
    temporary.write(path, "six\n")
    open(position)
    assert.same({ "five", "six" }, take(reader))
    position = reader:position()
    open(position)
    assert.same({}, take(reader))
    temporary.append(path, "seven\n")
    assert.same({ "seven" }, take(reader))
  end)

  it("S42b: begins with what has its name where the file of its position is gone or was cut, or waits for it", function()
    temporary.write(path, "one\ntwo\nthree\n")
    open()
    take(reader)
    local position = reader:position()
    temporary.write(path, "cut\n")
    open(position)
    assert.same({ "cut" }, take(reader))
    os.rename(path, dir .. "/kept")
    temporary.write(path, "another file, and a longer one\n")
    os.remove(dir .. "/kept")
    open(position)
    assert.same({ "another file, and a longer one" }, take(reader))
    position = reader:position()
    os.remove(path)
    for _ = 1, 2 do -- also from the position of one that waits
      open(position)
      assert.same({}, take(reader))
      position = reader:position()
    end
    temporary.write(path, "back\n")
    assert.same({ "back" }, take(reader))
    position = reader:position()
    open(position)
    assert.same({}, take(reader))
  end)

  it("S42b: reads once what has its name where the file of its position was rotated and then cut", function()
    temporary.write(path, "one\ntwo\nthree\n")
    open()
    take(reader)
    local position = reader:position()
    os.rename(path, path .. ".1")
    temporary.write(path .. ".1", "cut\n")
    temporary.write(path, "new\n")
    open(position)
    assert.same({ "new" }, take(reader))
    assert.same({}, take(reader))
    temporary.append(path, "more\n")
    assert.same({ "more" }, take(reader))
  end)

  it("S42b: finds the header of a file that was rotated, also where none has its name", function()
    temporary.write(path, "a,b\n1,2\n")
    open(nil, "csv")
    assert.same({ { a = 1, b = 2 } }, take(reader))
    local position = reader:position()
    temporary.append(path, "3,4\n")
    os.rename(path, path .. ".1")
    open(position, "csv")
    assert.same({ { a = 3, b = 4 } }, take(reader))
    temporary.write(path, "b\n5\n")
    assert.same({ { b = 5 } }, take(reader))
  end)

  it("reads the header of each file of a rotation", function()
    temporary.write(path, "a,b\n1,2\n")
    open(nil, "csv")
    assert.same({ { a = 1, b = 2 } }, take(reader))
    os.rename(path, path .. ".1")
    temporary.write(path, "b,a,c\n4,3,5\n")
    assert.same({ { a = 3, b = 4, c = 5 } }, take(reader))
    local position = reader:position()
    temporary.append(path, "7,6,8\n")
    open(position, "csv")
    assert.same({ { a = 6, b = 7, c = 8 } }, take(reader))
  end)

  it("waits for a header that is torn", function()
    temporary.write(path, "a,")
    open(nil, "csv")
    assert.same({}, take(reader))
    temporary.append(path, "b\n1,")
    assert.same({}, take(reader))
    temporary.append(path, "2\n")
    assert.same({ { a = 1, b = 2 } }, take(reader))
  end)

  local function compressed(command, text)
    temporary.write(dir .. "/plain", text)
    os.execute(("%s < '%s/plain' > '%s/packed'"):format(command, dir, dir))
    return temporary.read(dir .. "/packed")
  end

  for ending, command in pairs { gz = "gzip", zst = "zstd -q" } do
    it("waits for the rest of a compressed file that is being written: " .. ending, function()
      local file = path .. "." .. ending
      local first = compressed(command, "one\ntwo\n")
      local bytes = first .. compressed(command, "three\nfour")
      temporary.write(file, "")
      source = drive.source("file", { path = dir .. "/app.*", format = "lines", follow = true })
      source:splits()
      reader = source:reader(file .. "#0")
      local got = {}
      for i = 1, #bytes do
        temporary.append(file, bytes:sub(i, i))
        if i == #bytes then
          reader:drain(got)
        elseif i ~= #first then -- where it might end
          for _, value in ipairs(take(reader)) do got[#got + 1] = value end
        end
      end
      assert.same({ "one", "two", "three", "four" }, got)
      -- Known again under another name, also after a restore.
      local position = reader:position()
      os.rename(file, dir .. "/app.old." .. ending)
      assert.same({}, (source:splits()))
      reader:close()
      source:close()
      source = drive.source("file", { path = dir .. "/app.*", format = "lines", follow = true })
      source:restored(file .. "#0", position)
      assert.same({}, (source:splits()))
      reader = nil
    end)

    it("fails where a torn compressed file was replaced or removed: " .. ending, function()
      local file = path .. "." .. ending
      temporary.write(file, compressed(command, "one\n"):sub(1, 12))
      source = drive.source("file", { path = file, format = "lines", follow = true })
      reader = source:reader(file .. "#0")
      take(reader)
      os.remove(file)
      assert.has_error(function() take(reader) end)
      assert.truthy(drive.message():find("cut short", 1, true))
    end)

    it("tells that a compressed file has grown after it was read: " .. ending, function()
      local file = path .. "." .. ending
      temporary.write(file, compressed(command, "one\n"))
      local status, _, errors = child.run(dir, ([[
        local source = drive.source("file", { path = "%s", format = "lines", follow = true })
        source:splits()
        local reader = source:reader("%s#0")
        assert(#reader:drain() == 1)
        reader:close()
        source:splits()
        io.stderr:write "before\n"
        local grown = io.open("%s", "ab")
        grown:write "more" grown:close()
        source:splits() source:splits()
        source:close()
      ]]):format(file, file, file))
      assert.equal(0, status, errors)
      local before, behind = errors:match "^(.*)before\n(.*)$"
      assert.equal("", before)
      local _, times = behind:gsub("has grown since it was read", "")
      assert.equal(1, times, errors)
    end)
  end

  it("reads compressed files once", function()
    temporary.write(path, "one\ntwo")
    os.execute("gzip '" .. path .. "'")
    local packed = drive.source("file", { path = path .. ".gz", format = "lines", follow = true })
    local packed_reader = packed:reader(path .. ".gz#0")
    assert.same({ "one", "two" }, packed_reader:drain())
    packed_reader:close()
    packed:close()
  end)
end)
