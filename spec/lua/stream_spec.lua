local author = require "support.author"

local prelude = [[
local job = mt.job("fraud")
local stream = job:from(mt.values { 1, 2, 3 }, { name = "numbers" })
]]

local function run(text)
  return author.run(prelude .. text)
end

-- The text is at line 3 of the script.
local function failure(text)
  return author.failure(prelude .. text)
end

local function names_of(job)
  local names = {}
  for i, step in ipairs(job.steps) do names[i] = step.name end
  return names
end

describe("a stream", function()
  it("appends one step for each call, with its place", function()
    local job = run [[
      local double = function(n) return 2 * n end
      stream:map(double, { name = "double" })
            :filter(function(n) return n > 2 end, { parallelism = 2, on_error = "skip" })
            :flat_map(function(n, out) out:collect(n) end)
            :to(mt.sink { write = print }, { name = "out" })
      return job]]
    assert.same({ "numbers", "double", "filter-1", "flat_map-1", "out" }, names_of(job))
    local kinds, places, named = {}, {}, {}
    for i, step in ipairs(job.steps) do
      assert.equal(i, step.id)
      kinds[i], places[i], named[i] = step.kind, step.where.line, step.named
      assert.same(i == 1 and {} or { { step = i - 1 } }, step.inputs)
      assert.equal("fraud.lua", step.where.file)
      assert.is_false(step.keyed)
    end
    assert.same({ "source", "map", "filter", "flat_map", "sink" }, kinds)
    assert.same({ 2, 4, 5, 6, 7 }, places)
    assert.same({ true, true, false, false, true }, named)
    assert.equal(4, job.steps[2].fn(2))
    assert.equal(2, job.steps[3].parallelism)
    assert.equal("skip", job.steps[3].on_error)
    assert.is_nil(job.steps[2].on_error)
  end)

  it("gives sources and sinks names of their own", function()
    local job = author.run [[
      local job = mt.job("fraud")
      job:from(mt.values {}):to(mt.sink { write = print })
      return job]]
    assert.same({ "source-1", "sink-1" }, names_of(job))
  end)

  it("S54: keeps the made names of sources and sinks when other steps come before them", function()
    local function last_name(steps)
      local made = names_of(run(('stream:to(mt.blackhole {}, { name = "first" }) stream%s:to(mt.blackhole {}) return job'):format(steps)))
      return made[#made]
    end
    for _, steps in ipairs { "", ":map(print):filter(print)", ":process('p', function() end)" } do
      assert.equal("sink-1", last_name(steps))
    end
  end)

  it("avoids a given name where it makes one", function()
    local job = run [[
      stream:process("map-1", function() end):map(print)
      return job]]
    assert.same({ "numbers", "map-1", "map-1'" }, names_of(job))
  end)

  it("that is used twice goes to both", function()
    local job = run [[
      stream:map(print)
      stream:filter(print)
      return job]]
    assert.same({ { step = 1 } }, job.steps[2].inputs)
    assert.same({ { step = 1 } }, job.steps[3].inputs)
  end)

  it("joins others of the same job, side outputs among them, in the order of the arguments", function()
    local job = run [[
      local late = stream:process("sort", function() end):side_output("late")
      stream:map(print):union(late, stream)
      return job]]
    assert.equal("union", job.steps[4].kind)
    assert.same({ { step = 3 }, { step = 2, tag = "late" }, { step = 1 } }, job.steps[4].inputs)
  end)

  it("is keyed by a field, several, or a function, and only behind key_by", function()
    local job = run [[
      local by = function(v) return v end
      stream:key_by("a"):map(print)
      stream:key_by { "a", "b" }
      stream:key_by(by, { name = "own", on_error = "skip" }):filter(print):filter(print)
      return job]]
    local one, map, two, own, keyed_filter, filter = unpack(job.steps, 2)
    assert.same({ "a" }, one.fields)
    assert.is_true(one.single)
    assert.is_false(one.keyed)
    assert.is_true(map.keyed)
    assert.same({ "a", "b" }, two.fields)
    assert.is_false(two.single)
    assert.is_function(own.fn)
    assert.is_nil(own.fields)
    assert.equal("own", own.name)
    assert.equal("skip", own.on_error)
    assert.is_true(keyed_filter.keyed)
    assert.is_false(filter.keyed)
  end)

  it("is spread by rebalance, global and broadcast", function()
    local job = run "stream:rebalance() stream:global() stream:broadcast() return job"
    assert.same({ "numbers", "rebalance-1", "global-1", "broadcast-1" }, names_of(job))
  end)

  it("answers the job at its end", function()
    assert.is_true(run "return stream:to(mt.sink { write = print }) == job")
  end)
end)

describe("a mistake in a stream", function()
  local cases = {
    ["stream:map()"] = ":map: fn must be a function, got nothing",
    ["stream:filter('x')"] = ':filter: fn must be a function, got "x"',
    ["stream:flat_map(print, 'x')"] = ':flat_map: options must be one table of names and values, got "x"',
    ["stream:map(print, { nam = 'x' })"] = ":map: unknown option 'nam' (did you mean 'name'?)",
    ["stream:map(print, { parallelism = 0 })"] = ":map: option 'parallelism' must be a whole number from 1 to 32768, got 0",
    ["stream:map(print, { on_error = 'x' })"] = [[:map: option 'on_error' must be "fail", "skip" or { dead_letter = sink }, got "x"]],
    ["stream:map(print, { name = 'numbers' })"] =
      [[:map: the name "numbers" is taken by the step at fraud.lua:2; names are unique in a job]],
    ["stream:map(print, { name = 'a\\tb' })"] =
      [[:map: a step's name must be a text of 1 to 255 bytes without control characters, got "a\9b"]],
    ["stream:union()"] = ":union needs at least one other stream",
    ["stream:union(stream, 5)"] = ":union: argument 2 must be a stream, got 5",
    ["stream:union(nil)"] = ":union: argument 1 must be a stream, got nothing",
    ["stream:union(mt.job('other'):from(mt.values {}))"] = ":union: argument 1 is a stream of another job, 'other'",
    ["stream:key_by()"] = ":key_by: needs a field, a list of fields or a function, got nothing",
    ["stream:key_by('')"] = ':key_by: needs a field, a list of fields or a function, got ""',
    ["stream:key_by 'a\\0b'"] = ":key_by: needs a field, a list of fields or a function, got \"a\\0b\"",
    ["stream:key_by { 'a\\0b' }"] = ":key_by: a list of fields must hold names only, got \"a\\0b\" at 1",
    ["stream:assign_timestamps { field = 'a', format = '%Q' }"] = ":assign_timestamps: option 'format': %Q of the time format is not known, got \"%Q\"",
    ["stream:assign_timestamps { field = 'a', format = '%m' }"] = ":assign_timestamps: option 'format': the time format has no year (%Y, %y, %F, %D or %s), got \"%m\"",
    ["stream:assign_timestamps { field = '\\0' }"] = ":assign_timestamps: option 'field' must be a text without zero bytes, got \"\\0\"",
    ["stream:key_by('a'):sum('s', 'n\\0')"] = ':sum: needs a field after the name, as in :sum("name", "amount"), got "n\\0"',
    ["stream:key_by {}"] = ":key_by: needs a field, a list of fields or a function, got a table",
    ["stream:key_by { 'a', 5 }"] = ":key_by: a list of fields must hold names only, got 5 at 2",
    ["stream:key_by { 'a', b = 'c' }"] = [[:key_by: a list of fields must hold names only, got "c" at "b"]],
    ["stream:rebalance(2)"] = ":rebalance takes no arguments, got 2",
    ["stream:broadcast(5)"] = ":broadcast: needs no argument, or a table of states such as { rules = mt.map_state() }, got 5",
    ["stream:side_output('late')"] = ":side_output: step 'numbers' is a source and has none; process steps and windows have",
    ["stream:map(print):side_output('late')"] = ":side_output: step 'map-1' is a map and has none; process steps and windows have",
    ["stream:process('p', print):side_output()"] = ":side_output: needs the tag of the output, got nothing",
    ["stream:process('p', print):side_output('a'):side_output('b')"] =
      ":side_output: a side output ('a') has no side outputs of its own",
    ["stream:to()"] = ':to: needs a sink such as mt.stdout { format = "json" }, got nothing',
    ["stream:to('out')"] = ':to: needs a sink such as mt.stdout { format = "json" }, got "out"',
    ["stream:to(mt.sink)"] = ':to: needs a sink such as mt.stdout { format = "json" }, got a function: call it with its options',
    ["stream:to(mt.values {})"] = ":to: mt.values is a source, not a sink",
    ["stream:to(mt.sink { write = print }, 'out')"] = ':to: options must be one table of names and values, got "out"',
    ["stream:fliter(print)"] = "a stream has no method 'fliter' (did you mean 'filter'?)",
    ["stream:key_by('a'):coutn('c')"] = "a stream has no method 'coutn' (did you mean 'count'?)",
    ["stream:count('c')"] = ":count needs a keyed stream: call :key_by first",
    ["stream:key_by('a'):map(print):reduce('r', print)"] = ":reduce needs a keyed stream: call :key_by first",
    ["job:from()"] = 'job:from: needs a source such as mt.file { path = "in.jsonl", format = "json" }, got nothing',
    ["job:from(mt.sink { write = print })"] = "job:from: mt.sink is a sink, not a source",
    ["job:from(mt.values {}, { name = 'numbers' })"] =
      [[job:from: the name "numbers" is taken by the step at fraud.lua:2; names are unique in a job]],
    ["job:from(stream)"] = 'job:from: needs a source such as mt.file { path = "in.jsonl", format = "json" }, got a stream',
  }
  for text, message in pairs(cases) do
    it("is told at the author's line: " .. text, function()
      assert.equal("fraud.lua:3: " .. message, failure("local _ = " .. text))
    end)
  end

  it("is told at the line of its own call in a chain", function()
    assert.equal("fraud.lua:5: :filter: fn must be a function, got nothing", failure "stream\n  :map(print)\n  :filter()\n  :map(print)")
  end)
end)

describe("a dead letter sink", function()
  it("becomes a step without inputs, which the policy names", function()
    local job = run [[
      stream:map(print, { on_error = { dead_letter = mt.sink { write = print } } })
      return job]]
    local sink, map = job.steps[2], job.steps[3]
    assert.equal("sink", sink.kind)
    assert.equal("dead_letter", sink.role)
    assert.equal("dead_letter-1", sink.name)
    assert.same({}, sink.inputs)
    assert.same({ dead_letter = 2 }, map.on_error)
  end)

  it("is one step where several steps and the job share it, with the name it is given", function()
    local job = author.run [[
      local bad = { dead_letter = mt.sink { write = print }, name = "bad" }
      local job = mt.job("fraud", { on_error = bad })
      job:from(mt.values {}, { on_error = bad }):process("p", { on_error = bad, process_element = print })
      return job]]
    assert.same({ "bad", "source-1", "p" }, names_of(job))
    assert.same({ dead_letter = 1 }, job.options.on_error)
    assert.same({ dead_letter = 1 }, job.steps[2].on_error)
    assert.same({ dead_letter = 1 }, job.steps[3].on_error)
  end)

  it("is not left behind by a call that fails", function()
    local job = run [[
      pcall(stream.map, stream, print, { name = "numbers", on_error = { dead_letter = mt.sink { write = print }, name = "bad" } })
      pcall(job.from, job, mt.values {}, { name = "numbers", on_error = { dead_letter = mt.sink { write = print }, name = "bad" } })
      return job]]
    assert.same({ "numbers" }, names_of(job))
  end)

  it("cannot be of a format that writes no tables", function()
    assert.equal('fraud.lua:4: mt.stdout: a dead letter is a table, and the format "lines" writes none: use "json", "csv" or "msgpack"', failure [[
local letters =
  mt.stdout { format = "lines" }
stream:map(print, { on_error = { dead_letter = letters } })]])
  end)

  it("must be a sink", function()
    assert.equal("fraud.lua:3: :map: mt.values is a source, not a sink", failure "stream:map(print, { on_error = { dead_letter = mt.values {} } })")
    assert.equal("fraud.lua:3: :map: unknown option 'on_error.dead_leter' (did you mean 'dead_letter'?)",
      failure "stream:map(print, { on_error = { dead_leter = mt.sink { write = print } } })")
  end)
end)
