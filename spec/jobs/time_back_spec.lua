-- Time that goes back at a restore, as it does where a source is added to a job (S9).
local run = require "support.run"

describe("a source that is added at a restore", function()
  local here
  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  -- The first source waits behind its records until it is to end.
  local script = [[
local mt = require "moontide"
local job = mt.job("tide", { parallelism = 1, state = { backend = "%s" }, checkpoint = { interval = false } })
local stream = job:from(mt.source {
  open = function(self, ctx, restored) self.next = restored or 1 end,
  poll = function(self, out)
    local times = { 1, 3, 4 }
    for i = self.next, #times do out:collect { k = "a", t = times[i] } end
    self.next = #times + 1
    return mt.args.more and "end" or false
  end,
  snapshot = function(self) return self.next end,
  restore = function(self, saved) self.next = saved end,
}, { name = "first" }):assign_timestamps { field = "t", emit = 1 }
if mt.args.more then
  stream = stream:union(job:from(mt.values { { k = "a", t = 1 } }, { name = "second" }):assign_timestamps { field = "t", emit = 1 })
end
stream:key_by("k"):window(mt.sliding { size = 4, slide = 2 }):count("windows"):to(mt.file { dir = "%s/out", format = "json" }, { name = "out" })
return job
]]

  for _, backend in ipairs { "rocksdb", "memory" } do
    it("begins windows anew that had fired, with its records alone (" .. backend .. ")", function()
      local path = here:write("job.lua", script:format(backend, here.directory))
      local started = here:run_until_running(path)
      started:wait_until("the records are read", function() return here:ask("status"):match('"records_in":3') end)
      local _, status, err = here:command("stop")
      assert.are.equal(0, status, err)
      assert.are.equal(0, started:wait(), started.err)
      local again = here:run(path, "--set", "more=1")
      assert.are.equal(0, again:wait(), again.err)
      local seen = {}
      for line in io.popen(("cat %s/out/*"):format(here.directory)):lines() do
        seen[#seen + 1] = line:match('"window_start":(%-?%d+)') .. ":" .. line:match('"count":(%d+)')
      end
      table.sort(seen)
      assert.are.equal("-2:1 -2:1 0:1 0:2 2:2 4:1", table.concat(seen, " "))
    end)
  end
end)
