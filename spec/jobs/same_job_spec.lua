-- Every worker runs the script: all must make the same job of it.
local run = require "support.run"

-- Its steps have other names each time that it is loaded, as those have that are made in the order of pairs().
local script = [[
local mt = require "moontide"
local file = assert(io.open(mt.args.loads, "a+"))
file:write("x")
file:flush()
file:seek("set")
local loads = #file:read("*a")
file:close()
local job = mt.job("other", { restart = "none" })
local stream = job:from(mt.sequence { from = 1, to = 1000 })
for i = 1, %s do stream = stream:filter(function() return true end, { name = "kept" .. i .. %s }) end
stream:to(mt.file { dir = mt.args.out, format = "lines" })
return job
]]

describe("a script that makes another job in each worker", function()
  local here
  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  local function ended(count, suffix, parallelism)
    local path = here:write("job.lua", script:format(count, suffix))
    local started = here:run(path, "--parallelism", parallelism, "--set", "loads=" .. here.directory .. "/loads", "--set", "out=" .. here.directory .. "/out")
    return started:wait(), started.err
  end

  it("is refused before anything is committed", function()
    for count, suffix in pairs { ["2"] = "'-' .. loads", ["loads"] = "''" } do
      local status, err = ended(count, suffix, "3")
      assert.equal(1, status, err)
      assert.is_truthy(err:find("the script made another job here than in worker 0: that one has the step '%d+ [%w%-]+ ", 1), err)
      local pipe = io.popen("find '" .. here.directory .. "/out' -type f -not -name '.*' 2>/dev/null")
      assert.equal("", pipe:read("*a"))
      pipe:close()
    end
  end)

  it("runs where there is one worker alone", function()
    local status, err = ended("2", "'-' .. loads", "1")
    assert.equal(0, status, err)
  end)
end)
