-- Scripts that do not come to an end while they are loaded, or would end the process.
local process = require "support.process"
local run = require "support.run"

describe("a script", function()
  local here

  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  -- stdout and stderr of check and of run, which answer 2.
  local function refused(text)
    local script = here:write("job.lua", text)
    for _, words in ipairs { { "check", script }, { "run", script, "--no-progress" } } do
      local out, status, err = process.run(words, { environment = { MOONTIDE_LOADING_MS = "100" } })
      assert.are.equal(2, status, err)
      assert.are.equal("", out)
      coroutine.yield(err)
    end
  end

  local function each(text)
    return coroutine.wrap(function() refused(text) end)
  end

  local too_long = "the script did not come to its end in 100ms: it describes a job, returns it, and does not run it\n"

  it("that loops for ever is stopped at its line", function()
    for body, line in pairs {
      ["while true do end"] = 3,
      ["local n = 0\nfor i = 1, math.huge do n = n + i end"] = 4,
      ["local function more(n) return more(n + 1) end\nmore(1)"] = 3,
      ["while true do\npcall(function() while true do end end)\nend"] = "[345]",
      ["coroutine.wrap(function()\nwhile true do end end)()"] = 4,
      ["mt.job('j', { watchdog = 5 })\nrepeat until false"] = 4,
      ["while true do mt.values { 1 } end"] = 3,
      ["return mt.job('j', (function() while true do end end)())"] = 3,
    } do
      for err in each("local mt = require 'moontide'\n\n" .. body .. "\n") do
        assert.is_truthy(err:find("^moontide: [^\n:]*job%.lua:" .. line .. ": " .. too_long:gsub("%p", "%%%0")), body .. "\n" .. err)
      end
    end
  end)

  it("may be slow where its watchdog says so, and its functions are compiled", function()
    local script = here:write("job.lua", [[
local mt = require "moontide"
local job = mt.job("slow", { parallelism = 1, watchdog = false })
local begun = os.clock()
while os.clock() - begun < 0.5 do end
job:from(mt.values { 1 }):map(function(n) return jit.status() end):to(mt.stdout {})
return job]])
    local out, status, err = process.run({ "run", script, "--no-progress" }, { environment = { MOONTIDE_LOADING_MS = "100" } })
    assert.are.equal(0, status, err)
    assert.are.equal("true\n", out)
  end)

  it("cannot end the process, neither as it is loaded nor in a callback", function()
    for err in each("local mt = require 'moontide'\nos.exit(0)\n") do
      assert.is_truthy(err:find("job.lua:2: os.exit would end the whole process, and all else that it does: call error() to end the job\n", 1, true), err)
    end
    local started = here:run(here:job('{ parallelism = 1, restart = "none" }', ":map(function(n)\nos.exit(0)\nend):to(mt.blackhole {})", "mt.values { 7 }"))
    assert.are.equal(1, started:wait(), started.err)
    assert.is_truthy(started.err:find("os.exit would end the whole process[^\n]*\n  job.lua:5: in map\n  key     none     time none\n  record  7\n"), started.err)
  end)
end)
