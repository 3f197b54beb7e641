package.path = "scripts/?.lua;" .. package.path
local edit = require "mutation.edit"
local faults = require "mutation.faults"
local options = require "mutation.options"
local process = require "benchmark.process"
local temporary = require "support.temporary"

describe("scripts/mutate", function()
  it("has a fault for every rule of time, windows, joins and iterations over maps", function()
    local known, missing = {}, {}
    for _, fault in ipairs(faults) do known[fault.rule] = true end
    local rules = { "S18b", "S18c", "S18d", "S29b", "S29c", "S29d", "S57", "S52", "S58", "S60", "F1", "F2", "F3", "F4", "F5" }
    for i = 1, 32 do rules[#rules + 1] = "S" .. i end
    for _, rule in ipairs(rules) do
      if not known[rule] then missing[#missing + 1] = rule end
    end
    assert.are.same({}, missing)
  end)

  it("names specs that are there", function()
    for _, fault in ipairs(faults) do
      for _, spec in ipairs(fault.specs) do assert(io.open(spec), fault.rule .. ": " .. spec):close() end
    end
  end)

  it("finds each fault's place", function()
    for _, fault in ipairs(faults) do assert(edit.find(".", fault)) end
  end)

  it("takes rules, copies and flags", function()
    local given = options.parse { "--rule", "S20", "--rule", "F1", "--jobs", "3", "--keep" }
    assert.are.same({ rule = { S20 = true, F1 = true }, jobs = 3, keep = true }, given)
  end)
end)

describe("a command that does not end", function()
  local pool = require "mutation.pool"

  it("is killed with what it started in a session of its own", function()
    local log = os.tmpname()
    local status
    pool.run(1, function()
      status = pool.call({ "sh", "-c", "setsid -w sh -c 'echo $$; sleep 60 & echo $!; wait' ; echo after" }, log, 3)
    end)
    assert.are.equal(pool.timed_out, status)
    local file = assert(io.open(log))
    local one, two = file:read("*n", "*n")
    file:close()
    os.remove(log)
    os.remove(log .. ".errors")
    for _, pid in ipairs { one, two } do
      local limit, text = process.now() + 30, nil
      repeat -- a signal takes a moment
        text = process.read_file(("/proc/%d/stat"):format(pid))
      until not text or text:match("%) (%S)") == "Z" or process.now() > limit
      assert.is_true(not text or text:match("%) (%S)") == "Z", text)
    end
  end)

  it("is not waited for when it ends in time", function()
    local log, status = os.tmpname(), nil
    pool.run(1, function() status = pool.call({ "sh", "-c", "exit 3" }, log, 60) end)
    assert.are.equal(3, status)
    os.remove(log)
    os.remove(log .. ".errors")
  end)
end)

describe("a fault", function()
  local root

  before_each(function()
    root = temporary.folder()
    temporary.write(root .. "/a.c", "int a;\nint b = a < 1;\nint c = a\n    + b;\nint d = c < 2;\n")
  end)

  after_each(function() temporary.remove(root) end)

  local function fault(from, to, file) return { rule = "S1", file = file or "a.c", from = from, to = to, specs = {} } end

  it("stands where its text is, once, and tells the line that changes", function()
    local found = edit.find(root, fault("a < 1", "a <= 1"))
    assert.are.equal("int a;\nint b = a <= 1;\nint c = a\n    + b;\nint d = c < 2;\n", found.after)
    assert.are.equal(2, found.line)
    found = edit.find(root, fault("int c = a\n    + b;", "int c = a\n    - b;"))
    assert.are.equal(4, found.line)
    assert.are.equal("int a;\nint b = a < 1;\nint c = a\n    - b;\nint d = c < 2;\n", found.after)
  end)

  it("is an error where its text is absent, there twice, the same as its replacement, or in no file", function()
    local function complaint(one) return select(2, edit.find(root, one)) end
    assert.are.equal("S1: a.c does not contain: a > 1", complaint(fault("a > 1", "a")))
    assert.are.equal("S1: a.c contains twice:  < ", complaint(fault(" < ", " > ")))
    assert.are.equal("S1: a.c: nothing changes in: a < 1", complaint(fault("a < 1", "a < 1")))
    assert.are.equal("S1: b.c is not there", complaint(fault("a", "b", "b.c")))
  end)

  it("is shown by what differs", function()
    assert.are.equal("a < 1  ->  a <= 1", edit.shown(fault("a < 1", "a <= 1")))
    assert.are.equal("stays();  ->  (nothing)", edit.shown(fault("    stays();\n", "")))
  end)
end)
