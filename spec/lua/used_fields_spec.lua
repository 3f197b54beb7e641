-- What a function can see of a record is told from its byte code, and only then are fields left out.
local copy = require "support.copy"
local mt = require "moontide"
local testing = require "moontide.testing"
local used_fields = require "moontide.runtime.used_fields"

local function seen(fn, index)
  local fields, names = {}, {}
  if not used_fields.add(fn, index or 1, fields) then return "all" end
  for name in pairs(fields) do names[#names + 1] = tostring(name) end
  table.sort(names)
  return table.concat(names, ",")
end

local kept

describe("the fields that a function sees", function()
  it("are those it names", function()
    assert.equal("a,b", seen(function(v) return v.a + v.b end))
    assert.equal("a,b,c", seen(function(v) if v.a then return v.b else return v.c end end))
    assert.equal("n", seen(function(v) for i = 1, v.n do kept = i end end))
    assert.equal("a", seen(function(v) return v.a.b end))
    assert.equal("odd key", seen(function(v) return v["odd key"] end))
    assert.equal("1,3,a", seen(function(v) return v[1] + v[3] * v.a end))
    assert.equal("a,b", seen(function(v) return v.a .. v.b end))
    assert.equal("amount,b", seen(function(self, v, _, out) out:collect { n = self.c:value() + v.amount, a = v.b } end, 2))
    assert.equal("a", seen(function(v) local w = v return w.a end))
    assert.equal("a", seen(function(v) v = v.a return v.b end))
    assert.equal("a", seen(function(v) if v and v ~= nil then return v.a end end))
    assert.equal("", seen(function() return 1 end))
  end)

  it("are those that functions name which it calls", function()
    local function sum(v, more) return v.a + v.b + more end
    local function either(v) if v.c then return sum(v, 1) end return v.d end
    local function keeps(v) kept = v end
    local function itself(v) return v end
    local function again(v) return v.a and again(v) end -- luacheck: ignore
    local function forever(v) return v.a and forever(v) end
    local later = sum
    if kept then later = keeps end
    assert.equal("a,b", seen(function(v) return sum(v, v.a) end))
    assert.equal("a,b,c,d", seen(function(v) return either(v) end))
    assert.equal("a,b", seen(function(v) return sum(itself(v), 0) end))
    assert.equal("d", seen(function(v) local w = itself(v) return w.d end))
    assert.equal("all", seen(function(v) return keeps(v) end))
    assert.equal("all", seen(function(v) return itself(v) end))
    assert.equal("all", seen(function(v) return sum(1, 2, v), kept(v) end))
    assert.equal("all", seen(function(v) return later(v) end))
    assert.equal("all", seen(function(v) return again(v) end))
    assert.equal("all", seen(function(v) return forever(v) end))
  end)

  for name, fn in pairs {
    ["returns it"] = function(v) return v end,
    ["returns it beside a field"] = function(v) return v.a, v end,
    ["calls something with it"] = function(v) kept(v) end,
    ["calls something with it at its end"] = function(v) return kept(v) end,
    ["writes to it"] = function(v) v.x = 1 return v.a end,
    ["indexes it by a variable"] = function(v, k) return v[k] end,
    ["captures it"] = function(v) return function() return v.a end end,
    ["walks over it"] = function(v) for k in pairs(v) do kept = k end end,
    ["puts it into a table"] = function(v) return { v } end,
    ["puts it under a name"] = function(v) kept.x = v end,
    ["puts it under a number"] = function(v) kept[1] = v end,
    ["keeps it in an upvalue"] = function(v) kept = v end,
    ["compares it"] = function(v, w) return v == w end,
    ["asks whether it is true"] = function(v) return v and v.a end,
    ["negates it"] = function(v) return not v end,
    ["takes its length"] = function(v) return #v end,
    ["joins it to a text"] = function(v) return v .. v.b end,
    ["calls a method of it"] = function(v) return v:foo() end,
    ["counts up from it"] = function(v) for i = v, 10 do kept = i end end,
    ["takes any number of arguments"] = function(v, ...) return v.a, select("#", ...) end,
    ["is no Lua function"] = tostring,
  } do
    it("are all where it " .. name, function()
      assert.equal("all", seen(fn))
    end)
  end
end)

describe("the fields that an operator sees", function()
  local function of_operator(terminal, step, fn)
    local names = {}
    for name in pairs(used_fields.of_operator({ terminal = terminal, stages = {}, step = step }, fn) or { all = true }) do names[#names + 1] = name end
    table.sort(names)
    return table.concat(names, ",")
  end
  local function wrapper(...) return kept(...) end

  it("are those of the function that its author wrote, not of what calls it", function()
    assert.equal("a,b", of_operator("process", { plain = function(v, _, out) out:collect(v.a + v.b) end, definition = { process_element = wrapper } }, wrapper))
    assert.equal("a", of_operator("process", {}, function(self, v) self.n:update(v.a) end))
    assert.equal("all", of_operator("process", { plain = function(v, _, out) out:collect(v) end, definition = { process_element = wrapper } }, wrapper))
    assert.equal("k", of_operator("key", {}, function(v) return v.k end)) -- the input goes on as it is
    assert.equal("c", of_operator("flat_map", {}, function(v, out) out:collect(v.c) end))
  end)

  it("are all of them where a key is made of what a filter let pass", function()
    local function of_stages(terminal, stages, fn)
      return used_fields.of_operator({ terminal = terminal, stages = stages }, fn)
    end
    local odd = { kind = "filter", fn = function(v) return v.n % 2 == 1 end }
    local doubled = { kind = "map", fn = function(v) return { n = v.n * 2, t = v.t } end }
    local function key(v) return v.k end
    assert.is_nil(of_stages("key", { odd }, key))
    assert.are.same({ n = true }, of_stages("emit", { odd })) -- the records themselves go on
    assert.are.same({ n = true, t = true }, of_stages("key", { odd, doubled }, key))
    assert.are.same({ n = true, t = true }, of_stages("emit", { odd, doubled }))
  end)
end)

describe("an operator of filters", function()
  local limit, seen_last = 5, nil
  local function only_chooses(...)
    local stages = {}
    for i, fn in ipairs { ... } do stages[i] = { kind = "filter", fn = fn } end
    return used_fields.only_chooses { terminal = "emit", stages = stages }
  end

  it("only chooses where its functions compare and calculate", function()
    for _, fn in ipairs {
      function(v) return v.n % 2 == 1 end,
      function(v) return v.kind == "a" and v.n > limit or not v.flag end,
      function(v) return v.place.x ~= nil and v.n * 2 - 1 >= 7.5 end,
      function(v) if v.n == 1 then return true end return #v.text < 3 end,
      function(v) return -v.n ^ 2 <= v.m .. "0" end,
      function(v) return v[1] > v[2] + 1 end,
    } do
      assert.is_true(only_chooses(fn))
      assert.is_true(only_chooses(fn, function(v) return v.n end))
    end
  end)

  for name, fn in pairs {
    ["writes a field"] = function(v) v.n = 1 return true end,
    ["writes into a table in it"] = function(v) v.place.x = 1 return true end,
    ["writes an element of a list in it"] = function(v) v.list[1] = 1 return true end,
    ["writes an element by a variable"] = function(v) v.list[limit] = v.n return true end,
    ["keeps a field in an upvalue"] = function(v) seen_last = v.place return seen_last == nil end,
    ["keeps a field in a global"] = function(v) kept_by_filter = v.place return true end, -- luacheck: ignore
    ["calls a function"] = function(v) return tostring(v.n) == "1" end,
    ["calls a method"] = function(v) return v.text:find("x") end,
    ["makes a table"] = function(v) return { v.n } end,
    ["loops"] = function(v) for _ = 1, v.n do limit = limit + 0 end return true end,
    ["holds a function"] = function(v) return (function() return v.n end)() end,
    ["uses the record itself"] = function(v) return v ~= limit end,
  } do
    it("may do more where one " .. name, function() assert.is_false(only_chooses(function(v) return v.n end, fn)) end)
  end

  it("may do more where it is also a map, or ends in something else", function()
    local function same(v) return v.n end
    assert.is_false(used_fields.only_chooses { terminal = "emit", stages = { { kind = "map", fn = same } } })
    assert.is_false(used_fields.only_chooses { terminal = "key", stages = { { kind = "filter", fn = same } } })
  end)
end)

describe("a function that sees elements of a list", function()
  local lists = {
    { 1, 2, 3 }, { 4 }, {}, { "a", "b" }, { "a", 2 }, { { 1 }, { x = { 2 } }, mt.null }, { true, false }, { 2LL ^ 60, 5LL },
    { n = 1 }, { [2] = "two", [7] = 7 }, { 1, 2, x = 3 }, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 }, mt.null, { mt.null, { { {} } } },
  }

  -- What it answers of each list, which comes in more often than a loop needs to be compiled.
  local function answers(fn)
    local h = testing.harness(function(input) return input:map(fn) end)
    local expected = {}
    for _ = 1, 60 do
      for _, list in ipairs(lists) do
        expected[#expected + 1] = fn(copy(list))
        h:push(list)
      end
    end
    assert.are.same(expected, h:values())
    h:close()
  end

  it("finds them, and nothing where there are none", function()
    answers(function(v) return { v[1] == nil and "none" or v[1], v[2] == nil and "none" or v[2] } end)
    answers(function(v) return { first = v[1], third = v[3] } end)
    answers(function(v) return { zero = v[0], second = v[2], twelfth = v[12], x = v.x, n = v.n } end)
    answers(function(v) return { thirtieth = v[30] or "none", first = v[1] or "none" } end)
  end)

  it("may only choose by them", function()
    local h = testing.harness(function(input) return input:filter(function(v) return v[1] == 1 end) end)
    for _, list in ipairs(lists) do h:push(list) end
    assert.are.same({ { 1, 2, 3 }, { 1, 2, x = 3 }, lists[12] }, h:values())
    h:close()
  end)
end)
