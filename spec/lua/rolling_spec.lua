-- The definitions of the rolling operators, driven by hand with states of one key.
local mt = require "moontide"

local function keyed()
  return mt.job("fraud"):from(mt.values {}):key_by("k")
end

-- A value state of one key in plain Lua, and a collector; answers a function that processes a list and answers what came out.
local function driver(build)
  local stream = build(keyed())
  local definition, self, results = stream.step.definition, {}, {}
  for name, descriptor in pairs(definition.state) do
    local kept
    self[name] = {
      value = function() if kept == nil then return descriptor.default end return kept end,
      update = function(_, value) kept = value end,
    }
  end
  local ctx = { current_key = function() return "K" end }
  local out = { collect = function(_, value, ...)
    assert(select("#", ...) == 0, "S7: the record's own time stamp is kept")
    results[#results + 1] = value
  end }
  return function(values)
    results = {}
    for _, value in ipairs(values) do definition.process_element(self, value, ctx, out) end
    return results
  end, stream.step
end

describe("a rolling operator", function()
  it("S60: count emits for every record", function()
    local run, step = driver(function(stream) return stream:count("c") end)
    assert.same({ { key = "K", count = 1 }, { key = "K", count = 2 } }, run { "a", "b" })
    assert.equal("process", step.kind)
    assert.equal("count", step.operator)
    assert.equal("c", step.name)
    assert.same({ "count" }, step.state_names)
    assert.is_true(step.keyed)
  end)

  it("S60: sum, min and max of a field emit for every record", function()
    local values = { { n = 3 }, { n = -1 }, { n = 5 } }
    assert.same({ { key = "K", sum = 3 }, { key = "K", sum = 2 }, { key = "K", sum = 7 } },
      driver(function(stream) return stream:sum("s", "n") end)(values))
    assert.same({ { key = "K", min = 3 }, { key = "K", min = -1 }, { key = "K", min = -1 } },
      driver(function(stream) return stream:min("s", "n") end)(values))
    assert.same({ { key = "K", max = 3 }, { key = "K", max = 3 }, { key = "K", max = 5 } },
      driver(function(stream) return stream:max("s", "n") end)(values))
  end)

  it("S60: reduce emits the reduced value for every record, the first as it is", function()
    local run = driver(function(stream) return stream:reduce("r", function(a, b) return { n = a.n + b.n } end) end)
    assert.same({ { n = 1 }, { n = 3 }, { n = 6 } }, run { { n = 1 }, { n = 2 }, { n = 3 } })
  end)

  it("S60: aggregate emits the result for every record", function()
    local run = driver(function(stream)
      return stream:aggregate("a", {
        create = function() return { sum = 0, count = 0 } end,
        add = function(acc, value) return { sum = acc.sum + value, count = acc.count + 1 } end,
        result = function(acc) return acc.sum / acc.count end,
      })
    end)
    assert.same({ 2, 3, 4 }, run { 2, 4, 6 })
  end)

  it("sums 64-bit integers exactly", function()
    local run = driver(function(stream) return stream:sum("s", "n") end)
    local results = run { { n = 9007199254740993LL }, { n = 1 } }
    assert.is_true(results[2].sum == 9007199254740994LL)
  end)

  it("fails on a field that is no number", function()
    for _, operator in ipairs { "sum", "min", "max" } do
      local run = driver(function(stream) return stream[operator](stream, "s", "n") end)
      assert.has_error(function() run { {} } end, operator .. ": field 'n' must be a number, got nothing")
      assert.has_error(function() run { { n = "5" } } end, operator .. ": field 'n' must be a number, got \"5\"")
      assert.has_error(function() run { { n = mt.null } } end, operator .. ": field 'n' must be a number, got null")
    end
  end)

  it("fails on functions that answer nothing, which would forget the state", function()
    local reduce = driver(function(stream) return stream:reduce("r", function() end) end)
    assert.has_error(function() reduce { 1, 2 } end, "the function of reduce answered nothing")
    local aggregate = driver(function(stream)
      return stream:aggregate("a", { create = function() return {} end, add = function() end, result = function() end })
    end)
    assert.has_error(function() aggregate { 1 } end, "'add' of the aggregate answered nothing: it must return the accumulator")
  end)

  it("takes parallelism and on_error", function()
    local _, step = driver(function(stream) return stream:count("c", { parallelism = 2, on_error = "skip" }) end)
    assert.equal(2, step.parallelism)
    assert.equal("skip", step.on_error)
  end)
end)

describe("a mistake in a rolling operator", function()
  local author = require "support.author"
  local cases = {
    ["keyed:count()"] = ':count: needs a name first, the address of its state: :count("name", ...), got nothing',
    ["keyed:reduce(function() end)"] = ":reduce: fn must be a function, got nothing",
    ["keyed:reduce('r', 5)"] = ":reduce: fn must be a function, got 5",
    ["keyed:sum('amount')"] = ':sum: needs a field after the name, as in :sum("name", "amount"), got nothing',
    ["keyed:max('m', 5)"] = ':max: needs a field after the name, as in :max("name", "amount"), got 5',
    ["keyed:aggregate('a', {})"] = ":aggregate: option 'create' is required",
    ["keyed:aggregate('a', { create = print, add = print, result = print, marge = print })"] =
      ":aggregate: unknown option 'marge' (did you mean 'merge'?)",
    ["keyed:count('c', { on_eror = 'skip' })"] = ":count: unknown option 'on_eror' (did you mean 'on_error'?)",
  }
  for text, message in pairs(cases) do
    it("is told at the author's line: " .. text, function()
      assert.equal("fraud.lua:2: " .. message,
        author.failure("local keyed = mt.job('fraud'):from(mt.values {}):key_by('k')\nlocal _ = " .. text))
    end)
  end
end)
