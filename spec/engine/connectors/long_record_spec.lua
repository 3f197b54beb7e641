local child = require "engine.connectors.child"
local temporary = require "support.temporary"

local megabyte = 1024 * 1024

-- Reads what arg[1] names and prints the values' lengths, what it was told of bad records, and its peak of memory in kB.
local code = [[
  local source = drive.source("file", { path = arg[1], format = arg[2], split = arg[3] })
  local values = source:read_all(function(where, _, bytes, message)
    print("bad " .. where:gsub("^.*/", "") .. " " .. #bytes .. " " .. message)
    return 0
  end)
  for _, value in ipairs(values) do print(type(value) == "string" and #value or value.a) end
  print("peak " .. temporary.read("/proc/self/status"):match("VmHWM:%s+(%d+)"))
]]

describe("a record that is too long", function()
  local dir

  before_each(function() dir = temporary.folder() end)
  after_each(function() temporary.remove(dir) end)

  local function make(name, before, count, after)
    local path = dir .. "/" .. name
    local file = assert(io.open(path, "wb"))
    file:write(before)
    local block = ("y"):rep(megabyte)
    for _ = 1, count do file:write(block) end
    file:write(after)
    file:close()
    return path
  end

  local function read(path, format, split)
    local status, output, errors = child.run(dir, code, { args = { path, format or "lines", split or -1 } })
    assert.equal(0, status, errors)
    local lines, peak_kb = {}, nil
    for line in output:gmatch "[^\n]+" do
      if line:find "^peak" then peak_kb = tonumber(line:match "%d+") else lines[#lines + 1] = line end
    end
    return lines, peak_kb
  end

  it("is refused with file and line, in bounded memory, and the next one is read", function()
    local path = make("long.txt", "first\nsecond\n", 200, "\nthird\n")
    local lines, peak_kb = read(path)
    assert.equal(4, #lines)
    assert.truthy(lines[1]:find("^bad long.txt:3 "), lines[1])
    assert.truthy(lines[1]:find "67108864 bytes", lines[1])
    assert.same({ "5", "6", "5" }, { lines[2], lines[3], lines[4] })
    -- The limit of a record, the window's headroom, and the process itself; the sanitizer keeps what is freed for a while.
    local allowed_mb = os.getenv "LD_PRELOAD" and 600 or 180
    assert.is_true(peak_kb / 1024 < allowed_mb, peak_kb .. " kB")
  end)

  it("is refused at the end of a file, in a compressed one and in a split", function()
    local path = make("long.txt", "first\n", 70, "")
    os.execute("gzip -1 -k '" .. path .. "'")
    for _, name in ipairs { path, path .. ".gz" } do
      local lines = read(name)
      assert.equal(2, #lines)
      assert.truthy(lines[1]:find("^bad long.txt[.gz]*:2 "), lines[1])
      assert.equal("5", lines[2])
    end
    local lines = read(path, "lines", 20 * megabyte)
    assert.equal(2, #lines)
    lines = read(make("long.jsonl", '{"a":1}\n{"a":"', 70, '"}\n{"a":2}\n'), "json", 20 * megabyte)
    assert.same({ "1", "2" }, { lines[2], lines[3] })
    assert.truthy(lines[1]:find("^bad long.jsonl"), lines[1])
  end)

  it("may have 64 MB", function()
    local lines = read(make("long.txt", "first\n", 64, "\nthird\n"))
    assert.same({ "5", tostring(64 * megabyte), "5" }, lines)
  end)
end)
