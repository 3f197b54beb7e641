local drive = require "engine.connectors.drive"
local temporary = require "engine.connectors.temporary"

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

  it("does not take a rotated file for a new one", function()
    local glob = drive.source("file", { path = dir .. "/app.*", format = "lines", follow = true })
    temporary.write(path, "first\n")
    assert.same({ path .. "#0" }, (glob:splits()))
    for _ = 1, 3 do
      os.execute(("cd '%s' && { [ ! -e app.log.1 ] || mv app.log.1 app.log.2; } && mv app.log app.log.1"):format(dir))
      assert.same({}, (glob:splits()))
      temporary.write(path, "next\n")
      assert.same({ path .. "#0" }, (glob:splits()))
    end
    temporary.write(dir .. "/app.log.7", "another\n")
    assert.same({ path .. "#0", dir .. "/app.log.7#0" }, (glob:splits()))
    glob:close()
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

  it("S42b: says that the file of its position is gone, or has shrunk", function()
    temporary.write(path, "one\ntwo\nthree\n")
    open()
    take(reader)
    local position = reader:position()
    temporary.write(path, "one\n")
    assert.error_matches(function() open(position) end, "app.log: has shrunk to 4 bytes, below position 14")
    os.rename(path, dir .. "/kept")
    temporary.write(path, "another file, and a longer one\n")
    os.remove(dir .. "/kept")
    assert.error_matches(function() open(position) end, "app.log: the file that byte 14 belongs to is gone, and another has its name")
    os.remove(path)
    assert.error_matches(function() open(position) end, "app.log")
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
