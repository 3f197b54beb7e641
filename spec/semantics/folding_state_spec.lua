-- Reducing and aggregating state.
local mt = require "moontide"
local testing = require "moontide.testing"

local function sum(a, b) return a + b end

local average = {
  create = function() return { sum = 0, count = 0 } end,
  add = function(acc, value) return { sum = acc.sum + value, count = acc.count + 1 } end,
  result = function(acc) return acc.sum / acc.count end,
}

-- Calls on the state of a key, one after the other, each with what it answers.
local function run(backend, descriptor, calls)
  local answer
  local function build(input)
    return input:key_by("key"):process("p", {
      state = { s = descriptor },
      process_element = function(self, value) answer = { self.s[value.method](self.s, value.argument) } end,
    })
  end
  local h = testing.harness(build, { backend = backend })
  for _, call in ipairs(calls) do
    if call == "SNAP" then
      local snapshot = h:snapshot()
      h:close()
      h = testing.harness(build, { backend = backend, restore = snapshot })
    elseif call.rows then
      assert.equal(call.rows, h:state_size())
    else
      h:push { key = call[1], method = call[2], argument = call[3] }
      if call[2] == "get" then assert.equal(call[3], answer[1]) end
    end
  end
  h:close()
end

for _, backend in ipairs { "memory", "rocksdb" } do
  it("T60: reducing state on " .. backend, function()
    run(backend, mt.reducing_state { reduce = sum }, {
      { "a", "get" }, { "a", "add", 17 }, { "a", "add", 11 }, { "a", "get", 28 }, { "b", "get" }, "SNAP", { "a", "get", 28 },
      { "a", "clear" }, { "a", "get" }, { rows = 0 },
      { "a", "add", 1 }, { "a", "add", 2 }, "SNAP", { "a", "add", 3 }, { "a", "add", 2 }, { "a", "add", 1 }, { "a", "get", 9 }, { rows = 1 },
      { "a", "clear" }, { rows = 0 },
    })
  end)

  it("S51: aggregating state on " .. backend, function()
    run(backend, mt.aggregating_state(average), {
      { "a", "get" }, { "a", "add", 1 }, { "a", "add", 2 }, { "a", "get", 1.5 }, "SNAP", { "a", "add", 6 }, { "a", "get", 3 }, { "b", "get" },
      { rows = 1 }, { "a", "clear" }, { "a", "get" }, { rows = 0 },
    })
  end)

  it("S51: what cannot be added is an error, on " .. backend, function()
    local ok, failure = pcall(run, backend, mt.reducing_state { reduce = sum }, { { "a", "add" } })
    assert.is_false(ok)
    assert.matches("nil cannot be added to a state (mt.null can)", failure, 1, true)
    ok, failure = pcall(run, backend, mt.reducing_state { reduce = function() end }, { { "a", "add", 1 }, { "a", "add", 1 } })
    assert.is_false(ok)
    assert.matches("the function of a state answered nothing", failure, 1, true)
  end)
end
