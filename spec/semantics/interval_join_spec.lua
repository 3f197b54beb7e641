local case = require "support.case"
local mt = require "moontide"
local variants = require "support.variants"

local function build(given)
  return function(left, right)
    return left:key_by("key"):interval_join(right:key_by("key"), given):process("pairs", function(l, r, ctx, out)
      assert(ctx:left_timestamp() == l.at and ctx:right_timestamp() == r.at)
      assert(ctx:timestamp() == math.max(l.at, r.at) and ctx:current_key() == l.key)
      out:collect(("(%d,%d)"):format(l.at, r.at))
    end)
  end
end

local function pairs_of(options, given)
  options.inputs = 2
  return case.new(build(given), options)
end

local keyed = { key = function(row) return row.key end, harness = { inputs = 2 } }

local function push(h, input, at, key)
  h.inputs[input]:push({ key = key or "k", at = at }, at)
end

local bounds = {
  { { lower = -2, upper = -1 }, "(2,1)@2 (3,1)@3 (3,2)@3 (4,2)@4 (4,3)@4" },
  { { lower = -1, upper = 1 }, "(1,1)@1 (1,2)@2 (2,1)@2 (2,2)@2 (2,3)@3 (3,2)@3 (3,3)@3 (3,4)@4 (4,3)@4 (4,4)@4" },
  { { lower = 1, upper = 2 }, "(1,2)@2 (1,3)@3 (2,3)@3 (2,4)@4 (3,4)@4" },
  { { lower = -3, upper = -1, lower_exclusive = true, upper_exclusive = true }, "(3,1)@3 (4,2)@4" },
  { { lower = -1, upper = 1, lower_exclusive = true, upper_exclusive = true }, "(1,1)@1 (2,2)@2 (3,3)@3 (4,4)@4" },
  { { lower = 1, upper = 3, lower_exclusive = true, upper_exclusive = true }, "(1,3)@3 (2,4)@4" },
  { { lower = 1, upper = 2, lower_exclusive = true }, "(1,3)@3 (2,4)@4" },
  { { lower = 1, upper = 2, upper_exclusive = true }, "(1,2)@2 (2,3)@3 (3,4)@4" },
}

