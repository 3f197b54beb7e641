local child = require "engine.connectors.child"
local drive = require "engine.connectors.drive"
local temporary = require "support.temporary"

describe("standard input and output", function()
  local dir

  before_each(function() dir = temporary.folder() end)
  after_each(function() temporary.remove(dir) end)

  local copy = [[
    local source = drive.source("stdin", { format = arg[1] })
    local reader = source:reader("stdin", nil, function(where, _, bytes) io.stderr:write(where, " ", bytes, "\n") return 0 end)
    local sink = drive.sink("stdout", { format = "json" })
    local idle = 0
    while true do
      local status, values = reader:poll()
      assert(status > 0, drive.message())
      for from = 1, #values, 1024 do
        local part = {}
        for i = from, math.min(#values, from + 1023) do part[#part + 1] = values[i] end
        assert(sink:write(part) == 0, drive.message())
      end
      if status == drive.END then break end
      if status == drive.IDLE then
        idle = idle + 1
        local ms, descriptor = reader:wait()
        assert(descriptor == 0)
      end
    end
    local records, bytes = sink:counts()
    io.stderr:write(records, " ", bytes, " ", idle > 0 and "waited" or "", "\n")
    sink:close() reader:close() source:close()
  ]]

  it("carry records through", function()
    local lines = {}
    for i = 1, 5000 do lines[i] = '{"a":' .. i .. "}" end
    local text = table.concat(lines, "\n") .. "\n"
    local input = temporary.write(dir .. "/in", text)
    local status, output, errors = child.run(dir, copy, { args = { "json" }, input = input })
    assert.equal(0, status, errors)
    assert.equal(text, output)
    assert.equal("5000 " .. #text .. " \n", errors)
  end)

  it("answer at once where nothing is there, and tell line and bytes of a bad record", function()
    local fifo = dir .. "/fifo"
    -- The writer waits for the reader's first poll, which it sees by a file: no clock in it.
    local writer = [[{ (exec 3> '%s'; while [ ! -e '%s/polled' ]; do :; done; printf '{"a":1}\nbad\n{"a"' >&3; printf ':2}\n' >&3) & }]]
    os.execute(("mkfifo '%s' && "):format(fifo) .. writer:format(fifo, dir))
    local status, output, errors = child.run(dir, [[
      local source = drive.source("stdin", { format = "json" })
      local reader = source:reader("stdin", nil, function(where, _, bytes) print(where, bytes) return 0 end)
      local status, values = reader:poll()
      assert(status == drive.IDLE and #values == 0)
      temporary.write(arg[1] .. "/polled", "")
      repeat
        status, values = reader:poll()
        for _, value in ipairs(values) do print(value.a) end
      until status == drive.END
      print(reader:position())
    ]], { args = { dir }, input = fifo })
    assert.equal(0, status, errors)
    local seen = {}
    for line in output:gmatch "[^\n]+" do seen[#seen + 1] = line end
    table.sort(seen)
    assert.same({ "1", "2", "20 3 3 0", "stdin:2\tbad" }, seen)
  end)

  it("ask again at once where bytes have just come, and seldom where none come", function()
    local fifo = dir .. "/fifo"
    -- The writer waits for files of the reader; where the directory is gone, it ends.
    os.execute(([[
      mkfifo '%s' && cd '%s' && {
        wait_for() { while [ -e fifo ] && [ ! -e "$1" ]; do :; done; }
        (exec 3> fifo; printf '1\n' >&3; wait_for waited; printf '2\n' >&3; wait_for done) &
      }]]):format(fifo, dir))
    local status, output, errors = child.run(dir, [[
      local source = drive.source("stdin", { format = "json" })
      local reader = source:reader("stdin")
      local function after_bytes()
        local seen, status, values = 0
        repeat
          status, values = reader:poll()
          seen = seen + #values
        until seen > 0 and status == drive.IDLE
        return reader:wait()
      end
      local pauses = { (after_bytes()) }
      for i = 2, 100 do
        assert(reader:poll() == drive.IDLE)
        pauses[i] = reader:wait()
        assert(pauses[i] - pauses[i - 1] >= 0 and pauses[i] - pauses[i - 1] <= 1)
      end
      temporary.write(arg[1] .. "/waited", "")
      print(pauses[1], pauses[100], (after_bytes()))
      temporary.write(arg[1] .. "/done", "")
    ]], { args = { dir }, input = fifo })
    assert.equal(0, status, errors)
    assert.equal("0\t10\t0\n", output)
  end)

  it("are told as one split that cannot be read again", function()
    local source = drive.source("stdin", { format = "lines" })
    assert.same({ "stdin" }, (source:splits()))
    assert.is_false(source.vtab.replayable)
    assert.has_error(function() source:reader "stdout" end)
    source:close()
  end)

  it("fail where the disk is full or the reader has gone, and may be tried again", function()
    local code = [[
      local sink = drive.sink("stdout", { format = "lines" })
      local status, failed = sink:write { "one", "two" }
      io.stderr:write(status, " ", failed, " ", drive.message(), "\n")
      io.stderr:write(sink:counts(), "\n")
    ]]
    local status, _, errors = child.run(dir, code, { output = "/dev/full" })
    assert.equal(0, status)
    assert.equal("-996 -1 stdout: No space left on device\n0\n", errors)
    -- A pipe that nobody reads: opened for both ways to get it, then only the writing end is kept.
    os.execute("mkfifo '" .. dir .. "/gone'")
    status, _, errors = child.run(dir, ([[
      local ffi = require "ffi"
      ffi.cdef "int open(const char *, int, ...); int dup2(int, int); int close(int);"
      local both = ffi.C.open("%s/gone", 2)
      local writing = ffi.C.open("%s/gone", 1)
      ffi.C.dup2(writing, 1) ffi.C.close(both)
    ]]):format(dir, dir) .. code)
    assert.equal(0, status, errors)
    assert.equal("-997 -1 stdout: Broken pipe\n0\n", errors)
  end)

  it("print the header of a format once, whichever subtask writes first", function()
    local status, output, errors = child.run(dir, [[
      local a = drive.sink("stdout", { format = "csv" }, { subtask = 0, parallelism = 2 })
      local b = drive.sink("stdout", { format = "csv" }, { subtask = 1, parallelism = 2 })
      assert(b:write { { x = 1, y = 2 } } == 0)
      assert(a:write { { x = 3, y = 4 } } == 0)
      assert(b:write { { x = 5, y = 6 } } == 0)
      a:close() b:close()
    ]])
    assert.equal(0, status, errors)
    assert.equal("x,y\n1,2\n3,4\n5,6\n", output)
  end)

  it("put the fields of all subtasks under the header that was printed", function()
    local status, output, errors = child.run(dir, [[
      local a = drive.sink("stdout", { format = "csv" }, { subtask = 0, parallelism = 2 })
      local b = drive.sink("stdout", { format = "csv" }, { subtask = 1, parallelism = 2 })
      local status, failed = a:write { "no row" }
      assert(status < 0 and failed == 0)
      assert(b:write { { x = 1, y = 2 }, { y = 3 } } == 0)
      assert(a:write { { y = 4 }, { x = 5, y = 6 } } == 0)
      status, failed = a:write { { x = 7 }, { z = 8 } }
      assert(status < 0 and failed == 1)
      a:close() b:close()
    ]])
    assert.equal(0, status, errors)
    assert.equal("x,y\n1,2\n,3\n,4\n5,6\n7,\n", output)
  end)

  it("take the records before one that cannot be written", function()
    local status, output, errors = child.run(dir, [[
      local sink = drive.sink("stdout", { format = "csv" })
      local status, failed = sink:write({ "no row", { x = 1 } })
      assert(status < 0 and failed == 0, failed)
      status, failed = sink:write({ { x = 1 }, { x = 2 }, "no row", { x = 3 } })
      assert(status < 0 and failed == 2, failed)
      assert(sink:write({ { x = 1 }, { x = 2 }, "no row", { x = 3 } }, 3) == 0)
      assert(sink:counts() == 3)
    ]])
    assert.equal(0, status, errors)
    assert.equal("x\n1\n2\n3\n", output)
  end)
end)
