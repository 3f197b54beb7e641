-- Records that steps of the library cannot take, and answers of functions that cannot be: the report names
-- step, line of the script, key, time and record as it does where user code throws, and on_error decides.
local run = require "support.run"

local policy_line = '  state of this record was rolled back; on_error = "fail" (also: "skip", { dead_letter = sink })\n'

describe("a record that a step of the library cannot take", function()
  local here

  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  local function ended(status, source, steps, on_error)
    local options = ('{ parallelism = 1, restart = "none", on_error = %s }'):format(on_error or '"fail"')
    local started = here:run(here:job(options, steps, source), "--fresh")
    assert.are.equal(status, started:wait(), started.err)
    return started
  end

  local function fails(source, steps, report)
    local err = ended(1, source, steps).err
    assert.is_truthy(err:find('moontide: job "tide", ' .. report, 1, true), err)
    return err
  end

  -- Each as { source, steps, step at fault, what is wrong, line and method, key and time, record, other record's output }; steps begin at line 4.
  local timed = ':assign_timestamps { field = "t" }\n:key_by("k")\n'
  local cases = {
    { "{ k = 1 }, { b = 'x' }", ':key_by("k"):count("c")', "key_by-1", "the record has no field 'k' to key by", "4: in key_by",
      "none     time none", '{"b":"x"}' },
    { "{ k = 1 }, { k = 0 / 0 }", '\n:key_by("k"):count("c")', "key_by-1", "field 'k': a key cannot be NaN", "5: in key_by", "none     time none", '{"k":NaN}' },
    { "{ k = 1, l = 1 }, { k = 2, l = { a = 1 } }", ':key_by { "k", "l" }:count("c")', "key_by-1", "field 'l': a key cannot be a map", "4: in key_by",
      "none     time none", '{"k":2,"l":{"a":1}}' },
    { "{ k = 1 }, 5", ':key_by("k"):count("c")', "key_by-1", "the record is not a table: it has no field 'k' to key by", "4: in key_by",
      "none     time none", "5" },
    { "{ k = 1, n = 2 }, { k = 'a' }", ':key_by("k")\n:sum("c", "n")', "c", "sum: field 'n' must be a number, got nothing", "5: in sum",
      '"a"     time none', '{"k":"a"}' },
    { "{ k = 1, n = 2 }, { k = 'a', n = 'x' }", ':key_by("k")\n:min("c", "n")', "c", "min: field 'n' must be a number, got \"x\"", "5: in min", '"a"     time none',
      '{"k":"a","n":"x"}' },
    { "{ k = 1, n = 2 }, { k = 'a' }", ':key_by("k")\n:aggregate("c", mt.aggregates { m = mt.agg.avg "n" })', "c", "avg: field 'n' must be a number, got nothing",
      "5: in aggregate", '"a"     time none', '{"k":"a"}' },
    { "{ k = 1, n = 2, t = 5 }, { k = 'a', t = 7, n = 'x' }", timed .. ':window(mt.tumbling { size = "1h" })\n:sum("c", "n")', "c",
      "sum: field 'n' must be a number, got \"x\"", "7: in sum", '"a"     time 1970-01-01T00:00:00.007Z', '{"k":"a","n":"x","t":7}' },
    { "{ k = 1, n = 2, t = 5 }, { k = 'a', t = 7 }", timed .. ':window(mt.session { gap = "1h" })\n:max("c", "n")', "c",
      "max: field 'n' must be a number, got nothing", "7: in max", '"a"     time 1970-01-01T00:00:00.007Z', '{"k":"a","t":7}' },
    { "{ k = 1, n = 2, t = 5 }, { k = 'a', t = 7 }", timed .. ':window(mt.sliding { size = 10, slide = 5 }):trigger(mt.trigger.count(1))\n:sum("c", "n")', "c",
      "sum: field 'n' must be a number, got nothing", "7: in sum", '"a"     time 1970-01-01T00:00:00.007Z', '{"k":"a","t":7}' },
    { "{ k = 1, n = 2, t = 5 }, { k = 'a', t = 7 }", timed .. ':window(mt.tumbling { size = 10 })\n:aggregate("c", mt.aggregates { m = mt.agg.avg "n" })', "c",
      "avg: field 'n' must be a number, got nothing", "7: in aggregate", '"a"     time 1970-01-01T00:00:00.007Z', '{"k":"a","t":7}' },
    { "{ k = 1 }", '\n:key_by("k"):interval_join(job:from(mt.values {}):key_by("k"), { lower = 0, upper = 1 })\n:process("c", function(l) end)', "c",
      "interval join: the record has no time stamp", "6: in interval_join", "1     time none", '{"k":1}' },
    { "{ t = 5 }, { u = 1 }", ':assign_timestamps { field = "t" }', "assign_timestamps-1", "the record has no field 't' to take its time from", "4: in assign_timestamps",
      "none     time none", '{"u":1}' },
    { "{ t = 5 }, { t = 'noon' }", ':assign_timestamps { field = "t" }', "assign_timestamps-1",
      "field 't' is \"noon\", which is not a whole number of milliseconds within 2^53 ms of 1970", "4: in assign_timestamps", "none     time none", '{"t":"noon"}' },
  }

  for _, case in ipairs(cases) do
    local values, steps, step, message, place, key, record = unpack(case)
    local source = "mt.values { " .. values .. " }"
    it("is told with its step, line, key, time and record: " .. message .. " in " .. place:match("%a.*"), function()
      fails(source, steps .. "\n:to(mt.stdout {})", ('step "%s", subtask 0: %s\n  job.lua:%s\n  key     %s\n  record  %s\n%s')
        :format(step, message, place, key, record, policy_line))
    end)

    it("is left out, or is a dead letter, where on_error says so: " .. message .. " in " .. place:match("%a.*"), function()
      local skipped = ended(0, source, steps .. "\n:to(mt.stdout {})", '"skip"')
      assert.is_truthy(skipped.err:find(('warn  step "%s", subtask 0: %s (job.lua:%s)'):format(step, message, place), 1, true), skipped.err)
      assert.is_nil(skipped.out:find('"a"', 1, true), skipped.out)
      local sent = ended(0, source, steps .. "\n:to(mt.blackhole {})", "{ dead_letter = mt.stdout {} }").out
      assert.is_truthy(sent:find(('"error":"%s"'):format((message:gsub('"', '\\"'))), 1, true), sent)
      assert.is_truthy(sent:find(('"step":"%s"'):format(step), 1, true), sent)
    end)
  end

  it("is told by a sink too", function()
    local out = ":to(mt.stdout { format = '%s' })"
    fails("mt.values { { a = 1 }, { a = 0 / 0 } }", out:format("json"), 'step "sink-1", subtask 0: field \'a\': JSON cannot hold NaN\n  job.lua:4: in to\n'
      .. '  key     none     time none\n  record  {"a":NaN}\n' .. policy_line)
    fails("mt.values { 'a', { a = 1 / 0 } }", out:format("lines"), 'step "sink-1", subtask 0: the format "lines" writes strings, numbers and booleans, not tables: '
      .. 'use "json"\n  job.lua:4: in to\n  key     none     time none\n  record  {"a":Infinity}\n')
    fails("mt.values { { a = 1 }, { b = '\\255' } }", "\n" .. out:format("csv"), "step \"sink-1\", subtask 0: field 'b' is not among the columns, which are those of the "
      .. 'first record (option \'names\' gives them)\n  job.lua:5: in to\n  key     none     time none\n  record  {"b":"\\\\xff"}\n')
    local skipped = ended(0, "mt.values { { a = 1 }, { a = 0 / 0 }, { a = 3 } }", out:format("json"), '"skip"')
    assert.are.equal('{"a":1}\n{"a":3}\n', skipped.out)
    assert.is_truthy(skipped.err:find("JSON cannot hold NaN (job.lua:4: in to)", 1, true), skipped.err)
  end)

  it("is shown up to a length, and its line also where it came from a file", function()
    local err = fails("mt.values { { a = ('\195\164'):rep(4000) } }", ':key_by("k"):count("c"):to(mt.blackhole {})', 'step "key_by-1"')
    assert.is_truthy(err:find('  record  {"a":"' .. ("\195\164"):rep(997) .. "... (8008 bytes)\n", 1, true), err)
    local path = here:write("in.jsonl", "{}\nx\n")
    fails(("mt.file { path = '%s', format = 'json' }"):format(path), ":to(mt.blackhole {})",
      'step "source-1", subtask 0: ' .. path .. ":2: not JSON: a value expected, found 'x': x\n  job.lua:3: in from\n")
  end)

  it("is not told alone: a source or sink that cannot be opened names its line too", function()
    local none = here.directory .. "/none"
    local source, file = ("mt.file { path = '%s', format = 'json' }"):format(none), here:write("file", "")
    local err = ended(1, source, ":to(mt.blackhole {})").err
    assert.is_truthy(err:find(('moontide: step "source-1": no file matches \'%s\' (job.lua:3: in from)\n'):format(none), 1, true), err)
    err = ended(1, "mt.values { 1 }", ("\n:to(mt.file { dir = '%s', format = 'json' })"):format(file)).err
    assert.is_truthy(err:find('moontide: step "sink%-1": [^\n]* %(job%.lua:5: in to%)\n'), err)
  end)

  it("fails the job for good when it comes back after a restart", function()
    local script = here:job("{ parallelism = 1, restart = { initial = 1 } }", ':key_by("k"):count("c"):to(mt.blackhole {})', "mt.values { { a = 1 } }")
    local started = here:run(script)
    assert.are.equal(1, started:wait(), started.err)
    assert.are.equal(2, select(2, started.err:gsub("has no field 'k' to key by\n  job%.lua:4: in key_by\n", "")), started.err)
  end)
end)

describe("a wrong answer", function()
  local here

  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  local windows = ':assign_timestamps { field = "t" }:key_by("k"):window(mt.tumbling { size = 10 })'
  local sessions = ':assign_timestamps { field = "t" }:key_by("k"):window(mt.session { gap = %s }):count("p")'
  local count = ':process("p", function(_, _, content, _, out) out:collect(#content) end)'

  local no_list = "must answer the list of the elements to keep, got 5"
  local no_element = "must answer elements that it was given, { value =, timestamp = }, got %s at place 1"
  local cases = {
    ["of an evictor, that is no list"] = { windows .. ":evictor { before = function()\nreturn 5 end }" .. count,
      "'before' of the evictor " .. no_list, "4-5: in before" },
    ["of an evictor, of what are no elements"] = { windows .. ":evictor { after = function()\nreturn { 1, 2 } end }" .. count,
      "'after' of the evictor " .. no_element:format("1"), "4-5: in after" },
    ["of an evictor, of the values of the elements"] = { windows .. ":evictor { before = function(elements)\nreturn { elements[1].value } end }" .. count,
      "'before' of the evictor " .. no_element:format("a table"), "4-5: in before" },
    ["of a trigger"] = { windows .. ":trigger { on_element = function()\nreturn 'fier' end }" .. count,
      '\'on_element\' of the trigger must answer "continue", "fire", "purge" or "fire_and_purge", got "fier"', "4-5: in on_element" },
    ["of the gap of a session"] = { sessions:format("function() return 'soon' end"), 'the gap of a session must be a duration above 0, got "soon"', "4: in gap" },
    ["of a function of time stamps"] = { ":assign_timestamps { fn = function()\n\nreturn 'noon' end }",
      'a time stamp is a whole number of milliseconds within 2^53, or math.huge; got "noon"', "4-6: in assign_timestamps" },
    ["of a map"] = { ":map(function() end)", "the function of step 'map-1' answered nil: answer a value, or drop records with filter or flat_map", "4: in map" },
    ["of a key"] = { ":key_by(function() end):count('c')", "the key is nil", "4: in key_by" },
    ["of a rolling reduce"] = { ":key_by('k'):reduce('p', function()\nend)", "the function of reduce answered nothing", "4-5: in reduce" },
    ["of a windowed reduce"] = { windows .. ":reduce('p', function() end)", "the function of reduce answered nothing", "4: in reduce" },
    ["of an aggregate"] = { ":key_by('k'):aggregate('p', { create = function() return 0 end, result = function() end,\nadd = function() end })",
      "'add' of the aggregate answered nothing: it must return the accumulator", "5: in add" },
  }
  for name, case in pairs(cases) do
    it(name .. " names the function and its lines", function()
      local source = "mt.values { { k = 1, t = 1 }, { k = 1, t = 2 } }"
      local started = here:run(here:job('{ parallelism = 1, restart = "none" }', case[1] .. "\n:to(mt.blackhole {})", source))
      assert.are.equal(1, started:wait(), started.err)
      assert.is_truthy(started.err:find(("subtask 0: %s\n  job.lua:%s\n"):format(case[2], case[3]), 1, true), started.err)
      assert.is_nil(started.err:find("moontide.runtime", 1, true), started.err)
    end)
  end

  it("of a generator names its function and its lines", function()
    local started = here:run(here:job('{ parallelism = 1, restart = "none" }', nil, "mt.generator { count = 3, fn = function(i)\nif i ~= 2 then return i end\nend }"))
    assert.are.equal(1, started:wait(), started.err)
    assert.is_truthy(started.err:find("nil cannot be a record (mt.null can)\n  job.lua:3-5: in fn\n", 1, true), started.err)
  end)
end)
