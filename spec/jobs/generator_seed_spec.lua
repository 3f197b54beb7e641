-- A seed below 0 is one like any other, interpreted or compiled: the first numbers of two of them differ.
local runs = require "support.run"

local function first_of(seed)
  local run = runs.new()
  local started = run:run(run:write("job.lua", ([[
local mt = require "moontide"
local job = mt.job("seed", {})
job:from(mt.generator { count = 1, seed = %d, fn = function(_, random) return { number = random() } end }):to(mt.stdout { format = "json" })
return job
]]):format(seed)))
  local status = started:wait()
  run:destroy()
  assert.equal(0, status, started.err)
  return assert(started.out:match '"number":([%d.e-]+)', started.out)
end

describe("mt.generator", function()
  it("tells seeds below 0 from one another", function()
    assert.not_equal(first_of(-1), first_of(-2))
  end)
end)
