local author = require "support.author"

local function step_of(source)
  local job = author.run("local job = mt.job('fraud')\njob:from(" .. source .. ")\nreturn job")
  return job.steps[1]
end

describe("mt.values", function()
  it("keeps a copy of the list", function()
    local step = step_of "mt.values { 1, 'b', { id = 3 }, mt.null, false }"
    assert.equal("values", step.connector)
    assert.same({ 1, "b", { id = 3 }, require "moontide.null", false }, step.definition.values)
    assert.is_true(step.replayable)
  end)

  it("may be empty", function()
    assert.same({}, step_of("mt.values {}").definition.values)
  end)
end)

describe("mt.generator", function()
  it("keeps its function apart from its options", function()
    local step = step_of "mt.generator { count = 10, rate = 2.5, fn = function(i) return i end }"
    assert.equal("generator", step.connector)
    assert.same({ count = 10, rate = 2.5, seed = 1 }, step.connector_options)
    assert.equal(7, step.definition.fn(7))
  end)
end)

describe("mt.source", function()
  it("is replayable with snapshot and restore", function()
    local without = step_of "mt.source { poll = function() return 'end' end }"
    assert.equal("lua", without.connector)
    assert.is_function(without.definition.poll)
    assert.is_false(without.replayable)
    assert.is_true(step_of("mt.source { poll = print, snapshot = print, restore = print }").replayable)
  end)
end)

describe("mt.sink", function()
  it("is exactly once with prepare and commit (S42)", function()
    local job = author.run [[
      local job = mt.job("fraud")
      local stream = job:from(mt.values {})
      stream:to(mt.sink { write = print })
      stream:to(mt.sink { open = print, write = print, prepare = print, commit = print, abort = print, close = print })
      return job]]
    assert.equal("at_least_once", job.steps[2].guarantee)
    assert.equal("exactly_once", job.steps[3].guarantee)
    assert.is_function(job.steps[3].definition.abort)
  end)
end)

describe("a mistake in a source or sink of Lua", function()
  local cases = {
    ["mt.values()"] = "mt.values: needs a list of values, got nothing",
    ["mt.values(5)"] = "mt.values: needs a list of values, got 5",
    ["mt.values { 1, x = 2 }"] = 'mt.values: needs a list without gaps, got the key "x" (nil ends a list; mt.null stands for null)',
    ["mt.values { [3] = 1 }"] = "mt.values: needs a list without gaps, got the key 3 (nil ends a list; mt.null stands for null)",
    ["mt.values { 1, print }"] = "mt.values: value 2 cannot be a record, got a function",
    ["mt.generator {}"] = "mt.generator: option 'fn' is required",
    ["mt.generator { count = -1, fn = print }"] = "mt.generator: option 'count' must be a whole number, not below 0, got -1",
    ["mt.generator { rate = 0, fn = print }"] = "mt.generator: option 'rate' must be a number above 0, got 0",
    ["mt.generator { rate = math.huge, fn = print }"] = "mt.generator: option 'rate' must be a number above 0, got inf",
    ["mt.generator { cout = 1, fn = print }"] = "mt.generator: unknown option 'cout' (did you mean 'count'?)",
    ["mt.generator(print)"] = "mt.generator: options must be one table of names and values, got a function",
    ["mt.source {}"] = "mt.source: option 'poll' is required",
    ["mt.source { poll = print, snapshot = print }"] = "mt.source: 'snapshot' and 'restore' come together, got only 'snapshot'",
    ["mt.source { poll = print, restore = print }"] = "mt.source: 'snapshot' and 'restore' come together, got only 'restore'",
    ["mt.sink {}"] = "mt.sink: option 'write' is required",
    ["mt.sink { write = print, prepare = print }"] = "mt.sink: 'prepare' and 'commit' come together, got only 'prepare'",
    ["mt.sink { write = print, abort = print }"] = "mt.sink: 'abort' needs 'prepare' and 'commit'",
    ["mt.sink { wirte = print }"] = "mt.sink: unknown option 'wirte' (did you mean 'write'?)",
  }
  for text, message in pairs(cases) do
    it("is told at the author's line: " .. text, function()
      assert.equal("fraud.lua:2: " .. message, author.failure("\nlocal _ = " .. text))
    end)
  end
end)
