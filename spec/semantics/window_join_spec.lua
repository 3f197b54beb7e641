local case = require "support.case"
local mt = require "moontide"
local variants = require "support.variants"

local function key_of(row) return row.key end

local function sorted_values(list)
  local out = {}
  for i, row in ipairs(list) do out[i] = ("(%s,%d)"):format(row.key, row.at) end
  table.sort(out)
  return table.concat(out)
end

-- Emits "F:(key,time)...,S:(key,time)...".
local function groups(window, describe_further)
  return function(left, right)
    local windowed = left:co_group(right, { left = "key", right = key_of }):window(window)
    if describe_further then windowed = describe_further(windowed) end
    return windowed:apply("groups", function(key, lefts, rights, out)
      assert((lefts[1] or rights[1]).key == key)
      out:collect(("F:%s,S:%s"):format(sorted_values(lefts), sorted_values(rights)))
    end)
  end
end

local keyed = { key = key_of, sides = { "late" }, harness = { inputs = 2 } }

local function push(h, input, key, at)
  h.inputs[input]:push({ key = key, at = at }, at)
end

describe("a co-group over windows", function()
  after_each(case.close)

  variants.it(it, "T44: hands over both sides of a window, also where one is empty", keyed, function(open)
    local sides = {
      { { "a", 0 }, { "a", 1 }, { "a", 2 }, { "b", 3 }, { "b", 4 }, { "b", 5 }, { "a", 6 }, { "a", 7 }, { "a", 8 } },
      { { "a", 0 }, { "a", 1 }, { "b", 3 }, { "c", 6 }, { "c", 7 }, { "c", 8 } },
    }
    local h = open(groups(mt.tumbling { size = 3 }))
    for input, list in ipairs(sides) do
      for _, one in ipairs(list) do push(h, input, one[1], one[2]) end
    end
    h.inputs[1]:finish()
    h:expect ""
    h.inputs[2]:finish()
    h:expect "F:,S:(c,6)(c,7)(c,8)@8 F:(a,0)(a,1)(a,2),S:(a,0)(a,1)@2 F:(a,6)(a,7)(a,8),S:@8 F:(b,3)(b,4)(b,5),S:(b,3)@5 W(MAX) END"
    assert.equal(0, h:state_size())
  end)

  -- The same with the watermarks of the case: each side's is its latest time less 1, told by its records in turn.
  variants.it(it, "T44: fires each window when the watermarks of both sides have passed it", keyed, function(open)
    local h = open(groups(mt.tumbling { size = 3 }))
    for at, key in ipairs { "a", "a", "a", "b", "b", "b", "a", "a", "a" } do
      push(h, 1, key, at - 1)
      h.inputs[1]:watermark(at - 2)
    end
    h:expect ""
    local function right(key, at, text)
      push(h, 2, key, at)
      h.inputs[2]:watermark(at - 1)
      h:expect(text)
    end
    right("a", 0, "W(-1)")
    right("a", 1, "W(0)")
    right("b", 3, "F:(a,0)(a,1)(a,2),S:(a,0)(a,1)@2 W(2)")
    right("c", 6, "F:(b,3)(b,4)(b,5),S:(b,3)@5 W(5)")
    right("c", 7, "W(6)")
    right("c", 8, "W(7)")
    h.inputs[1]:finish()
    h.inputs[2]:finish()
    h:expect "F:(a,6)(a,7)(a,8),S:@8 F:,S:(c,6)(c,7)(c,8)@8 W(MAX) END"
  end)

  variants.it(it, "S58: sessions are those of both sides together", keyed, function(open)
    local h = open(groups(mt.session { gap = 10 }))
    push(h, 1, "a", 0)
    push(h, 1, "a", 18)
    push(h, 2, "a", 40)
    push(h, 2, "a", 9)
    h:watermarks(27)
    h:expect "F:(a,0)(a,18),S:(a,9)@27 W(27)"
    h:watermarks(100)
    h:expect "F:,S:(a,40)@49 W(100)"
    assert.equal(0, h:state_size())
  end)

  variants.it(it, "S58: takes trigger, evictor, lateness and a tag for what is late, which see elements by their side", keyed, function(open)
    local h = open(groups(mt.tumbling { size = 10 }, function(windowed)
      return windowed:trigger(mt.trigger.count(2)):evictor(mt.evictor.count(3)):allowed_lateness(5):side_output_late("late")
    end))
    push(h, 1, "a", 1)
    push(h, 2, "a", 2)
    h:expect "F:(a,1),S:(a,2)@9"
    push(h, 2, "a", 3)
    push(h, 2, "a", 4)
    h:expect "F:,S:(a,2)(a,3)(a,4)@9"
    h:watermarks(20)
    push(h, 2, "a", 5)
    assert.same({ { value = { right = { key = "a", at = 5 } }, timestamp = 5 } }, h:side_output("late"))
    assert.equal(0, h:state_size())
  end)

  it("S58: keeps the sides apart where a batch has more windows than are made at once", function()
    local build = groups(mt.sliding { size = 100, slide = 1 })
    local function timed(stream) return stream:assign_timestamps { field = "at", emit = 1000 } end
    local h = case.new(function(left, right) return build(timed(left), timed(right)) end, { inputs = 2 })
    for input = 1, 2 do
      local batch = {}
      for n = 1, 50 do batch[n] = { key = "a", at = 100 * input } end
      h.inputs[input].channels[1]:push_all(batch)
      h.inputs[input]:finish()
    end
    local values = h:values()
    for _, row in ipairs(values) do
      local lefts, rights = row:match "^F:(.*),S:(.*)$"
      assert.is_true(lefts == "" or lefts == ("(a,100)"):rep(50), row)
      assert.is_true(rights == "" or rights == ("(a,200)"):rep(50), row)
      assert.is_true(lefts == "" or rights == "", row)
    end
    assert.equal(200, #values)
    assert.equal(0, h:state_size())
  end)

  it("S58: shows elements by their side to a trigger of one's own and to the gap of a session", function()
    local seen = {}
    local function side_of(element) return element.left and "left" or element.right and "right" end
    local by_side = { on_element = function(_, element) seen[#seen + 1] = "trigger " .. side_of(element) return "fire" end, on_merge = function() end }
    local function gap(element)
      seen[#seen + 1] = "gap " .. side_of(element)
      return (element.left or element.right).at
    end
    local h = case.new(groups(mt.session { gap = gap }, function(windowed) return windowed:trigger(by_side) end), { inputs = 2 })
    push(h, 1, "a", 5)
    push(h, 2, "a", 8)
    assert.equal("F:(a,5),S:@9 F:(a,5),S:(a,8)@15", h:words())
    assert.same({ "gap left", "trigger left", "gap right", "trigger right" }, seen)
  end)

  it("tells a record without the key by the policy of its job", function()
    local h = case.new(groups(mt.tumbling { size = 10 }), { inputs = 2 })
    local ok, message = pcall(h.harness.push, h.harness, { at = 1 }, 1)
    assert.is_false(ok)
    assert.matches("the record has no field 'key' to key by", message)
  end)
end)

describe("a join over windows", function()
  after_each(case.close)

  local parity = { key = function(value) return type(value) == "table" and value.parity or value % 2 end, harness = { inputs = 2 } }

  variants.it(it, "S58: emits what the function answers for each pair, nothing for nil", parity, function(open)
    local h = open(function(left, right)
      return left:join(right, { left = function(n) return n % 2 end, right = "parity" }):window(mt.sliding { size = 20, slide = 10 })
        :apply("pairs", function(n, row)
          if n ~= 4 then return n .. row.name end
        end)
    end)
    for n = 1, 4 do h.inputs[1]:push(n, n) end
    h.inputs[2]:push({ parity = 0, name = "even" }, 15)
    h.inputs[2]:push({ parity = 1, name = "odd" }, 3)
    h:watermarks(9)
    h:expect "1odd@9 3odd@9 W(9)"
    h:watermarks(19)
    h:expect "1odd@19 2even@19 3odd@19 W(19)"
    h:watermarks(29)
    h:expect "W(29)"
    assert.equal(0, h:state_size())
  end)

  variants.it(it, "S58: purges both sides", keyed, function(open)
    local h = open(function(left, right)
      return left:join(right, { left = "key", right = "key" }):window(mt.tumbling { size = 10 }):trigger(mt.trigger.purging(mt.trigger.count(2)))
        :apply("pairs", function(l, r) return ("%s%d-%d"):format(l.key, l.at, r.at) end)
    end)
    for at = 1, 5 do push(h, (at - 1) % 2 + 1, "a", at) end
    h:expect "a1-2@9 a3-4@9"
    assert.equal(2, h:state_size()) -- an element, and the trigger's count
  end)

  variants.it(it, "S58: of a stream with itself has each pair in both orders", { key = key_of }, function(open)
    local h = open(function(stream)
      return stream:join(stream, { left = "key", right = "key" }):window(mt.tumbling { size = 3 })
        :apply("pairs", function(l, r) return ("%s%d-%d"):format(l.key, l.at, r.at) end)
    end)
    for _, row in ipairs { { "a", 0 }, { "a", 2 }, { "b", 3 }, { "a", 5 } } do h:push({ key = row[1], at = row[2] }, row[2]) end
    h:finish()
    h:expect "a0-0@2 a0-2@2 a2-0@2 a2-2@2 b3-3@5 a5-5@5 W(MAX) END"
    assert.equal(0, h:state_size())
  end)

  variants.it(it, "S58: joins in sessions of both sides", keyed, function(open)
    local h = open(function(left, right)
      return left:join(right, { left = "key", right = "key" }):window(mt.session { gap = 10 })
        :apply("pairs", function(l, r) return ("%s%d-%d"):format(l.key, l.at, r.at) end)
    end)
    push(h, 1, "a", 0)
    push(h, 2, "a", 18)
    push(h, 1, "b", 3)
    h:watermarks(2)
    push(h, 1, "a", 9)
    push(h, 2, "b", 14)
    h:watermarks(40)
    h:expect "W(2) a0-18@27 a9-18@27 W(40)"
    assert.equal(0, h:state_size() + h:timer_count())
  end)

  it("S58: joins what an evictor leaves, in the order in which it came", function()
    local h = case.new(function(left, right)
      return left:join(right, { left = "key", right = "key" }):window(mt.tumbling { size = 10 }):evictor(mt.evictor.count(3))
        :apply("pairs", function(l, r) return l.at .. "-" .. r.at end)
    end, { inputs = 2 })
    for at = 1, 4 do push(h, at % 2 + 1, "a", at) end
    h:watermarks(9)
    assert.equal("2-3@9 4-3@9 W(9)", h:words())
    assert.equal(0, h:state_size())
  end)

  it("S58: joins values that are false, and emits false", function()
    local h = case.new(function(left, right)
      local one = function() return "one" end
      return left:join(right, { left = one, right = one }):window(mt.tumbling { size = 10 }):apply("pairs", function(l, r) return l == r end)
    end, { inputs = 2 })
    h.inputs[1]:push(false, 1)
    h.inputs[2]:push(true, 2)
    h.inputs[2]:push(false, 3)
    h:watermarks(9)
    assert.equal("false@9 true@9 W(9)", h:words())
  end)

  it("fails at the line of the function, and takes the window's output back", function()
    local h = case.new(function(left, right)
      return left:join(right, { left = "k", right = "k" }):window(mt.tumbling { size = 10 }):apply("pairs", function(l, r)
        if r.bad then error("bad pair") end
        return l.n + r.n
      end, { on_error = "skip" })
    end, { inputs = 2 })
    for n = 1, 2 do
      h.inputs[1]:push({ k = n, n = n }, 1)
      h.inputs[2]:push({ k = n, n = 10 }, 1)
    end
    h.inputs[2]:push({ k = 1, n = 20, bad = true }, 1)
    h:watermarks(9)
    assert.equal("12@9 W(9)", h:words())
  end)

  local author = require "support.author"
  for call, message in pairs {
    ["stream:join()"] = ":join: needs the other stream, got nothing",
    ["stream:join(stream)"] = ":join: option 'left' is required",
    ["stream:co_group(stream, { left = 'a', right = 5 })"] = ":co_group: option 'right' must be a field or a function, got 5",
    ["stream:join(stream, { left = 'a', right = 'a' }):apply('p', print)"] = "a join has no method 'apply' (known: window)",
    ["stream:join(stream, { left = 'a', right = 'a' }):window(mt.tumbling { size = 1 }):aply('p', print)"] = "a join has no method 'aply' (did you mean 'apply'?)",
    ["stream:join(stream, { left = 'a', right = 'a' }):window(mt.tumbling { size = 1 }):apply('p')"] = ":apply: fn must be a function, got nothing",
    ["stream:join(stream, { left = 'a', right = 'a' }):window(mt.tumbling { size = 1 }):apply(print)"] =
      ':apply: needs a name first, the address of its state: :apply("name", ...), got a function',
  } do
    it("tells a mistake at the author's line: " .. call, function()
      local text = "local job = mt.job('j') local stream = job:from(mt.values {})\nlocal _ = " .. call
      local ok, got = pcall(author.run, text)
      assert.is_false(ok)
      assert.equal("fraud.lua:2: " .. message, got)
    end)
  end
end)
