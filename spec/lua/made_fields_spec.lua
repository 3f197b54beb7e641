-- Which fields a function's tables have is told from its byte code, and only then are they encoded without a look at what else they hold.
local made_fields = require "moontide.runtime.made_fields"
local mt = require "moontide"
local testing = require "moontide.testing"

local function text(fields)
  if not fields then return "any" end
  local names = {}
  for name in pairs(fields) do names[#names + 1] = tostring(name) end
  table.sort(names)
  return table.concat(names, ",")
end

-- The same with what is known of the tables in a table: "a{b,c}".
local function deep_text(fields)
  if not fields then return "any" end
  local list = {}
  for name, within in pairs(fields) do list[#list + 1] = tostring(name) .. (within == true and "" or "{" .. deep_text(within) .. "}") end
  table.sort(list)
  return table.concat(list, ",")
end

local function answered(fn) return text(made_fields.answered(fn)) end
local function collected(fn) return text(made_fields.collected(fn, 2)) end

local function known_text(known)
  return text(known and known.fields) .. (known and known.passes and " and those that come in" or "")
end

local function emitted(...)
  local stages = {}
  for i, fn in ipairs { ... } do stages[i] = { kind = "map", fn = fn } end
  return known_text(made_fields.of_operator { terminal = "emit", stages = stages, step = {} })
end

local function of_state(process_element, more)
  local definition = { state = { kept = mt.value_state(), other = mt.value_state() }, process_element = process_element }
  for name, value in pairs(more or {}) do definition[name] = value end
  return text(made_fields.of_process(definition).states.kept)
end

describe("the fields that a process step collects", function()
  local function of_step(definition, plain) return known_text(made_fields.of_process(definition, plain).collected) end

  it("are told of its short form too", function()
    local function wrapped() end
    assert.equal("a,b", of_step({ process_element = function(_, v, _, out) out:collect { a = v, b = 1 } end }))
    assert.equal("a,b", of_step({ process_element = wrapped }, function(v, _, out) out:collect { a = v, b = 1 } end))
    assert.equal(" and those that come in", of_step({ process_element = wrapped }, function(v, _, out) out:collect(v) end))
  end)

  it("may be those of its record", function()
    assert.equal("a and those that come in", of_step { process_element = function(_, v, _, out) v.a = 1 out:collect(v) end })
    assert.equal("b and those that come in", of_step {
      state = { last = mt.value_state() },
      process_element = function(self, v, _, out) self.last:update(v) v.b = self.last:value() out:collect(v) end,
    })
    assert.equal("any", of_step { process_element = function(self, v, _, out) self.last = v out:collect(v) end })
    assert.equal("any", of_step { process_element = function(_, v, ctx, out) ctx:output("all", v) out:collect(v) end })
  end)
end)

local kept

local function of_aggregate(definition) return text(made_fields.of_aggregate(definition)) end

describe("the fields of an aggregate's accumulators", function()
  local function create() return { n = 0, sum = 0 } end

  it("are those that its functions give them", function()
    assert.equal("n,sum", of_aggregate { create = create, add = function(acc, v) acc.n, acc.sum = acc.n + 1, acc.sum + v return acc end })
    assert.equal("max,n,sum", of_aggregate { create = create, add = function(acc, v) acc.max = v return acc end })
    assert.equal("at,n,sum", of_aggregate { create = create, add = function(acc, v) return { n = acc.n + v, at = v } end })
    assert.equal("both,n,sum", of_aggregate {
      create = create, add = function(acc) return acc end, merge = function(a, b) return { both = a.sum + b.sum } end,
    })
    assert.equal("all,n,sum", of_aggregate { create = create, add = function(acc) return acc end, merge = function(a, b) a.all = b.n return a end })
  end)

  it("are unknown where somebody else may give them more", function()
    assert.equal("any", of_aggregate { create = function() return 0 end, add = function(acc, v) return acc + v end })
    assert.equal("any", of_aggregate { create = create, add = function(acc, v) acc[v] = 1 return acc end })
    assert.equal("any", of_aggregate { create = create, add = function(acc) kept = acc return acc end })
    assert.equal("any", of_aggregate { create = create, add = function(_, v) return v end })
    assert.equal("any", of_aggregate { create = create, add = function(acc) return acc end, merge = function(a, b) return kept or a, b end })
  end)
end)

describe("the fields of tables that a function", function()
  it("answers are those it gives them", function()
    assert.equal("a,b", answered(function(v) return { a = v.x, b = 1 } end))
    assert.equal("a", answered(function() return { a = "constant" } end))
    assert.equal("a,b", answered(function(v) local t = {} t.a = v if v.x then t.b = t.a end return t end))
    assert.equal("a,b,c", answered(function(v) if v.x then return { a = 1, b = 2 } end return { a = v.y, c = v.z } end))
    assert.equal("at,user", answered(function(v) return { user = { id = v.id }, at = v.at } end))
    assert.equal("a,n", answered(function(v) local t = { n = 0 } for i = 1, v.n do t.n = t.n + i end t.a = 1 return t end))
    assert.equal("a", answered(function(v) if v.x then return 7 end return { a = v.y }, v.at end))
    assert.equal("odd key", answered(function(v) return { ["odd key"] = v.a } end))
  end)

  it("answers may be numbers", function()
    assert.equal("1", answered(function(v) return { v.a } end))
    assert.equal("1,2", answered(function() return { 1, 2 } end))
    assert.equal("1,7,a", answered(function(v) local t = { v.a, [7] = v.b } t.a = v.c return t end))
    assert.equal("0,1,2", answered(function(v) local t = { v.a } t[2], t[0] = v.b, 1 return t end))
  end)

  local function within(fn) return deep_text(made_fields.answered(fn)) end

  it("answers are told with those of the tables in them", function()
    assert.equal("at,user{id}", within(function(v) return { user = { id = v.id }, at = v.at } end))
    assert.equal("a{b{c{1,2}}}", within(function(v) return { a = { b = { c = { v.x, v.y } } } } end))
    assert.equal("1{a},2{a,b}", within(function(v) return { { a = v.a }, { a = v.b, b = v.c } } end))
    assert.equal("a{x,y}", within(function(v) local t = { x = 1 } local u = { a = t } t.y = v.y return u end))
    assert.equal("a{x,y}", within(function(v) local u = {} if v.x then u.a = { x = v.x } else u.a = { y = v.y } end return u end))
    assert.equal("a{x},b{a{x}}", within(function(v) local t = { x = v.x } return { a = t, b = { a = t } } end))
  end)

  it("answers are told without those of tables that others may change", function()
    assert.equal("a", within(function(v) return { a = v.tags } end))
    assert.equal("a", within(function(v) local u = { a = { x = 1 } } if v.x then u.a = v.tags end return u end))
    assert.equal("a", within(function(v) local u = { a = { x = 1 } } u.a.y = v.y return u end))
    assert.equal("a", within(function(v) local u = { a = { x = 1 } } local t = u.a t[v.k] = v.y return u end))
    assert.equal("a", within(function() local t = { x = 1 } local u = { a = t } kept = t return u end))
    assert.equal("a,b", within(function() local t = { x = 1 } local u, w = { a = t, b = 1 }, { c = t } kept(w) return u end))
    assert.equal("a,b", within(function() local t = { x = 1 } local u, w = { a = t, b = 1 }, { c = t } w.c.y = 1 return u end))
    assert.equal("a", within(function() local t, w = { x = 1 }, {} local u = { a = t } kept = w w.t = t return u end))
    assert.equal("a", within(function(v) local u = { a = { x = 1 } } for i = 1, v.n do u.a[i] = i end return u end))
    assert.equal("a,n", within(function(v)
      local u = { n = 1 }
      kept(u.a)
      u.a = v.tags
      if v.x then return { a = { x = 1 } } end
      return u
    end))
    assert.equal("any", within(function() local u = { a = { x = 1 } } kept = u return u end))
  end)

  it("answers are told without those of the tables in them where a later step takes them out, or they come in", function()
    local function make(v) return { a = { x = v.x } } end
    local function of(...)
      local stages = {}
      for i, stage in ipairs { ... } do stages[i] = { kind = i == 1 and "map" or "filter", fn = stage } end
      local known = made_fields.of_operator { terminal = "emit", stages = stages, step = {} }
      return deep_text(known and known.fields)
    end
    assert.equal("a{x}", of(make))
    assert.equal("a{x}", of(make, function(v) return v.a.x > 1 end))
    assert.equal("a", of(make, function(v) v.a.y = 1 return true end))
    assert.equal("a", of(make, function(v) return kept(v.a) end))
    assert.equal("a,b", deep_text(made_fields.of_operator({ terminal = "emit", step = {}, stages = {
      { kind = "map", fn = make }, { kind = "map", fn = function(v) v.b = { y = 1 } return v end },
    } }).fields))
    assert.equal("a", deep_text(made_fields.of_operator({ terminal = "key", stages = { { kind = "map", fn = make } },
      step = { fn = function(v) return kept(v.a) end } }).fields))
  end)

  it("stores are names, of whose tables nothing is told", function()
    local states = made_fields.of_process({ state = { kept = mt.value_state() }, process_element = function(self, v)
      self.kept:update { a = { x = v.x } }
    end }).states
    assert.equal("a", deep_text(states.kept))
    assert.equal("any", of_state(function(self, v) self.kept:update { v.a, v.b } end))
    assert.equal("any", of_state(function(self, v) local s = self.kept:value() or { a = 1 } s[1] = v.a self.kept:update(s) end))
  end)

  it("collects are those it gives them", function()
    assert.equal("a,b", collected(function(v, out) out:collect { a = v.a } if v.b then out:collect { b = v.b } end end))
    assert.equal("a", collected(function(v, out) for i = 1, 3 do out:collect({ a = v.a * i }, v.at) end end))
    assert.equal("a", collected(function(v, out) local t = { a = 1 } out:collect(t) t.a = v.b return out:collect(t) end))
  end)

  it("answers may be those of its record, with what it gives that", function()
    local function add_a(v) v.a = v.b return v end
    local function make(v) return { c = v.a } end
    local function keep(v) kept = v return v end
    assert.equal(" and those that come in", emitted(function(v) return v end))
    assert.equal("a and those that come in", emitted(add_a))
    assert.equal("a,x and those that come in", emitted(add_a, function(v) if v.a then v.x = 1 return v end return { x = v.y } end))
    assert.equal("c", emitted(keep, make))
    assert.equal("a,c", emitted(make, add_a))
    assert.equal("any", emitted(keep, add_a))
    assert.equal("any", emitted(make, keep))
    assert.equal("any", emitted(function(v) for name in pairs(v) do v[name] = 1 end return v end))
    assert.equal("any", emitted(function(v) local function add() v.a = 1 end add() return v end))
    assert.equal("any", emitted(function(v) return setmetatable(v, kept) end))
    assert.equal("any", emitted(function(v) return table.remove(v) and v end))
  end)

  it("stores are those it gives them and those it adds", function()
    assert.equal("a,b", of_state(function(self, v) local s = self.kept:value() or { a = 0 } s.b = v.b self.kept:update(s) end))
    assert.equal("a", of_state(function(self) self.kept:update { a = 1 } self.other:update { b = self.other:value() } end))
    assert.equal("a,d", of_state(function(self) self.kept:update { a = 1 } end, { state = { kept = mt.value_state { default = { d = 1 } } } }))
  end)

  for name, fn in pairs {
    ["answers its parameter"] = function(v) return v end,
    ["answers what another function made"] = function(v) return kept(v) end,
    ["may answer either"] = function(v) return v.x or { a = 1 } end,
    ["gives the table away"] = function(v) local t = { a = v.a } kept(t) return t end,
    ["keeps the table"] = function(v) local t = { a = v.a } kept = t return t end,
    ["puts the table into another"] = function(v) local t = { a = v.a } kept.t = t return t end,
    ["puts the table into a list"] = function(v) local t = { a = v.a } kept[1] = t return t end,
    ["gives it a metatable"] = function(v) return setmetatable({ a = v.a }, kept) end,
    ["writes by a variable"] = function(v) local t = { a = 1 } t[v.k] = 1 return t end,
    ["writes by a variable in a loop, behind"] = function(v)
      local t, last = { a = 1 }, {}
      for i = 1, v.n do last[v.k] = i last = t end
      return t
    end,
    ["makes a table with a fraction as key"] = function() return { [7.5] = 1 } end,
    ["makes a list of what a call answers"] = function(v) return { kept(v) } end,
    ["walks over the table"] = function(v) local t = { a = v.a } for k in pairs(t) do kept = k end return t end,
    ["has inner functions"] = function(v) local t = { a = v.a } kept = function() t.b = 1 end return t end,
    ["takes any number of arguments"] = function(...) return { a = select("#", ...) } end,
    ["makes none"] = function() return 1 end,
    ["is no Lua function"] = tostring,
  } do
    it("answers may be any where it " .. name, function() assert.equal("any", answered(fn)) end)
  end

  for name, fn in pairs {
    ["collects what it was given"] = function(v, out) out:collect { a = 1 } out:collect(v) end,
    ["gives the collector away"] = function(_, out) out:collect { a = 1 } kept(out) end,
    ["keeps the collector"] = function(_, out) out:collect { a = 1 } kept = out end,
    ["keeps collect itself"] = function(_, out) out:collect { a = 1 } kept = out.collect end,
    ["calls another collect"] = function(v, out) local either = v.x and kept or out either:collect { a = 1 } end,
    ["collects for another"] = function(_, out) out.collect(kept, { a = 1 }) end,
    ["collects what a call answers"] = function(v, out) out:collect(kept(v)) end,
  } do
    it("collects may be any where it " .. name, function() assert.equal("any", collected(fn)) end)
  end

  local function stores(self) self.kept:update { a = 1 } end

  for name, fn in pairs {
    ["stores a record"] = function(self, v) self.kept:update(v) end,
    ["stores what another state holds"] = function(self) self.kept:update { a = 1 } self.kept:update(self.other:value()) end,
    ["gives the value away"] = function(self) local s = self.kept:value() kept(s) self.kept:update(s) self.kept:update { a = 1 } end,
    ["gives self away"] = function(self) kept(self) self.kept:update { a = 1 } end,
    ["gives the state away"] = function(self) kept(self.kept) self.kept:update { a = 1 } end,
    ["keeps self"] = function(self) kept = self self.kept:update { a = 1 } end,
    ["reaches it by a variable"] = function(self, v) self[v.name]:update(v) self.kept:update { a = 1 } end,
    ["may update another"] = function(self, v) local s = v.x and self.kept or kept s:update(v) self.kept:update { a = 1 } end,
    ["may be of another self"] = function(self, v) local s = v.self or self s.kept:update(v) self.kept:update { a = 1 } end,
  } do
    it("stores may be any where it " .. name, function() assert.equal("any", of_state(fn)) end)
  end

  it("answers, collects and stores may be what functions make that it calls", function()
    local function make(a, b) return { a = a, b = b } end
    local function either(v) if v.x then return make(v.x, 1) end return { c = v } end
    local function with_d(t) t.d = 1 return t end
    local function keep(t) kept = t return t end
    local function emit(out, v) out:collect { e = v } end
    local function deep(v) return { f = make(v, 2), g = keep { h = 1 } } end
    assert.equal("a,b", answered(function(v) return make(v, 1) end))
    assert.equal("a,b,c", answered(function(v) return either(v) end))
    assert.equal("a,b,d", answered(function(v) return with_d(make(v, 1)) end))
    assert.equal("a,b,z", answered(function(v) local t = make(v, 1) t.z = 2 return t end))
    assert.equal("any", answered(function(v) return keep(make(v, 1)) end))
    assert.equal("any", answered(function(v) local t = make(v, 1) keep(t) return t end))
    assert.equal("f{a,b},g", within(function(v) return deep(v) end))
    assert.equal("f{a,b},g", within(function(v) return { f = make(v.x, v.y), g = make(v, 1).a } end))
    assert.equal("f", within(function(v) local t = { f = make(v.x, v.y) } with_d(t.f) return t end))
    assert.equal("e", collected(function(v, out) emit(out, v) end))
    assert.equal("e,k", collected(function(v, out) out:collect { k = v } return emit(out, v) end))
    assert.equal("any", collected(function(v, out) emit(out, v) keep(out) end))
    assert.equal("a", of_state(function(self) stores(self) end))
    assert.equal("a,b", of_state(function(self, v) stores(self) self.kept:update(make(v, 1)) end))
    assert.equal("any", of_state(function(self, v) keep(self) self.kept:update(make(v, 1)) end))
  end)

  it("answers may be any where what it calls may be another function, or cannot be told of", function()
    local function make(a) return { a = a } end
    local function inner(t) local function set() t.b = 1 end set() return 1 end
    local function many(...) kept = ... end
    assert.equal("any", answered(function(v) local t = make(v) inner(t) return t end))
    assert.equal("any", answered(function(v) local t = make(v) many(t) return t end))
    assert.equal("any", answered(function(v) local t = make(v) rawset(t, "b", 1) return t end))
    local other = make
    local function change() other = tostring end
    assert.equal("a", answered(function(v) return make(v) end))
    assert.equal("any", answered(function(v) return other(v) end))
    assert.is_function(change)
    local parts = { make = make }
    assert.equal("any", answered(function(v) return parts.make(v) end))
  end)

  it("stores may be any where another callback keeps self, or brings another default", function()
    assert.equal("any", of_state(stores, { open = function(self) kept = self end }))
    assert.equal("any", of_state(stores, { state = { kept = mt.value_state { default = { 1, 2 } } } }))
  end)

  it("cannot be told any more once the function is compiled", function()
    local function make(v) return { a = v } end
    assert.equal("a", answered(make))
    local before
    for i = 1, 1000 do before = make(i) end
    assert.equal(1000, before.a)
    assert.is_true(answered(make) == "a" or answered(make) == "any")
  end)
end)

describe("tables of known fields", function()
  it("are encoded with those fields that are there", function()
    local h = testing.harness(function(input)
      return input:map(function(n) return { a = n % 2 == 0 and n or nil, b = n % 3 == 0 and n or nil, c = n > 6 and "c" or nil } end)
    end)
    for i = 1, 8 do h:push(i) end
    assert.are.same({ {}, { a = 2 }, { b = 3 }, { a = 4 }, {}, { a = 6, b = 6 }, { c = "c" }, { a = 8, c = "c" } }, h:values())
  end)

  -- What a step makes of each of the numbers from 1 on comes out as it is.
  local function passes(fn, count)
    local h = testing.harness(function(input) return input:map(fn) end)
    local expected = {}
    for i = 1, count or 12 do
      expected[i] = fn(i)
      h:push(i)
    end
    assert.are.same(expected, h:values())
    h:close()
  end

  it("may be lists, short ones and long ones, with holes and names", function()
    passes(function(n) return { n, n * 2 } end)
    passes(function(n) return { n, "text", n % 2 == 0 or nil, n % 3 == 0 and mt.null or false } end)
    passes(function(n) local t = { n } if n % 3 == 0 then t[2] = "two" end if n % 4 == 0 then t[3] = "three" end return t end)
    passes(function(n) local t = { n, n } if n % 4 == 0 then t.name = "n" end return t end)
    passes(function(n) local t = { n, n } if n % 4 == 0 then t[0] = "n" end return t end)
    passes(function(n) return { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, n } end)
    passes(function(n) if n % 3 == 0 then return { a = n } elseif n % 3 == 1 then return { n } else return { n, n, n } end end, 30)
    passes(function(n) if n % 5 == 0 then return mt.null elseif n % 5 == 1 then return {} end return { {}, { n }, { mt.null } } end, 30)
    passes(function(n) local lists = {} for i = 1, n do lists[i] = i end return lists end, 20)
  end)

  it("may hold tables, whose fields come and go", function()
    passes(function(n) return { user = { id = n, name = n % 2 == 0 and "even" or nil }, tags = { "a", n % 3 == 0 and "b" or nil } } end)
    passes(function(n) local tags = { "a" } if n % 3 == 0 then tags.first = "b" end return { tags = tags } end)
    passes(function(n) local one = n % 2 == 0 and mt.null or { n } return { one = one, two = { one = one } } end)
    passes(function(n) return { { x = n }, { y = n, z = n % 2 == 0 and { n } or nil }, { n % 3 == 0 and n or nil } } end)
    passes(function(n) return { { a = { x = n } }, { a = { y = n, z = n % 2 == 0 and n or nil } } } end)
    passes(function(n) return { a = { b = { c = { d = { e = { f = { g = { h = n, [n] = n } } } } } } } } end)
  end)

  it("are told from null, also where a table without fields was before", function()
    local h = testing.harness(function(input)
      return input:flat_map(function(v, out)
        out:collect(v)
        out:collect {}
        out:collect(mt.null)
      end)
    end)
    h:push({})
    assert.are.same({ {}, {}, mt.null }, h:values())
  end)

  -- Ever new fields, tables that are no rows, and what is no table.
  local function passing()
    local list = { {}, { a = 0 }, { a = 0, b = 0 }, {}, { a = 1 } }
    for i = 1, 60 do list[#list + 1] = { a = i, ["x" .. i % 12] = i, y = i % 5 == 0 and "y" or nil } end
    for i = 1, 3 do
      for _, value in ipairs { { a = i }, {}, { i, i }, { [7] = i }, { a = { b = i } }, mt.null, i, "text" } do list[#list + 1] = value end
    end
    return list
  end

  for name, fn in pairs {
    ["as they are"] = function(v) return v end,
    ["with a field more"] = function(v) if type(v) == "table" and v ~= mt.null and not v[1] then v.more = 1 v.a = nil end return v end,
  } do
    it("let those pass that come in, " .. name, function()
      local h = testing.harness(function(input)
        return input:map(fn):flat_map(function(v, out) out:collect(v) end):process("last", { process_element = function(_, v, _, out) out:collect(v) end })
      end)
      local expected = passing()
      for i, value in ipairs(expected) do expected[i] = fn(value) end
      for _, value in ipairs(passing()) do h:push(value) end
      assert.are.same(expected, h:values())
    end)
  end

  it("keep what an older version of the script stored beside them", function()
    local function job(first)
      return function(input)
        return input:key_by(function() return 1 end):process("keep", {
          state = { kept = mt.value_state() },
          process_element = first and function(self, v, _, out)
            self.kept:update { old = v, n = 0, inner = { v } }
            out:collect(0)
          end or function(self, _, _, out)
            local kept = self.kept:value() or { n = 0 }
            kept.n = kept.n + 1
            self.kept:update(kept)
            out:collect(self.kept:value())
          end,
        })
      end
    end
    local h = testing.harness(job(true))
    h:push("x")
    local snapshot = h:snapshot()
    h:close()
    h = testing.harness(job(false), { restore = snapshot })
    for _ = 1, 2 do h:push("y") end
    assert.are.same({ { old = "x", n = 1, inner = { "x" } }, { old = "x", n = 2, inner = { "x" } } }, h:values())
  end)
end)
