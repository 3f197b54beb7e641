-- Records and callbacks that cannot be: each ends in an error that names the place.
local run = require "support.run"

-- A job whose step does `at_seven` at record 7.
local function script_with(at_seven, key)
  return ([[
:key_by(function(n) %s return n %% 3 end)
:process("detector", { state = { v = mt.value_state() }, process_element = function(self, n, ctx, out)
  if n == 7 then
    %s
  end
  out:collect(n)
end }):to(mt.stdout { format = "json" })]]):format(key or "", at_seven or "")
end

local in_detector = 'job "tide", step "detector", subtask 0: '
local line_7 = "job%.lua:7: in process_element\n  key     1     time none\n  record  7\n"

describe("an error of user code", function()
  local here

  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  local function fail(steps, options)
    local script = here:job(options or '{ parallelism = 1, restart = "none" }', steps, "mt.sequence { from = 1, to = 100 }")
    local started = here:run(script)
    assert.are.equal(1, started:wait(), started.err)
    return started.err
  end

  local function names(err, text, pattern)
    assert.is_truthy(err:find(text, 1, true), err)
    if pattern then assert.is_truthy(err:match(pattern), err) end
  end

  it("names a recursion without end that is not compiled, in a report that one can read", function()
    local err = fail(script_with("local function deep(i) return 1 + deep(i + 1) end  jit.off(deep)  deep(1)"))
    names(err, in_detector .. "stack overflow", "job%.lua:7: in deep\n.*record  7\n")
    assert.is_true(select(2, err:gsub("\n", "")) < 40, err)
  end)

  it("names the step and the record at which memory ran out, in small pieces and in a large one", function()
    for _, code in ipairs {
      'local list = {}  for i = 1, math.huge do list[i] = ("x"):rep(1e6) .. i end',
      'local text = "x"  while true do text = text .. text end',
    } do
      names(fail(script_with(code)), in_detector .. "not enough memory", "\n  job%.lua:%d+%-%d+: in process_element\n  key     1     time none\n  record  7\n")
    end
  end)

  it("names the callback where the stack ran out in compiled code, whose lines are lost", function()
    for _, code in ipairs {
      "local a; local function b(x) return a(x) + 1 end a = function(x) return b(x + 1) * 2 end a(1)",
      "local function deep(i) return 1 + deep(i + 1) end  deep(1)",
    } do
      for _ = 1, 5 do names(fail(script_with(code)), in_detector .. "stack overflow", "\n  job%.lua:[%d%-]+: in [%w_]+\n.*record  7\n") end
    end
  end)

  it("names a table that holds itself, in state and in a record", function()
    local message = in_detector .. "a table is nested deeper than 64 levels (or holds itself)"
    names(fail(script_with("local t = {}  t.self = t  self.v:update(t)")), message, line_7)
    names(fail(script_with("local t = {}  t.self = t  out:collect(t)")), message, line_7)
  end)

  it("L4: names keys that are none: NaN, nil, a map", function()
    local place = 'step "key_by-1", subtask 0: '
    names(fail(script_with("", "if n == 7 then return 0 / 0 end")), place .. "a key cannot be NaN", "  record  7\n")
    names(fail(script_with("", "if n == 7 then return nil end")), place .. "the key is nil", "  record  7\n")
    names(fail(script_with("", "if n == 7 then return { a = 1 } end")), place .. "a key cannot be a map", "  record  7\n")
  end)

  it("names a value that a record cannot hold", function()
    names(fail(script_with("out:collect { f = print }")), in_detector .. "a record cannot hold a function", line_7)
  end)

  it("names the map whose answer no record can hold, and sends what it was given as a dead letter", function()
    local source, answers = "mt.values { { a = 1 }, { a = 2 } }", "  :map(function(r) return r.a == 1 and { f = %s } or r end)"
    for value, message in pairs { ["print"] = "a record cannot hold a function", ["coroutine.create(print)"] = "a record cannot hold a thread" } do
      for steps, step in pairs {
        [answers .. ":filter(function() return true end)"] = "map-1",
        [answers .. ":key_by(function(r) return 1 end):process('p', function(r, ctx, out) out:collect(r) end)"] = "map-1",
        [answers .. ":map(function(r) if r.f then error('%s') end return r end)"] = "map-2",
      } do
        local options = "{ parallelism = 1, on_error = { dead_letter = mt.stdout {} } }"
        local started = here:run(here:job(options, steps:format(value, message) .. ":to(mt.stdout {})", source), "--fresh")
        assert.are.equal(0, started:wait(), started.err)
        names(started.out, message .. '","record":{"a":1},"step":"' .. step .. '"')
        names(started.out, '{"a":2}\n')
      end
    end
  end)

  it("names a field that is set in mt.null, which all records share", function()
    names(fail("  :map(function(n) if n == 7 then mt.null.x = n end return n end):to(mt.blackhole {})"),
      "a field 'x' of mt.null", "job%.lua:4: in map\n.*record  7\n")
  end)

  it("names the field that JSON cannot hold", function()
    names(fail(script_with('out:collect { text = "\\255\\254" }')), 'step "sink-1", subtask 0: field \'text\': JSON cannot hold a string that is not UTF-8')
    names(fail(script_with('out:collect { ["\\255"] = 1 }')), 'step "sink-1", subtask 0: JSON cannot hold a field name that is not UTF-8')
  end)

  it("names the line of a callback that never returns, compiled or not", function()
    local slow = "local text = ('a'):rep(50000)  while n == 7 do text = text:gsub('a', 'a') end"
    for _, code in ipairs { "while n == 7 do n = 7 end", "for i = 1, math.huge do ctx = tostring(i) end", slow } do
      local err = fail(script_with(code), '{ parallelism = 1, watchdog = "300ms", restart = { initial = 1 } }')
      names(err, "ended by the watchdog", "job%.lua:7: in process_element")
      here:destroy()
      here = run.new()
    end
  end)

  it("says that the line of a callback is not known which never returns from one call", function()
    local err = fail(script_with 'return (("a"):rep(40)):find(("a*"):rep(20) .. "b")',
      '{ parallelism = 1, watchdog = "100ms", restart = { strategy = "fixed_delay", attempts = 1, delay = 1 } }')
    names(err, "to name the line\n", "attempt 2.*it was within one call that did not return to Lua, so its line is not known\ntide: failed")
  end)

  it("names file and line of a record of 200 MB, and goes on behind it where it is skipped", function()
    local file = assert(io.open(here.directory .. "/big.txt", "w"))
    file:write("a\n")
    for _ = 1, 200 do file:write(("x"):rep(1e6)) end
    file:write("\nb\n")
    file:close()
    local source, sink = ("mt.file { path = '%s/big.txt', format = 'lines' }"):format(here.directory), ":to(mt.stdout { format = 'json' })"
    local started = here:run(here:job('{ parallelism = 1, restart = "none" }', sink, source))
    assert.are.equal(1, started:wait(), started.err)
    names(started.err, "big.txt:2: a line of more than 67108864 bytes")
    started = here:run(here:job('{ parallelism = 1, on_error = "skip" }', sink, source), "--fresh")
    assert.are.equal(0, started:wait(), started.err)
    assert.are.equal('"a"\n"b"\n', started.out)
  end)

  it("tells the first records that a function drops, and how many there were", function()
    local script = here:job('{ parallelism = 1, on_error = "skip" }', [[
:map(function(n) return n + 1 end)
:map(function(n)
  if n % 2 == 0 then error("odd\27 " .. n) end
  return n
end, { name = "even" })
:to(mt.blackhole {})]])
    local started = here:run(script)
    assert.are.equal(0, started:wait(), started.err)
    local _, told = started.err:gsub('warn  step "even", subtask 0: odd[^\n]* %d+ %(job%.lua:%d+[^\n]*%)', "")
    assert.are.equal(10, told, started.err)
    names(started.err, 'step "even": further bad records are counted, not logged')
    assert.is_nil(started.err:find("\27", 1, true), started.err)
  end)

  it("says so where a state is updated with a dot instead of a colon, which would clear it", function()
    local steps = [[:key_by(function() return 1 end):process("p", { state = { n = mt.value_state() }, process_element = function(self)
  self.n.update(%s)
end }):to(mt.blackhole {})]]
    for _, value in ipairs { "5", "{ 5 }" } do
      local started = here:run(here:job('{ parallelism = 1, restart = "none" }', steps:format(value)), "--fresh")
      assert.are.equal(1, started:wait(), started.err)
      names(started.err, "call it with a colon: state:update(value)")
      names(started.err, "job.lua:")
    end
  end)

  it("shows bytes of records that would steer a terminal as numbers", function()
    local bytes = here:write("bytes.jsonl", '{"a":"\27]0;x\7"}\n')
    local source = ("mt.file { path = '%s', format = '%%s' }"):format(bytes)
    local function err_of(format, steps)
      local started = here:run(here:job('{ parallelism = 1, restart = "none" }', steps, source:format(format)), "--fresh")
      assert.are.equal(1, started:wait(), started.err)
      assert.is_nil(started.err:find("[%z\1-\8\11-\31\127]"), started.err)
      return started.err
    end
    names(err_of("json", "  :to(mt.blackhole {})"), [[{"a":"\x1b]0;x\x07"}]])
    names(err_of("lines", "  :map(function(line) error(line) end):to(mt.blackhole {})"), [[{"a":"\x1b]0;x\x07"}]])
  end)

  it("is told as a whole where its message has a byte 0, in report, log and at load", function()
    local raise = 'error("a\\0b\\27[31m\\255")'
    local told = "a\\x00b\\x1b[31m\\xff"
    names(fail(script_with(raise)), in_detector .. told .. "\n", line_7)
    local steps = script_with('mt.log.warn("x\\0y") ' .. raise)
    local started = here:run(here:job('{ parallelism = 1, on_error = "skip" }', steps, "mt.sequence { from = 1, to = 9 }"), "--fresh")
    assert.are.equal(0, started:wait(), started.err)
    names(started.err, 'step "detector", subtask 0: ' .. told .. " (job.lua:7: in process_element)\n")
    names(started.err, 'step "detector", subtask 0: x\\x00y\n')
    started = here:run(here:write("load.lua", 'error("a\\0b")'))
    assert.are.equal(2, started:wait(), started.err)
    names(started.err, "load.lua:1: a\\x00b\n")
  end)
end)