describe("an interval join", function()
  after_each(case.close)

  for _, one in ipairs(bounds) do
    for first = 1, 2 do
      local given, text = one[1], one[2]
      local name = ("T41: finds the pairs from %d%s to %d%s, side %d first"):format(given.lower, given.lower_exclusive and " exclusive" or "",
        given.upper, given.upper_exclusive and " exclusive" or "", first)
      variants.it(it, name, keyed, function(open)
        local h = open(build(given))
        for i = 1, 4 do
          push(h, first, i)
          h.inputs[first]:watermark(i)
        end
        for i = 1, 4 do push(h, 3 - first, i) end
        h:expect(text)
      end)
    end
  end

  local kept = {
    before = { lower = -1, upper = 0 }, behind = { lower = 0, upper = 1 },
    ["before, exclusive,"] = { lower = -2, upper = 1, lower_exclusive = true, upper_exclusive = true },
    ["behind, exclusive,"] = { lower = -1, upper = 2, lower_exclusive = true, upper_exclusive = true },
  }
  for name, given in pairs(kept) do
    variants.it(it, "T42: keeps what can still meet something " .. name .. ", and no more", keyed, function(open)
      local h = open(build(given))
      for input = 1, 2 do
        for i = 1, 5 do push(h, input, i) end
      end
      assert.equal(10, h:state_size())
      for _, at in ipairs { { 1, 9 }, { 4, 3 }, { 6, 0 } } do
        h:watermarks(at[1])
        assert.equal(at[2], h:state_size())
      end
      assert.equal(0, h:timer_count("event"))
    end)
  end

  variants.it(it, "S57: only what is older than the watermark is late", { key = keyed.key, sides = { "left", "right" }, harness = keyed.harness }, function(open)
    local h = open(build { lower = -5, upper = 5, late_left = "left", late_right = "right" })
    h:watermarks(10)
    push(h, 1, 10, "a")
    push(h, 2, 10, "a")
    push(h, 1, 9, "b")
    push(h, 2, 9, "a")
    push(h, 2, 12, "b")
    push(h, 1, 15, "b")
    h:expect "W(10) (10,10)@10 (15,12)@15"
    h:expect_side("left", "{at=9,key=b}@9")
    h:expect_side("right", "{at=9,key=a}@9")
    h:watermarks(20)
    assert.equal(0, h:state_size() + h:timer_count())
  end)

  case.each_backend(function(backend)
    it("agrees with comparing all pairs, with equal times, many keys and restores, on " .. backend, function()
      local seed = tonumber(os.getenv("SEED")) or os.time()
      print("interval_join_spec: SEED=" .. seed)
      math.randomseed(seed)
      local lower, upper = -math.random(10, 40), math.random(10, 40)
      local h = case.new(function(left, right)
        return left:key_by("key"):interval_join(right:key_by("key"), { lower = lower, upper = upper }):process("pairs", function(l, r, _, out)
          out:collect(l.id .. "-" .. r.id)
        end)
      end, { inputs = 2, backend = backend, memory = "512KB" })
      local sides, expected, got, time = { {}, {} }, {}, {}, 0
      -- What a watermark removes meets nothing any more, also where a record of its very millisecond follows.
      local function watermark(to)
        h:watermarks(to)
        for input, keep in ipairs { upper, -lower } do
          local kept = {}
          for _, row in ipairs(sides[input]) do
            if row.at + keep > to then kept[#kept + 1] = row end
          end
          sides[input] = kept
        end
      end
      local function take()
        for _, word in ipairs(h:values()) do got[#got + 1] = word end
      end
      for id = 1, 3000 do
        local input, row = math.random(2), { id = id, key = math.random(20), at = time + math.random(0, 30) }
        for _, other in ipairs(sides[3 - input]) do
          local left, right = input == 1 and row or other, input == 1 and other or row
          local apart = right.at - left.at
          if left.key == right.key and apart >= lower and apart <= upper then expected[#expected + 1] = left.id .. "-" .. right.id end
        end
        table.insert(sides[input], row)
        h.inputs[input]:push(row, row.at)
        if id % 10 == 0 then
          time = time + math.random(1, 8)
          watermark(time)
        end
        if id % 1000 == 0 then
          take()
          h:snap()
          watermark(time)
        end
      end
      take()
      table.sort(expected)
      table.sort(got)
      assert.is_true(#expected > 1000)
      assert.equal(#expected, #got)
      assert.equal(table.concat(expected, " "), table.concat(got, " "))
      h:watermarks(time + 200)
      assert.equal(0, h:state_size())
      assert.equal(0, h:timer_count("event"))
    end)
  end)

  it("keeps one key of many rows, also where one of them outlives all others, on both backends", function()
    case.each_backend(function(backend)
      local h = pairs_of({ backend = backend, memory = "256KB" }, { lower = 0, upper = 300 })
      push(h, 1, 100000)
      for at = 1, 3000 do
        push(h, 1, at)
        if at % 50 == 0 then h:watermarks(at) end
        if at % 700 == 0 then
          h:snap()
          h:watermarks(at)
        end
      end
      h:words()
      assert.equal(301, h:state_size())
      push(h, 2, 3000)
      assert.equal(301 - 1, #h:values())
      push(h, 2, 100000)
      assert.equal("(100000,100000)@100000", h:words())
      h:watermarks(200000)
      assert.equal(0, h:state_size())
    end)
  end)

  it("S57: keeps a row until what it can meet would be late, also where that is the older one", function()
    for first = 1, 2 do
      local h = pairs_of({}, first == 1 and { lower = -2, upper = -1 } or { lower = 1, upper = 2 })
      push(h, first, 5)
      h:watermarks(4)
      assert.equal(1, h:state_size())
      push(h, 3 - first, 4)
      assert.equal(first == 1 and "W(4) (5,4)@5" or "W(4) (4,5)@5", h:words())
      h:watermarks(5)
      assert.equal(1, h:state_size()) -- that of 4 may meet one of 6
      h:watermarks(6)
      assert.equal(0, h:state_size())
    end
  end)

  it("S57: only what is older than the watermark is late, and goes where it is told", function()
    local h = pairs_of({}, { lower = -5, upper = 5, late_left = "too late", late_right = "late right" })
    h:watermarks(10)
    push(h, 1, 10)
    push(h, 2, 10)
    push(h, 1, 9)
    push(h, 2, 9)
    assert.equal("W(10) (10,10)@10", h:words())
    local late = h:side_output("too late")
    assert.same({ { value = { key = "k", at = 9 }, timestamp = 9 } }, late)
    assert.equal(9, h:side_output("late right")[1].timestamp)
    assert.equal(2, h:state_size())
  end)

  it("S57: drops late records without a tag", function()
    local h = pairs_of({}, { lower = -5, upper = 5 })
    h:watermarks(10)
    push(h, 1, 9)
    push(h, 2, 9)
    assert.equal("W(10)", h:words())
    assert.equal(0, h:state_size())
  end)

  it("fails on records without a time, or goes on without them", function()
    local h = pairs_of({}, { lower = -5, upper = 5 })
    local ok, message = pcall(h.harness.push, h.harness, { key = "k", at = 1 })
    assert.is_false(ok)
    assert.matches("interval join: the record has no time stamp", message)
    h = pairs_of({ on_error = "skip" }, { lower = -5, upper = 5 })
    h.inputs[1]:push { key = "k", at = 1 }
    push(h, 1, 1)
    push(h, 2, 1)
    assert.equal("(1,1)@1", h:words())
  end)

  it("meets equal times in the order in which they came, and other times in theirs", function()
    local h = case.new(function(left, right)
      return left:key_by("key"):interval_join(right:key_by("key"), { lower = -50, upper = 50 }):process("pairs", function(_, r, _, out) out:collect(r.id) end)
    end, { inputs = 2 })
    for id = 1, 20 do h.inputs[2]:push({ key = 1, id = id }, 7) end
    h.inputs[2]:push({ key = 1, id = 21 }, 300)
    h.inputs[2]:push({ key = 1, id = 22 }, -20)
    h.inputs[2]:push({ key = 1, id = 23 }, 40)
    h:snap()
    h.inputs[1]:push({ key = 1 }, 10)
    local ids = h:values()
    local expected = { 22 }
    for id = 1, 20 do expected[#expected + 1] = id end
    expected[#expected + 1] = 23
    assert.same(expected, ids)
  end)

  it("takes a record back whose function failed", function()
    local h = case.new(function(left, right)
      return left:key_by("key"):interval_join(right:key_by("key"), { lower = 0, upper = 0 }):process("pairs", function(l, r, ctx, out)
        out:collect(l.id .. r.id)
        ctx:output("both", l.id)
        if r.id == "bad" then error("bad") end
      end, { on_error = "skip" })
    end, { inputs = 2 })
    h.inputs[1]:push({ key = 1, id = "a" }, 5)
    h.inputs[2]:push({ key = 1, id = "bad" }, 5)
    h.inputs[2]:push({ key = 1, id = "b" }, 5)
    h.inputs[1]:push({ key = 1, id = "c" }, 5)
    assert.equal("ab@5 cb@5", h:words())
    assert.equal("a@5 c@5", h:side("both"))
    assert.equal(3, h:state_size())
    h:watermarks(5)
    assert.equal(0, h:state_size())
    assert.equal(0, h:timer_count("event"))
  end)

  it("takes times up to MAX, and bounds that lead beyond", function()
    local h = case.new(function(left, right)
      return left:key_by("key"):interval_join(right:key_by("key"), { lower = -2 ^ 53, upper = 2 ^ 53 }):process("pairs", function(_, _, ctx, out)
        out:collect(ctx:left_timestamp())
      end)
    end, { inputs = 2 })
    h.inputs[1]:push({ key = 1 }, 2 ^ 53)
    h.inputs[1]:push({ key = 1 }, -2 ^ 53)
    h.inputs[2]:push({ key = 1 }, 0)
    h.inputs[2]:push({ key = 1 }, math.huge)
    h.inputs[1]:push({ key = 1 }, math.huge)
    assert.same({ -2 ^ 53, 2 ^ 53, math.huge }, h:values())
    h:watermarks(math.huge)
    assert.equal(0, h:state_size())
  end)
end)

describe("a mistake in an interval join", function()
  local author = require "support.author"

  for call, message in pairs {
    ["stream:interval_join(keyed, {})"] = ":interval_join needs a keyed stream: call :key_by first",
    ["keyed:interval_join(stream, {})"] = ":interval_join: the other stream has no key: call :key_by on it first",
    ["keyed:interval_join(5, {})"] = ":interval_join: needs the other keyed stream, got 5",
    ["keyed:interval_join(keyed, { lower = 0 })"] = ":interval_join: option 'upper' is required",
    ["keyed:interval_join(keyed, { lower = 1, upper = 0 })"] =
      ":interval_join: there is no time from 1 ms to 0 ms: 'lower' must not be above 'upper'",
    ["keyed:interval_join(keyed, { lower = 0, upper = 1, lower_exclusive = true, upper_exclusive = true })"] =
      ":interval_join: there is no time from 1 ms to 0 ms: 'lower' must not be above 'upper'",
    ["keyed:interval_join(keyed, { lower = 0, upper = 1 }):process(print)"] =
      ':process: needs a name first, the address of its state: :process("name", ...), got a function',
    ["keyed:interval_join(keyed, { lower = 0, upper = 1 }):process('p')"] = ":process: fn must be a function, got nothing",
    ["keyed:interval_join(keyed, { lower = 0, upper = 1 }):proces('p')"] = "an interval join has no method 'proces' (did you mean 'process'?)",
    ["keyed:connect(stream)"] = ":connect: one stream is keyed and the other is not: call :key_by on both, or on none",
    ["keyed:connect()"] = ":connect: needs the other stream, or a broadcast stream, got nothing",
    ["keyed:connect(keyed):process('p', print)"] =
      ':process("p"): needs a definition { process_element1 = function(self, value, ctx, out) end, process_element2 = ... }, got a function',
    ["keyed:connect(keyed):process('p', { process_element1 = print })"] = ":process(\"p\"): option 'process_element2' is required",
    ["stream:connect(stream):process('p', { process_element1 = print, process_element2 = print, on_timer = print })"] =
      ":process(\"p\"): 'on_timer': timers belong to a key and this stream has none: call :key_by first",
    ["keyed:connect(rules):process('p', { process_element1 = print })"] =
      ":process(\"p\"): unknown option 'process_element1' (did you mean 'process_element'?)",
    ["keyed:connect(rules):process('p', { state = { r = mt.map_state() }, process_element = print, process_broadcast_element = print })"] =
      ":process(\"p\"): 'r' is in 'state' and a broadcast state",
    ["stream:broadcast {}"] = ":broadcast: needs at least one state, as in :broadcast { rules = mt.map_state() }",
    ["stream:broadcast { r = mt.value_state() }"] = ":broadcast: broadcast state 'r' must be mt.map_state, not a value state",
    ["rules:map(print)"] =
      "a broadcast stream has no method 'map' (there are none): connect a stream to it, as in keyed:connect(rules)",
  } do
    it("is told at the author's line: " .. call, function()
      local text = "local job = mt.job('j') local stream = job:from(mt.values {}) local keyed = stream:key_by('k') "
        .. "local rules = stream:broadcast { r = mt.map_state() }\nlocal _ = " .. call
      local ok, got = pcall(author.run, text)
      assert.is_false(ok)
      assert.equal("fraud.lua:2: " .. message, got)
    end)
  end
end)
