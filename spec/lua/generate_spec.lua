local generate = require "moontide.runtime.generate"

describe("generated code", function()
  local source = "local add = ...\nreturn function(value) return value + add end"

  it("is made anew each time, from a text that is parsed once", function()
    local one, ten = generate(source, "=adder", 1), generate(source, "=adder", 10)
    assert.are.equal(6, one(5))
    assert.are.equal(15, ten(5))
    assert.are_not.equal(string.format("%p", debug.getinfo(one, "f").func), string.format("%p", debug.getinfo(ten, "f").func))
  end)

  local function message(...) return select(2, pcall(...)) end

  it("keeps its name and its lines", function()
    local complaint = ":2: attempt to perform arithmetic on upvalue 'add' (a table value)"
    for _ = 1, 2 do assert.are.equal("named" .. complaint, message(generate(source, "=named", {}), 1)) end
    assert.are.equal("other" .. complaint, message(generate(source, "=other", {}), 1))
  end)

  it("is refused where it is none, by name", function()
    assert.is_truthy(message(generate, "return (", "=broken"):find("broken:1: unexpected symbol", 1, true))
  end)

  it("does not keep all texts that there ever were", function()
    collectgarbage()
    local before = collectgarbage("count")
    for i = 1, 5000 do assert.are.equal(i, generate(("return %d -- %s"):format(i, ("x"):rep(1000)), "=many")) end
    collectgarbage()
    assert.is_true(collectgarbage("count") - before < 1000)
  end)
end)
