local author = require "support.author"
local where = require "moontide.where"

describe("where", function()
  it("finds the author behind calls inside the library and C functions", function()
    -- pcall is C; value_state calls the library's own options.check, which raises.
    local message = author.run "\nlocal ok, message = pcall(mt.value_state, 5)\nreturn message"
    assert.equal("fraud.lua:2: mt.value_state: options must be one table of names and values, got 5", message)
  end)

  it("finds the line in a function of the author that a helper of his calls", function()
    assert.equal("fraud.lua:2: mt.value_state: options must be one table of names and values, got 5", author.failure [[
local function helper(options)
  local state = mt.value_state(options)
  return state
end
local state = helper(5)]])
  end)

  it("gives mistakes to a noted place while it acts on its behalf, and stops doing so after an error", function()
    local place = { file = "other.lua", line = 7 }
    local ok, message = pcall(where.on_behalf, place, where.raise, "bad %s", "thing")
    assert.is_false(ok)
    assert.equal("other.lua:7: bad thing", message)
    assert.not_equal("other.lua", where.caller().file)
    assert.equal(3, where.on_behalf(place, function(a, b) return a + b end, 1, 2))
  end)

  it("leaves a percent sign in a message without arguments alone", function()
    assert.equal("x.lua:1: 100% of %d", select(2, pcall(where.raise_at, { file = "x.lua", line = 1 }, "100% of %d")))
  end)

  it("says where a function was written", function()
    assert.equal("fraud.lua:2", where.definition(author.run "\nreturn function() end"))
  end)

  it("names the script that is being loaded where a call in tail position leaves no line", function()
    where.script = "fraud.lua"
    local _, caller = coroutine.resume(coroutine.create(where.caller))
    where.script = nil
    assert.same({ file = "fraud.lua" }, caller)
    assert.equal("fraud.lua", where.text(caller))
  end)
end)
