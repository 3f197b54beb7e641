-- The cases of keyed state, through the harness, on both backends; also where the
-- cache is too small and rows live in the store.
local mt = require "moontide"
local plain_key = require "support.plain_key"
local plain_state = require "support.plain_state"
local testing = require "moontide.testing"

local backends = { { backend = "memory" }, { backend = "rocksdb" }, { backend = "rocksdb", memory = 1 } }

-- A step whose records are { key, function(self, ctx, out) }: functions cannot be records, so they are numbered.
local function stepper(states)
  local functions = {}
  local function build(input)
    return input:key_by("key"):process("step", {
      state = states,
      process_element = function(self, record, ctx, out) functions[record.call](self, ctx, out) end,
    })
  end
  return build, functions
end

local Driver = {}
Driver.__index = Driver

local function driver(states, options)
  local build, functions = stepper(states)
  local self = setmetatable({ build = build, functions = functions, options = options }, Driver)
  self.harness = testing.harness(build, options)
  return self
end

--- Run a function under a key; what it answers.
function Driver:at(key, fn)
  local answer
  table.insert(self.functions, function(...) answer = fn(...) end)
  self.harness:push { key = key, call = #self.functions }
  return answer
end

--- What a function that fails raised: the step goes on (its state object is the same).
function Driver:fails_at(key, fn)
  local ok, message = self:at(key, function(self) return { pcall(fn, self) } end), nil
  ok, message = ok[1], ok[2]
  assert.is_false(ok, "it did not fail")
  return message
end

--- |SNAP|: snapshot, destroy, restore in a fresh step; or the snapshot that is given.
function Driver:restart(older)
  local snapshot, options = older or self.harness:snapshot(), {}
  self.harness:close()
  for name, value in pairs(self.options) do options[name] = value end
  options.restore = snapshot
  self.harness = testing.harness(self.build, options)
end

local function each_backend(fn)
  for _, options in ipairs(backends) do
    describe("on " .. options.backend .. (options.memory and ", with rows in the store" or ""), function()
      local opened
      local function new(states, policy)
        local given = { on_error = policy }
        for name, value in pairs(options) do given[name] = value end
        opened = driver(states, given)
        return opened
      end
      after_each(function()
        if opened then opened.harness:close() end
        opened = nil
      end)
      fn(new)
    end)
  end
end

describe("value state", function()
  each_backend(function(new)
    local function value(self) return self.v:value() end
    local function update(with) return function(self) self.v:update(with) end end

    it("S50, S51: null is a value, nil is none; a value that was read is a copy", function()
      local d = new { v = mt.value_state() }
      assert.is_nil(d:at("k", value))
      d:at("k", update(mt.null))
      assert.are.equal(mt.null, d:at("k", value))
      assert.are.equal(1, d.harness:state_size())
      d:at("k", update { list = { 1, 2 }, name = "x" })
      d:at("k", function(self) self.v:value().name = "changed" end)
      d:restart()
      assert.are.same({ list = { 1, 2 }, name = "x" }, d:at("k", value))
    end)

    it("holds every kind of value across a restart", function()
      local d = new { v = mt.value_state() }
      local kinds = { 1, -1.5, 0.1, true, false, "", ("x"):rep(100000), { a = 1, b = "two" }, { 1, 2, 3 }, {}, 2LL ^ 60, mt.null }
      for i, kind in ipairs(kinds) do d:at(i, update(kind)) end
      assert.are.equal(#kinds, d.harness:state_size())
      d:restart()
      for i, kind in ipairs(kinds) do assert.are.same(kind, d:at(i, value)) end
    end)
  end)
end)

describe("list state", function()
  each_backend(function(new)
    local function get(self) return self.l:get() end
    local function call(name, ...)
      local arguments = { ... }
      return function(self) self.l[name](self.l, unpack(arguments)) end
    end

    it("S51: nil is refused, and a refused list changes nothing", function()
      local d = new { l = mt.list_state() }
      d:at("k", call("add", 1))
      for _, name in ipairs { "add", "add_all", "update" } do d:fails_at("k", call(name, nil)) end
      d:fails_at("k", call("add_all", { 1, nil, 3 }))
      d:fails_at("k", call("update", { [1] = 1, [3] = 3 }))
      assert.are.same({ 1 }, d:at("k", get))
      for _, name in ipairs { "add_all", "update" } do
        for _, list in ipairs { { 2, print }, { 2, { 3, { print } } } } do
          assert.is_truthy(d:fails_at("k", call(name, list)):find("cannot", 1, true))
        end
        assert.is_truthy(d:fails_at("k", call(name, mt.null)):find("needs a list, got null", 1, true))
      end
      assert.are.same({ 1 }, d:at("k", get))
      d:at("k", call("add", mt.null))
      assert.are.same({ 1, mt.null }, d:at("k", get))
    end)

    it("is long: elements keep their order over many chunks and restarts", function()
      local d = new { l = mt.list_state() }
      local expected = {}
      for round = 1, 3 do
        d:at("k", function(self)
          for i = 1, 2000 do self.l:add { round = round, i = i, text = ("x"):rep(i % 50) } end
        end)
        for i = 1, 2000 do expected[#expected + 1] = round * 10000 + i end
        d:restart()
      end
      local list = d:at("k", get)
      assert.are.equal(#expected, #list)
      for i, number in ipairs(expected) do assert.are.equal(number, list[i].round * 10000 + list[i].i) end
      assert.are.equal(6000, d.harness:state_size())
    end)
  end)
end)

describe("map state", function()
  each_backend(function(new)
    it("S51: nil is refused, null is a value distinct from absent; keys are canonical (L4)", function()
      local d = new { m = mt.map_state() }
      d:fails_at("k", function(self) self.m:put("a", nil) end)
      d:fails_at("k", function(self) self.m:put(nil, 1) end)
      d:fails_at("k", function(self) self.m:get(0 / 0) end)
      d:at("k", function(self) self.m:put("a", mt.null) end)
      assert.are.equal(mt.null, d:at("k", function(self) return self.m:get("a") end))
      assert.is_true(d:at("k", function(self) return self.m:contains("a") end))
      assert.is_nil(d:at("k", function(self) return self.m:get("b") end))
      d:at("k", function(self) self.m:put(1LL, "one") end)
      assert.are.equal("one", d:at("k", function(self) return self.m:get(1) end))
      assert.is_nil(d:at("k", function(self) return self.m:get("1") end))
    end)

    it("takes all of a table or nothing", function()
      local d = new { m = mt.map_state() }
      local function put_all(map)
        return function(self) self.m:put_all(map) end
      end
      d:at("k", put_all { a = 1, [2] = { "b" }, [true] = mt.null })
      for _, map in ipairs { { a = 2, b = 2, c = print, d = 2 }, { a = 2, b = 2, [{}] = 2, d = 2 }, { a = 2, b = 2, c = { { print } }, d = 2 } } do
        d:fails_at("k", put_all(map))
      end
      assert.is_truthy(d:fails_at("k", put_all(mt.null)):find("put_all needs a table, got null", 1, true))
      assert.are.same({ 1, { "b" }, mt.null, 3 }, d:at("k", function(self)
        local count = 0
        for _ in self.m:keys() do count = count + 1 end
        return { self.m:get("a"), self.m:get(2), self.m:get(true), count }
      end))
    end)

    it("keeps the maps of different keys and states apart", function()
      local d = new { m = mt.map_state(), other = mt.map_state(), v = mt.value_state() }
      d:at("a", function(self) self.m:put("x", 1) self.other:put("x", 2) self.v:update(3) end)
      d:at("b", function(self) self.m:put("x", 4) end)
      d:restart()
      assert.are.same({ 1, 2, 3 }, d:at("a", function(self) return { self.m:get("x"), self.other:get("x"), self.v:value() } end))
      d:at("a", function(self) self.m:clear() end)
      assert.are.same({ 4, nil }, d:at("b", function(self) return { self.m:get("x"), self.other:get("x") } end))
      assert.are.equal(2, d:at("a", function(self) return self.other:get("x") end))
      assert.are.equal(3, d.harness:state_size())
    end)
  end)
end)

describe("a snapshot", function()
  each_backend(function(new)
    it("holds what was there when it was taken, whatever is written behind it", function()
      local states = {
        v = mt.value_state(), l = mt.list_state(), m = mt.map_state(), r = mt.reducing_state { reduce = function(a, b) return a .. b end },
        a = mt.aggregating_state {
          create = function() return { n = 0 } end,
          add = function(acc, n) return { n = acc.n + n } end,
          result = function(acc) return acc.n end,
        },
      }
      local function write(value)
        return function(self)
          self.v:update(value)
          self.l:add(value)
          self.m:put(value, value)
          self.r:add(tostring(value))
          self.a:add(value)
        end
      end
      local function clear(self)
        for _, name in ipairs { "v", "l", "m", "r", "a" } do self[name]:clear() end
      end
      local function show(self)
        local keys = {}
        for key in self.m:keys() do keys[#keys + 1] = key end
        return ("%s {%s} {%s} %s %s"):format(tostring(self.v:value()), table.concat(self.l:get(), " "), table.concat(keys, " "), tostring(self.r:get()),
          tostring(self.a:get()))
      end
      local d = new(states)
      for key = 1, 2 do d:at(key, write(key)) end
      local first = d.harness:snapshot()
      d:at(1, write(3))
      d:at(2, clear)
      d:at(2, write(4))
      d:at(3, write(5))
      local second = d.harness:snapshot()
      for key = 1, 3 do d:at(key, clear) end
      local empty = "nil {} {} nil nil"
      local expected = {
        [first] = { "1 {1} {1} 1 1", "2 {2} {2} 2 2", empty },
        [second] = { "3 {1 3} {1 3} 13 4", "4 {4} {4} 4 4", "5 {5} {5} 5 5" },
        [d.harness:snapshot()] = { empty, empty, empty },
      }
      for snapshot, shown in pairs(expected) do
        d:restart(snapshot)
        d:restart() -- of what was not looked at
        assert.are.same(shown, { d:at(1, show), d:at(2, show), d:at(3, show) })
      end
    end)
  end)
end)

describe("state against a model", function()
  local calls = {
    function(self, n) self.v:update(n) end,
    function(self, n) self.v:update(("x"):rep(n % 100)) end,
    function(self) self.v:clear() end,
    function(self, n) self.l:add(n) end,
    function(self, n) self.l:update({ n, n + 1 }) end,
    function(self, n) self.l:add_all({ n, "two", { n } }) end,
    function(self, n) if n % 4 == 0 then self.l:clear() end end,
    function(self, n) self.m:put(n % 20, n) end,
    function(self, n) self.m:put("k" .. n % 5, ("y"):rep(n % 70)) end,
    function(self, n) self.m:remove(n % 20) end,
    function(self, n) if n % 8 == 0 then self.m:clear() end end,
  }

  local declared = { state = { v = plain_state.value_state(), l = plain_state.list_state(), m = plain_state.map_state() } }

  local function rows_of(model)
    local rows = 0
    for _, own in pairs(model) do rows = rows + own:rows() end
    return rows
  end

  local function read(self)
    local got = { v = self.v:value(), l = self.l:get(), m = {} }
    for key, value in self.m:entries() do got.m[key] = value end
    return got
  end

  -- Up to five random calls, of the model and of the state.
  local function call_both(own, self)
    for _ = 1, math.random(5) do
      local call, n = calls[math.random(#calls)], math.random(1000000)
      call(own.states, n)
      call(self, n)
    end
  end

  -- Records of random calls; with `failing`, every third fails after them and must leave no trace.
  local function agrees(d, failing)
    local seed = os.time()
    math.randomseed(seed)
    local model = {}
    local function record()
      local key, fails = math.random(60), failing and math.random(3) == 1
      local own = model[key] or plain_key.new(declared, key)
      local before = own:save()
      model[key] = own
      d:at(key, function(self)
        call_both(own, self)
        if fails then error("fails", 0) end
      end)
      if fails then own:restore(before) end
    end
    for _ = 1, 3 do
      for _ = 1, 200 do record() end
      assert.are.equal(rows_of(model), d.harness:state_size(), "seed " .. seed)
      for key, own in pairs(model) do assert.are.same(read(own.states), d:at(key, read), ("key %d, seed %d"):format(key, seed)) end
      d:restart()
    end
  end

  each_backend(function(new)
    it("agrees over random calls, keys and restarts", function()
      agrees(new { v = mt.value_state(), l = mt.list_state(), m = mt.map_state() }, false)
    end)

    it("agrees where records fail and are taken back", function()
      agrees(new({ v = mt.value_state(), l = mt.list_state(), m = mt.map_state() }, "skip"), true)
    end)
  end)
end)
