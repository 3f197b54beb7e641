local child = require "engine.connectors.child"
local drive = require "engine.connectors.drive"
local temporary = require "support.temporary"

local function numbers(from, to)
  local lines = {}
  for i = from, to do lines[#lines + 1] = "line " .. i .. ("x"):rep(i % 17) end
  return lines
end

local function text_of(lines)
  return table.concat(lines, "\n") .. "\n"
end

local function read(options, on_bad)
  local source = drive.source("file", options)
  local ok, all = pcall(source.read_all, source, on_bad)
  source:close()
  if not ok then error(all, 0) end
  return all
end

local function failure(...)
  local ok, message = pcall(...)
  assert.is_false(ok)
  return message
end

local function seeded()
  local seed = tonumber(os.getenv "SEED") or os.time()
  print("seed " .. seed)
  math.randomseed(seed)
end

--- Read a source whole, each split in random pieces, every piece by a new source and reader from the position of the one before.
local function read_in_pieces(options)
  local all = {}
  local first = drive.source("file", options)
  local splits = first:splits()
  first:close()
  for _, split in ipairs(splits) do
    local position, finished = "", false
    while not finished do
      local source = drive.source("file", options)
      local reader = source:reader(split, position)
      for _ = 1, math.random(1, 3) do
        local status, values = reader:poll()
        assert.is_true(status > 0, status < 0 and drive.message() or nil)
        for _, value in ipairs(values) do all[#all + 1] = value end
        finished = status == drive.END
        if finished then break end
      end
      position = reader:position()
      reader:close()
      source:close()
    end
  end
  return all
end

describe("source file", function()
  local dir

  before_each(function() dir = temporary.folder() end)
  after_each(function() temporary.remove(dir) end)

  local function write(name, text)
    return temporary.write(dir .. "/" .. name, text)
  end

  it("reads lines, with or without an end of the last one", function()
    local path = write("a.txt", "one\ntwo\n\nthree")
    assert.same({ "one", "two", "", "three" }, read { path = path, format = "lines" })
    assert.same({}, read { path = write("empty.txt", ""), format = "lines" })
    assert.same({ "" }, read { path = write("end.txt", "\n"), format = "lines" })
  end)

  it("reads lists and globs in the order of their names, each file once", function()
    for _, name in ipairs { "b.log", "a.log", "c.log", "c.txt", ".hidden.log" } do write(name, name .. "\n") end
    os.execute("mkdir '" .. dir .. "/d.log'")
    assert.same({ "a.log", "b.log", "c.log" }, read { path = dir .. "/*.log", format = "lines" })
    assert.same({ "a.log", "c.txt" }, read { path = { dir .. "/c.txt", dir .. "/a.log", dir .. "/[a].log" }, format = "lines" })
    write("[a].log", "literally\n")
    assert.same({ "literally" }, read { path = dir .. "/[a].log", format = "lines" })
  end)

  it("names the pattern that matches nothing, and what is no file", function()
    assert.truthy(failure(read, { path = dir .. "/*.none", format = "lines" }):find("no file matches '" .. dir .. "/*.none'", 1, true))
    assert.truthy(failure(read, { path = dir .. "/missing.txt", format = "lines" }):find("missing.txt", 1, true))
    assert.truthy(failure(read, { path = dir, format = "lines" }):find("not a regular file", 1, true))
    os.execute("mkfifo '" .. dir .. "/pipe'")
    assert.truthy(failure(read, { path = dir .. "/pipe", format = "lines" }):find("not a regular file", 1, true))
  end)

  it("gives every line to one split, for splits of every size", function()
    local lines = { "", "a", "", "", "bc", ("d"):rep(40), "e", "" }
    for _, text in ipairs { text_of(lines), (text_of(lines):sub(1, -2)) .. "last" } do
      local path = write("small.txt", text)
      local whole = read { path = path, format = "lines", split = -1 }
      for size = 1, #text + 2 do
        assert.same(whole, read { path = path, format = "lines", split = size }, "split = " .. size)
      end
    end
  end)

  it("splits a large file and reads each split at its own place", function()
    local lines = numbers(1, 60000)
    local path = write("large.txt", text_of(lines))
    local source = drive.source("file", { path = path, format = "lines", split = 100000 })
    local splits, more = source:splits()
    assert.is_false(more)
    assert.is_true(#splits > 10)
    assert.equal(path .. "#0-100000", splits[1])
    assert.same(lines, source:read_all())
    source:close()
    -- What a split has follows from its name, whatever `split` says later.
    local later = drive.source("file", { path = path, format = "lines", split = 7 })
    local all = {}
    for _, split in ipairs(splits) do
      local reader = later:reader(split)
      reader:drain(all)
      reader:close()
    end
    later:close()
    assert.same(lines, all)
  end)

  it("S42b: goes on at any position, with splits of any size", function()
    seeded()
    local lines = numbers(1, 30000)
    local path = write("large.txt", text_of(lines))
    for _ = 1, 8 do
      local size = math.random(1000, 400000)
      assert.same(lines, read_in_pieces { path = path, format = "lines", split = size }, "split = " .. size)
    end
  end)

  it("S42b: does not cut a file of the checkpoint again after it has grown or `split` was changed", function()
    local path, new = write("a.txt", text_of(numbers(1, 100))), dir .. "/b.txt"
    local first = drive.source("file", { path = dir .. "/*.txt", format = "lines", split = 300 })
    local splits = first:splits()
    first:close()
    assert.is_true(#splits > 2)
    temporary.append(path, text_of(numbers(101, 200)))
    write("b.txt", "new\n")
    local again = drive.source("file", { path = dir .. "/*.txt", format = "lines", split = 200 })
    for _, split in ipairs(splits) do again:restored(split) end
    assert.same({ new .. "#0" }, (again:splits()))
    assert.has_error(function() again:restored "nonsense" end)
    again:close()
    os.execute("rm '" .. dir .. "'/*.txt")
    local gone = drive.source("file", { path = dir .. "/*.txt", format = "lines" })
    gone:restored(splits[1])
    assert.same({}, (gone:splits()))
    gone:close()
  end)

  it("finds a header that stands behind the first range, and takes it for nothing else", function()
    local path = write("late.csv", "\n\r\n\na,b\n1,2\n3,4\n")
    for split = 1, 20 do
      assert.same({ { a = 1, b = 2 }, { a = 3, b = 4 } }, read { path = path, format = "csv", split = split }, "split = " .. split)
    end
  end)

  it("takes a byte order mark for one at the beginning of a file alone, with splits of any size", function()
    local path = write("marks.jsonl", "\239\187\1911\n\239\187\1912\n3\n\239\187\1914\n")
    for split = 1, 22 do
      local bad = 0
      local source = drive.source("file", { path = path, format = "json", split = split })
      assert.same({ 1, 3 }, source:read_all(function() bad = bad + 1 return 0 end), "split = " .. split)
      assert.equal(2, bad)
      source:close()
    end
  end)

  it("fails where a folder of a glob cannot be read, and does not leave its files out", function()
    os.execute(("mkdir '%s/a' '%s/b' && ln -s loop '%s/loop' && ln -s nowhere '%s/gone'"):format(dir, dir, dir, dir))
    write("a/1.txt", "one\n")
    write("b/2.txt", "two\n")
    write("none", "no folder\n")
    assert.same({ "one", "two" }, read { path = dir .. "/*/*.txt", format = "lines" })
    local status, output, errors = child.run(dir, ([[
      local source = drive.source("file", { path = "%s/*/*.txt", format = "lines" })
      local files = {}
      for _ = 1, 60 do files[#files + 1] = io.open "/dev/null" end
      for _ = 1, 6 do
        local ok, splits = pcall(source.splits, source)
        print(ok and #splits or splits)
        files[#files]:close()
        files[#files] = nil
      end
    ]]):format(dir), { before = "ulimit -n 32" })
    assert.equal(0, status, errors)
    assert.truthy(output:find("cannot list .*: Too many open files\n"), output)
    assert.truthy(output:find("\n2\n$"), output)
    assert.is_nil(output:find("^[01]\n") or output:find("\n[01]\n"), output)
  end)

  it("reads a file whose name has the marks of a split", function()
    local path = write("odd#12-34.txt#5", "one\ntwo\nthree\n")
    assert.same({ "one", "two", "three" }, read { path = path, format = "lines", split = 3 })
  end)

  it("S42b: goes on at any position in compressed files", function()
    seeded()
    local lines = numbers(1, 30000)
    local path = write("large.txt", text_of(lines))
    assert.equal(0, os.execute(("cd '%s' && gzip -k large.txt && zstd -q large.txt && head -n 9000 large.txt | gzip > two.gz " ..
      "&& tail -n +9001 large.txt | gzip -1 >> two.gz && head -n 77 large.txt | zstd -q > two.zst && tail -n +78 large.txt | zstd -q >> two.zst"):format(dir)))
    for _, name in ipairs { "/large.txt.gz", "/large.txt.zst", "/two.gz", "/two.zst" } do
      local options = { path = dir .. name, format = "lines", split = 1000 }
      assert.same(lines, read(options))
      assert.same(lines, read_in_pieces(options))
    end
    assert.is_truthy(path)
  end)

  it("takes zero bytes behind a gzip member for padding, and nothing else", function()
    write("a.txt", "one\ntwo\n")
    os.execute(("cd '%s' && gzip -k a.txt && cp a.txt.gz pad.gz && head -c 1000 /dev/zero >> pad.gz && cp a.txt.gz bad.gz && echo tail >> bad.gz"):format(dir))
    assert.same({ "one", "two" }, read { path = dir .. "/pad.gz", format = "lines" })
    assert.truthy(failure(read, { path = dir .. "/bad.gz", format = "lines" }):find("bad.gz: incorrect header check at compressed byte", 1, true))
  end)

  it("says file and place of compressed input that is cut or damaged", function()
    seeded()
    local noise = {}
    for i = 1, 20000 do noise[i] = tostring(math.random()) end
    write("a.txt", text_of(noise))
    os.execute(("cd '%s' && gzip -k a.txt && zstd -q --check a.txt"):format(dir))
    for _, ending in ipairs { ".gz", ".zst" } do
      local good = temporary.read(dir .. "/a.txt" .. ending)
      for _, cut in ipairs { 0, 1, 5, 100, math.floor(#good / 2), #good - 1 } do
        local message = failure(read, { path = write("cut" .. ending, good:sub(1, cut)), format = "lines" })
        assert.truthy(message:find("cut" .. ending .. ": cut short at compressed byte " .. cut, 1, true), message)
      end
      for _ = 1, 40 do
        -- Behind the header and before the trailer: the checksum finds every change of what is read, and some bits mean nothing.
        local at = math.random(40, #good - 9)
        local flipped = good:sub(1, at - 1) .. string.char(bit.bxor(good:byte(at), bit.lshift(1, math.random(0, 7)))) .. good:sub(at + 1)
        local ok, result = pcall(read, { path = write("bad" .. ending, flipped), format = "lines" })
        if ok then
          assert.same(noise, result, "byte " .. at)
        else
          assert.truthy(tostring(result):find("bad" .. ending, 1, true), "byte " .. at .. ": " .. tostring(result))
        end
      end
    end
  end)

  it("reads CSV with its header in every split, at every position", function()
    seeded()
    local rows, text = {}, { "name,number" }
    for i = 1, 9000 do
      rows[i] = { name = "n" .. i, number = i }
      text[i + 1] = "n" .. i .. "," .. i
    end
    local path = write("rows.csv", text_of(text))
    for _, size in ipairs { 5, 12, 1000, 30000, 1000000 } do
      if size > 100 then assert.same(rows, read { path = path, format = "csv", split = size }) end
      assert.same({ rows[1], rows[2], rows[3] },
        read { path = write("few.csv", "name,number\nn1,1\nn2,2\nn3,3\n"), format = "csv", split = size }, "split = " .. size)
    end
    assert.same(rows, read_in_pieces { path = path, format = "csv", split = 40000 })
    os.execute(("cd '%s' && gzip -k rows.csv"):format(dir))
    assert.same(rows, read_in_pieces { path = path .. ".gz", format = "csv" })
  end)

  it("never splits what is not lines", function()
    local path = write("rows.csv", 'a,b\n1,"two\nlines"\n2,"three\nmore\nlines"\n')
    local source = drive.source("file", { path = path, format = "csv", multiline = true, split = 3 })
    assert.same({ path .. "#0" }, (source:splits()))
    assert.same({ { a = 1, b = "two\nlines" }, { a = 2, b = "three\nmore\nlines" } }, source:read_all())
    source:close()
    local packed = drive.source("file", { path = write("x.msgpack", "\1\2\10\3"), format = "msgpack", split = 1 })
    assert.equal(1, #packed:splits())
    assert.same({ 1, 2, 10, 3 }, packed:read_all())
    packed:close()
  end)

  it("tells bad records with file and line, and goes on where the handler says so", function()
    local path = write("bad.jsonl", '{"a":1}\nnot json\n{"a":2}\n\n{"a":\n{"a":3}\n')
    local told = {}
    local rows = read({ path = path, format = "json" }, function(where, code, bytes, message)
      told[#told + 1] = where:gsub("^" .. dir:gsub("%p", "%%%0") .. "/", "") .. " " .. bytes
      assert.is_true(code < 0 and #message > 0)
      return 0
    end)
    assert.same({ { a = 1 }, { a = 2 }, { a = 3 } }, rows)
    assert.same({ 'bad.jsonl:2 not json', 'bad.jsonl:5 {"a":' }, told)
    assert.truthy(failure(read, { path = path, format = "json" }):find(path .. ":2: ", 1, true))
    assert.has_error(function() read({ path = path, format = "json" }, function() return -1000 end) end)
  end)

  it("tells the byte where the line is not known", function()
    local path = write("bad.jsonl", '{"a":1}\n{"a":2}\nwrong\n{"a":3}\n')
    local places = {}
    local rows = read({ path = path, format = "json", split = 4 }, function(where) places[#places + 1] = where return 0 end)
    assert.same({ { a = 1 }, { a = 2 }, { a = 3 } }, rows)
    assert.same({ path .. ": byte 16" }, places)
  end)

  it("S42b: refuses a position in a file that was written anew, and takes one in a copy of it", function()
    local text = text_of(numbers(1, 1000))
    local path = write("a.txt", text)
    local source = drive.source("file", { path = path, format = "lines" })
    local reader = source:reader(path .. "#0")
    reader:poll()
    local position = reader:position()
    reader:close()
    assert.truthy(tonumber(position:match "^%d+") > 0)
    write("copy.txt", text)
    os.rename(dir .. "/copy.txt", path)
    source:reader(path .. "#0", position):close()
    write("a.txt", (text:gsub("%d", "7")))
    local message = failure(source.reader, source, path .. "#0", position)
    assert.truthy(message:find(path .. ": was written anew: other bytes lie before byte ", 1, true), message)
  end)

  it("refuses a position behind the end and what is no position or split", function()
    local path = write("a.txt", text_of(numbers(1, 1000)))
    local options = { path = path, format = "lines" }
    local source = drive.source("file", options)
    local reader = source:reader(path .. "#0")
    reader:drain()
    local position = reader:position()
    reader:close()
    write("a.txt", "less\n")
    local message = failure(source.reader, source, path .. "#0", position)
    assert.truthy(message:find(path .. ": has shrunk to 5 bytes, below position", 1, true), message)
    os.remove(path)
    assert.truthy(failure(source.reader, source, path .. "#0", position):find(path .. ": No such file", 1, true))
    write("a.txt", "less\n")
    for _, bad in ipairs { "x", "1", "1 2 3", "1 2 3 4 5", "-1 0 0 0", "99999999999999999999 0 0 0", ("1"):rep(200) } do
      assert.has_error(function() source:reader(path .. "#0", bad) end)
    end
    for _, bad in ipairs { "", "#", path, path .. "#", path .. "#-1", path .. "#1-", path .. "#5-5", path .. "#9-3", path .. "#1x", "#0" } do
      assert.has_error(function() source:reader(bad) end)
    end
    source:close()
    os.execute(("cd '%s' && gzip -kf a.txt"):format(dir))
    local packed = drive.source("file", { path = path .. ".gz", format = "lines" })
    message = failure(packed.reader, packed, path .. ".gz#0", "6 1 1 0")
    assert.truthy(message:find("ends at byte 5, before position 6", 1, true), message)
    packed:close()
    assert.has_error(function() drive.source("file", { path = path, format = "lines", split = 0 }) end)
  end)
end)
