local case = require "support.case"
local mt = require "moontide"
local variants = require "support.variants"

local function fails(fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok, "it did not fail")
  return message
end

local function same(value) return value end

-- Values are their own keys; rules are { key =, value = } (no value: removed).
local function ruled(definition)
  definition.process_broadcast_element = definition.process_broadcast_element or function(self, rule)
    if rule.value == nil then self.rules:remove(rule.key) else self.rules:put(rule.key, rule.value) end
  end
  return function(values, rules)
    return values:key_by(same):connect(rules:broadcast { rules = mt.map_state() }):process("ruled", definition)
  end
end

local function rules_case(definition, options)
  options = options or {}
  options.inputs = 2
  return case.new(ruled(definition), options)
end

local keyed = { key = same, everywhere = { [2] = true }, harness = { inputs = 2 } }

local function entries(state)
  local list = {}
  for key, value in state:entries() do list[#list + 1] = ("%s=%s"):format(tostring(key), tostring(value)) end
  return table.concat(list, ",")
end

describe("broadcast state", function()
  after_each(case.close)

  variants.it(it, "T37: times, timers and watermarks of both sides", keyed, function(open)
    local h = open(ruled {
      process_element = function(_, value, ctx, out)
        out:collect(("NON-BR:%d/WM:%d/TS:%d"):format(value, ctx:timers():current_watermark(), ctx:timestamp()))
        ctx:timers():register_event_time_timer(41)
      end,
      process_broadcast_element = function(_, value, ctx, out)
        out:collect(("BR:%d/WM:%d/TS:%d"):format(value, ctx:timers():current_watermark(), ctx:timestamp()))
      end,
      on_timer = function(_, timestamp, _, out) out:collect("TIMER:" .. timestamp) end,
    }, { ordered = true })
    h:watermarks(10)
    h:expect "W(10)"
    h.inputs[2]:push(5, 12)
    h:expect "BR:5/WM:10/TS:12@12"
    h:watermarks(40)
    h:expect "W(40)"
    h.inputs[1]:push(6, 13)
    h.inputs[1]:push(6, 15)
    h:expect "NON-BR:6/WM:40/TS:13@13 NON-BR:6/WM:40/TS:15@15"
    h:watermarks(50)
    h:expect "TIMER:41@41 W(50)"
  end)

  variants.it(it, "S48: is every subtask's after a restore", keyed, function(open)
    local h = open(ruled { process_element = function(self, _, _, out) out:collect(entries(self.rules)) end })
    h.inputs[2]:push { key = "b", value = 2 }
    h.inputs[2]:push { key = "a", value = { "deep", { 1 } } }
    h.inputs[2]:push { key = 7, value = mt.null }
    h.inputs[2]:push { key = "gone", value = 1 }
    h.inputs[2]:push { key = "gone" }
    h.inputs[2]:push { key = "a", value = 1 }
    for value = 1, 4 do h.inputs[1]:push(value) end
    h:expect "7=null,a=1,b=2 7=null,a=1,b=2 7=null,a=1,b=2 7=null,a=1,b=2"
  end)

  variants.it(it, "S49: reaches the keyed state of every key by apply_to_keyed_state", keyed, function(open)
    local h = open(ruled {
      state = { count = mt.value_state { default = 0 }, seen = mt.map_state() },
      process_element = function(self, value, ctx, out)
        self.count:update(self.count:value() + 1)
        if value ~= "quiet" then self.seen:put("x", self.count:value()) end
        if value == "b" then out:collect(self.count:value()) end
      end,
      process_broadcast_element = function(_, rule, ctx, out)
        ctx:apply_to_keyed_state(rule, function(key, state)
          if rule == "count" then
            out:collect(key .. ":" .. state:value())
            state:update(state:value() + 10)
          else
            for _, value in state:entries() do out:collect(key .. "/" .. value) end
            state:clear()
          end
        end)
      end,
    })
    for _, value in ipairs { "b", "a", "ccc", "b", "quiet" } do h.inputs[1]:push(value) end
    h:expect "1 2"
    h.inputs[2]:push("seen", 3)
    h:expect "a/1@3 b/2@3 ccc/1@3"
    h.inputs[2]:push("seen")
    h.inputs[2]:push("count", 4)
    h:expect "a:1@4 b:2@4 ccc:1@4 quiet:1@4"
    h.inputs[1]:push("b")
    h:expect "13"
  end)

  case.each_backend(function(backend)
    it("visits the keys of apply_to_keyed_state in their order, on " .. backend, function()
      local h = rules_case({
        state = { count = mt.value_state { default = 0 } },
        process_element = function(self) self.count:update(1) end,
        process_broadcast_element = function(_, rule, ctx, out)
          ctx:apply_to_keyed_state(rule, function(key) out:collect(key) end)
        end,
      }, { backend = backend })
      for _, value in ipairs { "b", "a", "ccc", "b", "quiet" } do h.inputs[1]:push(value) end
      h.inputs[2]:push("count")
      assert.equal("a b ccc quiet", h:words())
    end)
  end)

  it("visits keys that were evicted, and many of them, each once and in order", function()
    local h = rules_case({
      state = { kept = mt.value_state() },
      process_element = function(self, value) self.kept:update(("%d"):format(value):rep(40)) end,
      process_broadcast_element = function(_, _, ctx, out)
        local last, count, broken = -1, 0, 0
        ctx:apply_to_keyed_state("kept", function(key, state)
          count = count + 1
          if key <= last or state:value() ~= ("%d"):format(key):rep(40) then broken = broken + 1 end
          last = key
        end)
        out:collect { count, broken }
      end,
    }, { memory = "256KB" })
    local list = {}
    for i = 1, 5000 do list[i] = (i * 7919) % 5003 end
    for _ = 1, 3 do
      h.inputs[1].channels[1]:push_all(list)
      h:snap()
    end
    h.inputs[2]:push(1)
    assert.equal("{5000,0}", h:words())
  end)

  it("visits keys again where the author caught the error of a visit", function()
    local h = rules_case {
      state = { count = mt.value_state() },
      process_element = function(self) self.count:update(1) end,
      process_broadcast_element = function(_, rule, ctx, out)
        out:collect((pcall(ctx.apply_to_keyed_state, ctx, "count", function(key)
          assert.is_truthy(fails(ctx.apply_to_keyed_state, ctx, "count", print):find("while it visits keys", 1, true))
          assert(key ~= rule)
        end)))
      end,
    }
    for key = 1, 3 do h.inputs[1]:push(key) end
    h.inputs[2].channels[1]:push_all { 2, 0, 3, 4 } -- records of one batch
    assert.equal("false true false true", h:words())
  end)

  it("puts all of a table or nothing", function()
    local h = rules_case {
      process_element = print,
      process_broadcast_element = function(self, _, _, out)
        self.rules:put_all { a = 1 }
        assert.is_false(pcall(self.rules.put_all, self.rules, { a = 2, b = 2, c = print, d = 2 }))
        assert.is_false(pcall(self.rules.put_all, self.rules, mt.null))
        out:collect(entries(self.rules))
      end,
    }
    h.inputs[2]:push(1)
    assert.equal("a=1", h:words())
  end)

  it("S49: is only read where there is a key, and has no key where it is written", function()
    local wrong = {
      { "element", function(self) self.rules:put("a", 1) end, "broadcast state 'rules' can only be read here" },
      { "element", function(self) self.rules:put_all {} end, "broadcast state 'rules' can only be read here" },
      { "element", function(self) self.rules:remove("a") end, "broadcast state 'rules' can only be read here" },
      { "element", function(self) self.rules:clear() end, "broadcast state 'rules' can only be read here" },
      { "element", function(_, _, ctx) ctx:apply_to_keyed_state("kept", print) end, "ctx has no 'apply_to_keyed_state'" },
      { "timer", function(self) self.rules:put("a", 1) end, "broadcast state 'rules' can only be read here" },
      { "rule", function(self) self.kept:value() end, "no key is set" },
      { "rule", function(self) self.kept:update(1) end, "no key is set" },
      { "rule", function(_, _, ctx) ctx:timers():register_event_time_timer(1) end, "timers belong to a key: broadcast records have none" },
      { "rule", function(_, _, ctx) ctx:apply_to_keyed_state("keept", print) end, 'there is no keyed state "keept" %(did you mean \'kept\'%?%)' },
      { "rule", function(_, _, ctx) ctx:apply_to_keyed_state("kept") end, "needs a function%(key, state%), got nothing" },
      { "rule", function(self) self.rules:put({ a = 1 }, 1) end, "" },
      { "rule", function(self) self.rules:put(0 / 0, 1) end, "" },
      { "rule", function(self) self.rules:put(1, print) end, "a record cannot hold a function" },
    }
    for _, one in ipairs(wrong) do
      local h = rules_case {
        state = { kept = mt.value_state() },
        process_element = function(self, value, ctx, out)
          ctx:timers():register_event_time_timer(5)
          if one[1] == "element" then one[2](self, value, ctx, out) end
        end,
        process_broadcast_element = function(self, value, ctx, out)
          if one[1] == "rule" then one[2](self, value, ctx, out) end
          assert(ctx:current_key() == nil)
        end,
        on_timer = function(self, time, ctx, out) if one[1] == "timer" then one[2](self, time, ctx, out) end end,
      }
      local message = fails(function()
        h.inputs[2]:push(1)
        h.inputs[1]:push(1)
        h:watermarks(5)
      end)
      assert.matches(one[3], message)
    end
  end)

  it("S52: an iteration shows the map as it was, in the order of the bytes of its keys", function()
    local h = rules_case {
      process_element = print,
      process_broadcast_element = function(self, _, _, out)
        self.rules:put_all { b = 1, a = 2, [300] = 3, [2] = 4, [-1] = 5, [true] = 6 }
        self.rules:put({ 1, "x" }, 7)
        local seen = {}
        for key, value in self.rules:entries() do
          self.rules:remove(key)
          self.rules:put("new" .. value, 1)
          seen[#seen + 1] = type(key) == "table" and "list" or tostring(key)
        end
        out:collect(table.concat(seen, " "))
        local count = 0
        for _ in self.rules:keys() do count = count + 1 end
        out:collect(count)
        self.rules:clear()
        out:collect(self.rules:is_empty())
      end,
    }
    h.inputs[2]:push(1)
    assert.equal("2 list a b true 300 -1 7 true", h:words())
  end)

  it("hands out copies, and knows keys by their canonical bytes (L3, L4)", function()
    local h = rules_case {
      process_element = print,
      process_broadcast_element = function(self, _, _, out)
        local given = { list = { 1 } }
        self.rules:put("a", given)
        given.list[1] = 2
        self.rules:get("a").list[1] = 3
        for _, value in self.rules:entries() do value.list[1] = 4 end
        out:collect(self.rules:get("a").list[1])
        self.rules:put(5LL, "five")
        self.rules:put(2LL ^ 60, "big")
        self.rules:put({ "x", 1 }, "list")
        out:collect(self.rules:get(5) .. self.rules:get(2LL ^ 60) .. self.rules:get { "x", 1LL } .. tostring(self.rules:contains(-0)))
        self.rules:put(0, "zero")
        out:collect(self.rules:get(-0))
      end,
    }
    h.inputs[2]:push(1)
    assert.equal("1 fivebiglistfalse zero", h:words())
  end)

  -- What a keyed record makes of a rule, and what the next one sees of it.
  local function seen_after(rule, change)
    local h = rules_case { process_element = change }
    h.inputs[2]:push { key = "r", value = rule }
    h.inputs[1]:push(1)
    h.inputs[1]:push(2)
    return h:words()
  end

  for name, change in pairs {
    ["writes to it"] = function(self, v, _, out)
      local rule = self.rules:get "r"
      out:collect(rule.min)
      rule.min = v + 100
    end,
    ["writes to it in a loop"] = function(self, v, _, out)
      for _, rule in self.rules:entries() do
        out:collect(rule.min)
        rule.min = v + 100
      end
    end,
    ["has others write to it"] = function(self, v, _, out)
      for rule in self.rules:values() do
        out:collect(rule.min)
        rawset(rule, "min", v + 100)
      end
    end,
    ["keeps it in itself, and writes to it later"] = function(self, v, _, out)
      if self.last then self.last.min = v + 100 end
      self.last = self.rules:get "r"
      out:collect(self.last.min)
    end,
    ["only reads it"] = function(self, _, _, out)
      for _, rule in self.rules:entries() do out:collect(rule.min) end
    end,
  } do
    it("stays as it is where one record " .. name, function()
      assert.equal("7 7", seen_after({ id = 1, min = 7 }, change))
      assert.equal("7 7", seen_after({ id = 1, min = 7, tags = { "a", { "b" } } }, change))
    end)
  end

  it("stays as it is where one record writes into what is in it", function()
    assert.equal("a a", seen_after({ tags = { "a" }, user = { id = 1 } }, function(self, _, _, out)
      local rule = self.rules:get "r"
      local tags = rule.tags
      out:collect(tags[1])
      tags[1] = "x"
    end))
    assert.equal("1 1", seen_after({ tags = { "a" }, user = { id = 1 } }, function(self, v, _, out)
      for rule in self.rules:values() do
        out:collect(rule.user.id)
        rule.user.id = v + 100
      end
    end))
  end)

  it("hands out all that a value may be: lists, tables of any keys, deep and large ones, null", function()
    local large, long, deep = {}, {}, {}
    for i = 1, 100 do large["field" .. i], long[i] = i, { i } end
    deep.a = { b = { c = { d = { e = { f = { g = { h = { i = 5 } } } } } } } }
    local odd = { [5] = "five", [true] = "yes", x = 1 }
    local values = { { 1, 2, 3 }, {}, { {}, { {} } }, odd, large, long, deep, mt.null, { mt.null, x = mt.null }, "text", 5, true, 2LL ^ 60 }
    local h = rules_case {
      process_element = function(self, _, _, out)
        for _, value in self.rules:entries() do out:collect(value) end
      end,
    }
    for i, value in ipairs(values) do h.inputs[2]:push { key = i, value = value } end
    h.inputs[1]:push(1)
    assert.same(values, h:values())
  end)

  it("takes back what a record wrote whose callback failed, on all states", function()
    local h = rules_case({
      state = { count = mt.value_state { default = 0 } },
      process_element = function(self, value, _, out)
        self.count:update(self.count:value() + 1)
        out:collect { value, self.count:value(), entries(self.rules) }
      end,
      process_broadcast_element = function(self, rule, ctx, out)
        if rule.clear then self.rules:clear() end
        self.rules:put(rule.key, (self.rules:get(rule.key) or 0) + 1)
        self.rules:put("last", rule.key)
        ctx:apply_to_keyed_state("count", function(_, state) state:update(100) end)
        out:collect("rule")
        if rule.bad then error("bad rule") end
        ctx:apply_to_keyed_state("count", function(_, state) state:clear() end)
      end,
    }, { on_error = "skip" })
    h.inputs[1]:push("v")
    h.inputs[2]:push { key = "a" }
    h.inputs[1]:push("v")
    h.inputs[2]:push { key = "b", bad = true }
    h.inputs[2]:push { key = "c", bad = true, clear = true }
    h.inputs[1]:push("v")
    h.inputs[2]:push { key = "a", bad = true }
    h:snap()
    h.inputs[1]:push("v")
    assert.equal("{v,3,a=1,last=a}", h:words())
  end)

  it("joins a stream without keys too", function()
    local h = case.new(function(values, rules)
      return values:connect(rules:broadcast { rules = mt.map_state() }):process("ruled", {
        process_element = function(self, value, _, out) out:collect(self.rules:get(value) or "none") end,
        process_broadcast_element = function(self, rule) self.rules:put(rule.key, rule.value) end,
      })
    end, { inputs = 2 })
    h.inputs[1]:push("a")
    h.inputs[2]:push { key = "a", value = "rule" }
    h.inputs[1]:push("a")
    h:words()
    h:snap()
    h.inputs[1]:push("a")
    assert.equal("rule", h:words())
  end)

  it("S48: new subtask i reads the copy of old subtask i modulo their number", function()
    local function build(values, rules)
      return values:key_by(same):connect(rules:broadcast { rules = mt.map_state() }):process("ruled", {
        process_element = function(self, _, _, out) out:collect(entries(self.rules)) end,
        process_broadcast_element = function(self, rule) self.rules:put("from", rule) end,
      })
    end
    local testing = require "moontide.testing"
    local snapshots = {}
    for subtask = 0, 1 do
      local h = case.new(build, { inputs = 2, parallelism = 2, subtask = subtask, max_parallelism = 128 })
      h.inputs[2]:push(subtask)
      snapshots[subtask + 1] = h:snapshot()
    end
    local seen = {}
    for subtask = 0, 4 do
      local h = case.new(build, { inputs = 2, parallelism = 5, subtask = subtask, restore = snapshots })
      local key = 1
      while testing.subtask_of(key, 5, 128) ~= subtask do key = key + 1 end
      h.inputs[1]:push(key)
      seen[#seen + 1] = h:words()
    end
    assert.same({ "from=0", "from=1", "from=0", "from=1", "from=0" }, seen)
  end)

  it("S54: is migrated value by value, and refused where no step has it", function()
    local function build(states)
      return function(values, rules)
        return values:key_by(same):connect(rules:broadcast(states)):process("ruled", {
          process_element = function(self, _, _, out) out:collect(self.rules and entries(self.rules) or "none") end,
          process_broadcast_element = function(self, rule) self.rules:put(rule.key, rule.value) end,
        })
      end
    end
    local h = case.new(build { rules = mt.map_state() }, { inputs = 2 })
    h.inputs[2]:push { key = 1, value = 10 }
    h.inputs[2]:push { key = 2, value = 20 }
    local snapshot = h:snapshot()
    local second = mt.map_state { version = 2, migrate = function(value, version) return ("%d of version %d"):format(value, version) end }
    h = case.new(build { rules = second }, { inputs = 2, restore = snapshot })
    h.inputs[1]:push(0)
    assert.equal("1=10 of version 1,2=20 of version 1", h:words())
    local message = fails(case.new, build { other = mt.map_state() }, { inputs = 2, restore = snapshot })
    assert.matches("has state 'rules' of step \"ruled\", which the job does not have any more", message, 1, true)
  end)

  it("is as small in snapshots as it is, and the same bytes whatever the order of the writes", function()
    local definition = { process_element = print }
    local first, second = rules_case(definition), rules_case(definition)
    for i = 1, 100 do
      first.inputs[2]:push { key = i, value = { a = i, b = "x" } }
      second.inputs[2]:push { key = 101 - i, value = { b = "x", a = 101 - i } }
    end
    assert.equal(first:snapshot(), second:snapshot())
  end)
end)
