-- Steps of one subtask, through the harness.
local mt = require "moontide"
local testing = require "moontide.testing"

local open = {}

local function harness(build, options)
  local h = testing.harness(build, options)
  open[#open + 1] = h
  return h
end

after_each(function()
  for _, h in ipairs(open) do h:close() end
  open = {}
end)

local function fails(fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok, "it did not fail")
  return message
end

local function push_all(h, list)
  for _, value in ipairs(list) do h:push(value) end
end

describe("stateless steps", function()
  it("a filter in front of key_by by a function passes records on whole", function()
    local h = harness(function(input)
      return input:filter(function(v) return v.n > 1 end):key_by(function(v) return v.k end)
        :process("same", function(v, _, out) out:collect(v) end)
    end)
    push_all(h, { { n = 1, k = 1, t = 1 }, { n = 2, k = 1, t = 2 }, { n = 3, k = 2, t = 3 } })
    assert.are.same({ { n = 2, k = 1, t = 2 }, { n = 3, k = 2, t = 3 } }, h:values())
  end)

  it("filters pass records on as they are, with their times, over many batches", function()
    local h = harness(function(input)
      return input:filter(function(v) return v.n % 3 == 0 end):filter(function(v) return v.kind ~= "b" end)
    end)
    local expected = {}
    for n = 1, 6000 do
      local row = { n = n, kind = n % 2 == 0 and "a" or "b", place = { x = n, list = { 1, "two", mt.null } }, text = ("t"):rep(n % 40) }
      h:push(row, n)
      if n % 6 == 0 then expected[#expected + 1] = { value = row, timestamp = n } end
    end
    assert.are.same(expected, h:output())
  end)

  it("a filter that writes to what it sees passes that on", function()
    local h = harness(function(input)
      return input:filter(function(v) v.place.x = v.n return v.n > 1 end)
    end)
    push_all(h, { { n = 1, place = { x = 0 } }, { n = 2, place = { x = 0 } } })
    assert.are.same({ { n = 2, place = { x = 2 } } }, h:values())
  end)

  it("a filter that fails on some records passes on the others", function()
    local h = harness(function(input) return input:filter(function(v) return v.n > 1 end) end, { on_error = "skip" })
    push_all(h, { { n = 2, t = 1 }, { t = 2 }, { n = 1, t = 3 }, 5, { n = 3, t = 4 } })
    assert.are.same({ { n = 2, t = 1 }, { n = 3, t = 4 } }, h:values())
  end)

  it("map, filter and flat_map, fused and apart, keep order and times", function()
    local h = harness(function(input)
      return input:map(function(n) return n + 1 end):filter(function(n) return n % 2 == 0 end)
        :flat_map(function(n, out) for i = 1, n do out:collect(i, n * 100 + i) end end)
        :map(function(n) return -n end)
    end)
    h:push(1, 5)
    h:push(2, 6)
    h:push(3)
    assert.are.same({ { value = -1, timestamp = 201 }, { value = -2, timestamp = 202 }, { value = -1, timestamp = 401 },
      { value = -2, timestamp = 402 }, { value = -3, timestamp = 403 }, { value = -4, timestamp = 404 } }, h:output())
  end)

  it("a record keeps its time through every step, and none stays none (S7)", function()
    local h = harness(function(input)
      return input:map(function(n) return { n = n } end):key_by("n"):process("p", function(value, _, out) out:collect(value.n) end):rebalance()
    end)
    h:push(1, 17)
    h:push(2)
    assert.are.same({ { value = 1, timestamp = 17 }, { value = 2 } }, h:output())
  end)

  it("union keeps the order of each input", function()
    local h = harness(function(a, b, c) return a:union(b, c):map(function(v) return v end) end, { inputs = 3 })
    for i = 1, 5 do
      for k = 1, 3 do h.inputs[k]:push(k * 10 + i) end
    end
    assert.are.same({ 11, 21, 31, 12, 22, 32, 13, 23, 33, 14, 24, 34, 15, 25, 35 }, h:values())
  end)

  it("union of a stream with itself gives every record twice, each branch its own copy", function()
    local h = harness(function(input)
      return input:map(function(row) row.n = row.n + 1 return row end):union(input:map(function(row) row.n = row.n * 10 return row end))
    end)
    h:push { n = 1 }
    local values = h:values()
    table.sort(values, function(a, b) return a.n < b.n end)
    assert.are.same({ { n = 2 }, { n = 10 } }, values)
  end)

  it("nil from map is an error, mt.null is a record", function()
    local h = harness(function(input) return input:map(function(v) if v == 1 then return mt.null end end) end)
    h:push(1)
    assert.are.same({ mt.null }, h:values())
    assert.matches("answered nil", fails(h.push, h, 2))
  end)

  it("a burst larger than a batch comes out whole and in order", function()
    local h = harness(function(input) return input:flat_map(function(n, out) for i = 1, n do out:collect(("%d"):format(i):rep(20)) end end) end)
    h:push(10000)
    local values = h:values()
    assert.are.equal(10000, #values)
    for i, value in ipairs(values) do assert.are.equal(tostring(i):rep(20), value) end
  end)
end)

describe("process steps", function()
  it("T85: the average of every two, per key", function()
    local h = harness(function(input)
      return input:key_by(function(pair) return pair[1] end):process("average", {
        state = { sum = mt.value_state { default = { 0, 0 } } },
        process_element = function(self, pair, _, out)
          local sum = self.sum:value()
          sum[1], sum[2] = sum[1] + 1, sum[2] + pair[2]
          if sum[1] < 2 then return self.sum:update(sum) end
          out:collect { pair[1], sum[2] / sum[1] }
          self.sum:clear()
        end,
      })
    end)
    for _, n in ipairs { 3, 5, 7, 4, 2 } do h:push { 1, n } end
    assert.are.same({ { 1, 4 }, { 1, 5.5 } }, h:values())
    assert.are.equal(1, h:state_size())
  end)

  it("the context knows time, key, subtask and parallelism", function()
    local key = "k"
    while testing.subtask_of(key, 4) ~= 2 do key = key .. "k" end
    local h = harness(function(input)
      return input:key_by("key"):process("p", function(_, ctx, out)
        out:collect { ctx:current_key(), ctx:timestamp() or "none", ctx:subtask(), ctx:parallelism() }
      end)
    end, { parallelism = 4, subtask = 2 })
    h:push({ key = key }, 12)
    h:push { key = key }
    assert.are.same({ { key, 12, 2, 4 }, { key, "none", 2, 4 } }, h:values())
  end)

  it("keys of every kind come back as they were", function()
    local h = harness(function(input)
      return input:key_by(function(value) return value.key end):process("p", function(_, ctx, out) out:collect { key = ctx:current_key() } end)
    end)
    local keys = { 0, 1, -1, 200, -200, 70000, 1.5, "", "a", ("long"):rep(1000), true, false, 2LL ^ 60, { "a", 1 } }
    for _, key in ipairs(keys) do h:push { key = key } end
    for i, value in ipairs(h:values()) do assert.are.same(keys[i], value.key) end
  end)

  it("key_by: a field, a list of fields and a function give the keys that api says", function()
    for _, case in ipairs {
      { "a", 1 }, { { "a" }, { 1 } }, { { "a", "b" }, { 1, "x" } }, { { "b", "a" }, { "x", 1 } }, { function(v) return v.b .. v.a end, "x1" },
    } do
      local h = harness(function(input)
        return input:key_by(case[1]):process("p", function(_, ctx, out) out:collect(ctx:current_key()) end)
      end)
      h:push { a = 1, b = "x" }
      assert.are.same({ case[2] }, h:values())
    end
  end)

  it("L4: what cannot be a key is an error of the record", function()
    for _, value in ipairs { { x = 1 }, { key = 0 / 0 }, { key = mt.null }, { key = { a = 1 } }, 5, "text" } do
      local by_field = harness(function(input) return input:key_by("key"):count("c") end)
      fails(by_field.push, by_field, value)
      local by_function = harness(function(input) return input:key_by(function(v) return v.key end):count("c") end)
      fails(by_function.push, by_function, value)
    end
  end)

  it("works without a key: context without one, state refused", function()
    local h = harness(function(input) return input:process("p", function(v, ctx, out) out:collect { v, ctx:current_key() == nil } end) end)
    h:push(1)
    assert.are.same({ { 1, true } }, h:values())
    assert.matches("belongs to a key", fails(testing.harness, function(input)
      return input:process("p", { state = { v = mt.value_state() }, process_element = function() end })
    end))
  end)

  it("opens before the first record, closes after the last; state is not reached there", function()
    local calls = {}
    local function build(input)
      return input:key_by(function(n) return n end):process("p", {
        state = { v = mt.value_state() },
        open = function(self, ctx)
          calls[#calls + 1] = "open " .. ctx:subtask() .. "/" .. ctx:parallelism()
          calls[#calls + 1] = tostring((pcall(function() return self.v:value() end)))
          self.own = 5
        end,
        process_element = function(self, n) calls[#calls + 1] = n * self.own end,
        close = function(self) calls[#calls + 1] = "close " .. self.own end,
      })
    end
    local h = harness(build)
    assert.are.same({ "open 0/1", "false" }, calls)
    h:push(2)
    h:finish()
    assert.are.same({ "open 0/1", "false", 10 }, calls)
    h:close()
    assert.are.same({ "open 0/1", "false", 10, "close 5" }, calls)
  end)

  it("an error in open fails the harness at once, with the step's name", function()
    assert.matches('step "p", subtask 0: no luck', fails(testing.harness, function(input)
      return input:process("p", { open = function() error("no luck", 0) end, process_element = function() end })
    end))
  end)

  it("S60: reduce, aggregate, count, sum, min, max emit for every record", function()
    local function results(method, ...)
      local arguments = { ... }
      local h = harness(function(input)
        local keyed = input:key_by("k")
        return keyed[method](keyed, "r", unpack(arguments))
      end)
      push_all(h, { { k = "a", n = 3 }, { k = "b", n = 1 }, { k = "a", n = 2 }, { k = "a", n = 7 } })
      return h:values()
    end
    local function column(list, name)
      local out = {}
      for i, row in ipairs(list) do out[i] = row[name] end
      return out
    end
    assert.are.same({ 1, 1, 2, 3 }, column(results("count"), "count"))
    assert.are.same({ 3, 1, 5, 12 }, column(results("sum", "n"), "sum"))
    assert.are.same({ 3, 1, 2, 2 }, column(results("min", "n"), "min"))
    assert.are.same({ 3, 1, 3, 7 }, column(results("max", "n"), "max"))
    assert.are.same({ 3, 1, 5, 12 }, column(results("reduce", function(a, b) return { k = a.k, n = a.n + b.n } end), "n"))
    assert.are.same({ 3, 1, 2.5, 4 }, results("aggregate", {
      create = function() return { 0, 0 } end,
      add = function(acc, row) return { acc[1] + 1, acc[2] + row.n } end,
      result = function(acc) return acc[2] / acc[1] end,
    }))
  end)
end)

describe("records that user code fails on", function()
  local function failing(state)
    return {
      state = state and { v = mt.value_state { default = 0 }, l = mt.list_state(), m = mt.map_state() } or nil,
      process_element = function(self, row, ctx, out)
        out:collect { before = row.n }
        ctx:output("side", row.n)
        if state then
          self.v:update(self.v:value() + 1)
          self.l:add(row.n)
          self.m:put(row.n, true)
          if row.clear then
            self.l:clear()
            self.m:clear()
            self.v:clear()
          end
        end
        if row.bad then error("bad record", 0) end
        out:collect { after = row.n }
      end,
    }
  end

  it("skip: state, main and side emissions of that record alone are taken back", function()
    local step = failing(true)
    local h = harness(function(input) return input:key_by("k"):process("p", step) end, { on_error = "skip" })
    push_all(h, { { k = 1, n = 1 }, { k = 1, n = 2, bad = true }, { k = 1, n = 3 } })
    assert.are.same({ { before = 1 }, { after = 1 }, { before = 3 }, { after = 3 } }, h:values())
    assert.are.same({ { value = 1 }, { value = 3 } }, h:side_output("side"))
    assert.are.equal(1 + 2 + 2, h:state_size())
    local snapshot = h:snapshot()
    local seen
    local function look(input)
      return input:key_by("k"):process("p", { state = step.state, process_element = function(self)
        local keys = {}
        for key in self.m:keys() do keys[#keys + 1] = key end
        seen = { self.v:value(), self.l:get(), keys }
      end })
    end
    harness(look, { restore = snapshot }):push { k = 1, n = 0 }
    assert.are.same({ 2, { 1, 3 }, { 1, 3 } }, seen)
  end)

  it("skip: what a failing record cleared is back", function()
    local h = harness(function(input) return input:key_by("k"):process("p", failing(true)) end, { on_error = "skip" })
    for n = 1, 40 do h:push { k = 1, n = n } end
    assert.are.equal(81, h:state_size())
    h:push { k = 1, n = 41, bad = true, clear = true }
    assert.are.equal(81, h:state_size())
    h:push { k = 2, n = 1, bad = true }
    assert.are.equal(81, h:state_size())
    h:push { k = 1, n = 42, clear = true }
    assert.are.equal(0, h:state_size())
  end)

  it("skip: in the middle of a batch, the others go on", function()
    local h = harness(function(input)
      return input:map(function(n) if n % 10 == 0 then error("ten") end return n end):filter(function(n) return n % 3 ~= 0 or error("three") end)
    end, { on_error = "skip" })
    local list, expected = {}, {}
    for n = 1, 5000 do
      list[n] = n
      if n % 10 ~= 0 and n % 3 ~= 0 then expected[#expected + 1] = n end
    end
    h.inputs[1].channels[1]:push_all(list)
    assert.are.same(expected, h:values())
  end)

  it("skip: a burst that fails after several batches leaves nothing behind", function()
    local h = harness(function(input)
      return input:flat_map(function(n, out)
        for i = 1, n do out:collect(i) end
        if n > 100 then error("too many") end
      end)
    end, { on_error = "skip" })
    push_all(h, { 2, 5000, 3 })
    assert.are.same({ 1, 2, 1, 2, 3 }, h:values())
  end)

  it("skip: keys that cannot be, by field and by function", function()
    for _, key in ipairs { "k", function(row) return row.k end } do
      local h = harness(function(input) return input:key_by(key):count("c") end, { on_error = "skip" })
      push_all(h, { { k = 1 }, { x = 1 }, { k = 0 / 0 }, { k = mt.null }, { k = 1 } })
      assert.are.same({ { key = 1, count = 1 }, { key = 1, count = 2 } }, h:values())
    end
  end)

  it("a step's own policy goes before the job's", function()
    local h = harness(function(input)
      return input:map(function(n) if n == 1 then error("one") end return n end, { on_error = "skip" })
        :map(function(n) if n == 2 then error("two") end return n end)
    end)
    h:push(1)
    h:push(3)
    assert.are.same({ 3 }, h:values())
    assert.matches("two", fails(h.push, h, 2))
  end)

  it("dead_letter: the sink gets step, error, record and key; state is rolled back", function()
    local letters = {}
    local sink = mt.sink { write = function(_, letter) letters[#letters + 1] = letter end }
    local h = harness(function(input) return input:key_by("k"):process("p", failing(true)) end, { on_error = { dead_letter = sink } })
    push_all(h, { { k = "a", n = 1, bad = true }, { k = "a", n = 2 } })
    assert.are.same({ { before = 2 }, { after = 2 } }, h:values())
    assert.are.equal(3, h:state_size())
    assert.are.equal(1, #letters)
    assert.are.equal("p", letters[1].step)
    assert.are.equal("a", letters[1].key)
    assert.are.same({ k = "a", n = 1, bad = true }, letters[1].record)
    assert.matches("bad record", letters[1].error)
  end)

  it("dead_letter: the record is the one that the failing step was given, whatever ran before it in the same loop", function()
    local letters = {}
    local sink = mt.sink { write = function(_, letter) letters[#letters + 1] = { letter.step, letter.record } end }
    local function fail_at(bad) return function(n) if n == bad then error("bad") end return n > 0 end end
    local h = harness(function(input)
      return input:map(function(n) return n + 10 end):filter(fail_at(11), { name = "first" }):map(function(n) return -n end)
        :map(function(n) assert(n ~= -12) return n < -13 end, { name = "second" })
        :process("third", function(below) assert(below) end)
    end, { on_error = { dead_letter = sink } })
    push_all(h, { 1, 2, 3, 4 })
    assert.are.same({ { "first", 11 }, { "second", -12 }, { "third", false } }, letters)
  end)

  local function fail_where_bad(record)
    if record.bad then error("bad record") end
    return record.n
  end

  -- Each fails at a record that is bad.
  local failing_steps = {
    map = function(input) return input:map(fail_where_bad) end,
    filter = function(input) return input:filter(fail_where_bad) end,
    flat_map = function(input) return input:flat_map(fail_where_bad) end,
    ["key_by with a function"] = function(input) return input:key_by(fail_where_bad) end,
    ["key_by with a field"] = function(input) return input:key_by("k") end,
    ["assign_timestamps with a function"] = function(input) return input:assign_timestamps { fn = fail_where_bad } end,
    ["assign_timestamps with a field"] = function(input) return input:assign_timestamps { field = "k" } end,
    process = function(input) return input:process("p", fail_where_bad) end,
    ["keyed process"] = function(input) return input:key_by("n"):process("p", fail_where_bad) end,
    reduce = function(input) return input:key_by(function() return 1 end):reduce("r", function(a, b) return { n = a.n, key = fail_where_bad(b) } end) end,
    sum = function(input) return input:key_by("n"):sum("s", "k") end,
    ["a window's count"] = function(input)
      return input:assign_timestamps { field = "n" }:key_by("n"):window(mt.session { gap = fail_where_bad }):count("w")
    end,
    ["a window"] = function(input)
      return input:assign_timestamps { field = "n" }:key_by("n"):window(mt.count_window { size = 1 })
        :process("w", function(_, _, records) fail_where_bad(records[1]) end)
    end,
    connect = function(input)
      return input:connect(input:filter(function() return false end)):process("c", { process_element1 = function(_, record) fail_where_bad(record) end,
        process_element2 = function() end })
    end,
  }
  for name, build in pairs(failing_steps) do
    it("dead_letter: each bad record of a batch leaves one: " .. name, function()
      local letters = {}
      local sink = mt.sink { write = function(_, letter) letters[#letters + 1] = letter.record.n end }
      local h = harness(build, { on_error = { dead_letter = sink } })
      local records = {}
      for n = 1, 9 do records[n] = { n = n, k = n % 3 ~= 0 and n or nil, bad = n % 3 == 0 } end
      h.inputs[1].channels[1]:push_all(records)
      assert.are.same({ 3, 6, 9 }, letters)
    end)
  end

  it("fail: the report names step, key, time and record", function()
    local h = harness(function(input) return input:key_by("k"):process("p", failing(false)) end)
    local report = fails(h.push, h, { k = "a", n = 1, bad = true }, 978307500000)
    assert.matches('step "p", subtask 0: bad record', report, 1, true)
    assert.matches('key     "a"     time 2001-01-01T00:05:00.000Z', report, 1, true)
    assert.matches('record  {"bad":true,"k":"a","n":1}', report, 1, true)
  end)
end)

describe("a sink in Lua under the harness", function()
  it("S42: prepares at a barrier, commits when it has completed, commits again after a restore", function()
    local calls = {}
    local function build(input)
      input:to(mt.sink {
        write = function(self, value) self.held = (self.held or "") .. value end,
        prepare = function(self)
          local prepared = self.held
          self.held = nil
          calls[#calls + 1] = "prepare " .. tostring(prepared)
          return prepared
        end,
        commit = function(_, prepared) calls[#calls + 1] = "commit " .. prepared end,
      }, { name = "sink" })
      return input
    end
    local h = harness(build)
    h:push "a"
    h:push "b"
    h.inputs[1]:barrier(1)
    assert.are.same({ "prepare ab", "commit ab" }, calls)
    h:push "c"
    local snapshot = h:snapshot()
    assert.are.same({ "prepare ab", "commit ab", "prepare c", "commit c" }, calls)
    h:push "d"
    h.inputs[1]:barrier(2)
    assert.are.equal("commit d", calls[6])
    harness(build, { restore = snapshot })
    assert.are.equal("commit c", calls[7])
    assert.are.equal(7, #calls)
  end)
end)
