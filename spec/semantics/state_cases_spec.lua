-- The cases of keyed state: calls on the state of a key, one after the other, each with what it answers.
local mt = require "moontide"
local variants = require "support.variants"
local words = require "support.words"

-- What cannot be one call: many of them, and what iterators show.
local composed = {
  fill = function(state, count) for i = 1, count do state:put(i, i * 2) end end,
  fill_falling = function(state, count) for i = count - 1, 0, -1 do state:put(i, i) end end,
  drain = function(state, count) for i = 1, count do state:remove(i) end end,
  count = function(state)
    local count = 0
    for _ in state:keys() do count = count + 1 end
    return count
  end,
  is_rising = function(state)
    local next_key = 0
    for key, value in state:entries() do
      if key ~= next_key or value ~= key then return false end
      next_key = next_key + 1
    end
    return next_key
  end,
  remove_all = function(state)
    local shown = 0
    for key in state:keys() do
      shown = shown + 1
      state:remove(key)
      state:remove(key)
      state:put("new" .. key, true)
      if shown == 50 then state:clear() end
    end
    return shown
  end,
  refuses = function(state, calls)
    for _, call in ipairs(calls) do
      local ok, message = pcall(state[call[1]], state, call[2])
      if ok or not message:find(call[3] or "", 1, true) then return ("%s:%s"):format(call[1], ok and "accepted" or message) end
    end
    return true
  end,
}

local function build(descriptor, given)
  return function(input)
    return input:key_by("key"):process("p", {
      state = { s = descriptor },
      process_element = function(self, call, _, out)
        local method = composed[call.method] or self.s[call.method]
        local answer = method(self.s, given[call.number])
        if answer ~= nil then out:collect(words.value(answer)) end
      end,
    })
  end
end

-- A call is { key, method, argument, answer =, rows = }: what it answers as text, how many rows there are behind it.
local function case(name, descriptor, calls)
  local given = {}
  for i, call in ipairs(calls) do given[i] = call[3] end
  variants.it(it, name, { key = function(record) return record.key end }, function(open, what)
    local h = open(build(descriptor, given))
    for i, call in ipairs(calls) do
      local this = ("%s, call %d: %s"):format(what, i, call[2])
      h:push { key = call[1], method = call[2], number = i }
      h:expect(call.answer, this)
      if call.rows then assert.are.equal(call.rows, h:state_size(), this) end
    end
  end)
end

describe("value state", function()
  case("T58: default 42", mt.value_state { default = 42 }, {
    { 1, "value", answer = "42", rows = 0 }, { 1, "update", 1 }, { 1, "value", answer = "1" }, { 2, "value", answer = "42" },
    { 1, "clear" }, { 1, "value", answer = "42" }, { 1, "update", 17 }, { 1, "value", answer = "17", rows = 1 },
    { 1, "update", nil }, { 1, "value", answer = "42", rows = 0 }, { 2, "update", 5 }, { 2, "value", answer = "5" },
  })

  case("T58: default \"Hello\"", mt.value_state { default = "Hello" }, {
    { "k", "update", "Ciao" }, { "k", "value", answer = "Ciao" }, { "k", "clear" }, { "k", "value", answer = "Hello", rows = 0 },
  })
end)

describe("list state", function()
  case("T59: add, update, add_all, of each key", mt.list_state(), {
    { "def", "get", answer = "{}" }, { "def", "add", 17 }, { "def", "add", 11 }, { "def", "get", answer = "{17,11}", rows = 2 },
    { "def", "update", {} }, { "def", "get", answer = "{}" }, { "def", "update", { 10, 16 } }, { "def", "get", answer = "{10,16}" },
    { "g", "get", answer = "{}" }, { "g", "add_all", {} }, { "g", "get", answer = "{}" }, { "g", "add_all", { 3, 4 } }, { "g", "add_all", {} },
    { "g", "add_all", { 5, 6 } }, { "g", "get", answer = "{3,4,5,6}" }, { "g", "update", { 1, 2 } }, { "g", "get", answer = "{1,2}" },
    { "def", "get", answer = "{10,16}" }, { "def", "clear" }, { "def", "get", answer = "{}" }, { "g", "add", 3 }, { "g", "add", 2 }, { "g", "add", 1 },
    { "g", "get", answer = "{1,2,3,2,1}", rows = 5 }, { "g", "clear" }, { "g", "get", answer = "{}", rows = 0 },
  })

  case("T59: nil is refused", mt.list_state(), {
    { "g", "add", 1 },
    { "g", "refuses", { { "add" }, { "add_all" }, { "update" }, { "add_all", { 1, nil, 3 } }, { "update", { [1] = 1, [3] = 3 } } }, answer = "true" },
    { "g", "get", answer = "{1}", rows = 1 },
  })
end)

describe("reducing and aggregating state", function()
  case("T60: sum", mt.reducing_state { reduce = function(a, b) return a + b end }, {
    { "a", "get" }, { "a", "add", 17 }, { "a", "add", 11 }, { "a", "get", answer = "28" }, { "b", "get" },
    { "a", "clear" }, { "a", "get", rows = 0 }, { "a", "add", 1 }, { "a", "add", 2 },
    { "a", "add", 3 }, { "a", "add", 2 }, { "a", "add", 1 }, { "a", "get", answer = "9", rows = 1 }, { "a", "clear", rows = 0 },
  })

  case("S51: an average", mt.aggregating_state {
    create = function() return { sum = 0, count = 0 } end,
    add = function(acc, value) return { sum = acc.sum + value, count = acc.count + 1 } end,
    result = function(acc) return acc.sum / acc.count end,
  }, {
    { "a", "get" }, { "a", "add", 1 }, { "a", "add", 2 }, { "a", "get", answer = "1.5" }, { "a", "add", 6 }, { "a", "get", answer = "3" },
    { "b", "get", rows = 1 }, { "a", "clear", rows = 0 },
  })

  case("S51: what cannot be added is refused", mt.reducing_state { reduce = function() end }, {
    { "a", "refuses", { { "add", nil, "nil cannot be added to a state (mt.null can)" } }, answer = "true", rows = 0 }, { "a", "add", 1 },
    { "a", "refuses", { { "add", 1, "the function of a state answered nothing" } }, answer = "true" }, { "a", "get", answer = "1" },
  })
end)

describe("map state", function()
  case("T61: put 1024, remove all, empty again", mt.map_state(), {
    { "k", "is_empty", answer = "true" }, { "k", "fill", 1024 }, { "k", "is_empty", answer = "false", rows = 1024 },
    { "k", "count", answer = "1024" }, { "k", "drain", 1024 }, { "k", "is_empty", answer = "true", rows = 0 }, { "k", "count", answer = "0" },
  })

  case("T61: 4096 integer keys come in their order", mt.map_state(), {
    { "k", "fill_falling", 4096 }, { "k", "is_rising", answer = "4096" }, { "k", "is_rising", answer = "4096", rows = 4096 },
  })

  case("T61: removal and clear during an iteration, an empty iterator after clear", mt.map_state(), {
    { "k", "fill", 100 }, { "k", "remove_all", answer = "100" }, { "k", "count", answer = "50", rows = 50 }, { "k", "clear" },
    { "k", "count", answer = "0", rows = 0 },
  })
end)
