local trace_limits = require "moontide.runtime.trace_limits"
local util = require "jit.util"

describe("the limits of the compiler", function()
  -- LuaJIT's own.
  after_each(function()
    jit.opt.start("maxtrace=1000", "maxmcode=512", "maxrecord=4000", "maxirconst=500")
    jit.flush()
  end)

  -- Traces go with their functions: who holds those holds both.
  local function compile_loops(count)
    local loops = {}
    jit.flush()
    for i = 1, count do
      loops[i] = assert(loadstring(("local sum = 0 for i = 1, 100 do sum = sum + i * %d end return sum"):format(i)))
      loops[i]()
    end
    return loops
  end

  local function highest_trace()
    local highest = 0
    for i = 1, 4000 do
      if util.traceinfo(i) then highest = i end
    end
    return highest
  end

  it("hold the traces of a large job", function()
    trace_limits.raise()
    local loops = compile_loops(3000)
    assert.is_true(highest_trace() > 2500, highest_trace())
    assert.are.equal(3000, #loops)
  end)
end)
