local author = require "support.author"
local plan = require "moontide.plan"

local function failure(value)
  return select(2, pcall(plan.check, value))
end

describe("a plan", function()
  it("that is whole is answered", function()
    local job = author.run [[
      local job = mt.job("fraud")
      job:from(mt.values {}):to(mt.sink { write = print })
      return job]]
    assert.equal(job, plan.check(job))
  end)

  it("may end in a process step, for its side outputs or its effects", function()
    local job = author.run [[
      local job = mt.job("fraud")
      local p = job:from(mt.values {}):process("p", print)
      p:side_output("late"):to(mt.sink { write = print })
      p:process("q", print)
      return job]]
    assert.equal(job, plan.check(job))
  end)

  it("is not what a script without return answers", function()
    assert.equal("the script must return its job (`return job`), it returned nothing", failure(nil))
    assert.equal("the script must return its job (`return job`), it returned a table", failure {})
  end)

  it("needs a source and a sink", function()
    assert.equal("fraud.lua:2: job 'fraud' has no source: begin with job:from(...)",
      failure(author.run "\nlocal job = mt.job('fraud') return job"))
    assert.equal("fraud.lua:2: job 'fraud' has no sink: end a stream with :to(...)",
      failure(author.run "\nlocal job = mt.job('fraud') job:from(mt.values {}):map(print) return job"))
  end)

  it("does not count dead letters as its sink", function()
    assert.equal("fraud.lua:1: job 'fraud' has no sink: end a stream with :to(...)", failure(author.run [[
local job = mt.job("fraud", { on_error = { dead_letter = mt.sink { write = print } } })
job:from(mt.values {}):process("p", print)
return job]]))
  end)

  it("has no loose ends", function()
    assert.equal("fraud.lua:4: step 'map-1' leads nowhere: end the stream with :to(sink), or :to(mt.blackhole {})", failure(author.run [[
local job = mt.job("fraud")
local stream = job:from(mt.values {})
stream:to(mt.sink { write = print })
stream:map(print)
return job]]))
  end)
end)

describe("the warnings of a plan", function()
  local function warnings(checkpoint)
    return plan.warnings(author.run([[
      local job = mt.job("fraud", { checkpoint = ]] .. checkpoint .. [[ })
      job:from(mt.source { poll = print }):to(mt.sink { write = print })
      return job]]))
  end

  it("name a source that cannot replay where checkpoints are on", function()
    local expected = { "source 'source-1' cannot be read again: what it sent after the last checkpoint is lost in a failure" }
    assert.same(expected, warnings "{}")
    assert.same(expected, warnings "{ interval = false, records = 10 }")
    assert.same({}, warnings "{ interval = false }")
  end)
end)
