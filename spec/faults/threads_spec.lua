-- A machine, or a limit, with no room for another thread: the job fails with a text that names the thread.
-- (The limit counts the processes of a user, so the job runs as one that has no others; only root can do that.)
local process = require "support.process"
local runs = require "support.run"

local nobody = "65534"
local threads_max = 16

local function why_not()
  local id = assert(io.popen("id -u; ls /usr/bin/setpriv /usr/bin/prlimit 2>/dev/null | wc -l")):read("*a")
  if not id:match("^0\n") then return "only root can start a job as another user" end
  if not id:match("2\n$") then return "there is no setpriv or prlimit here" end
end

describe("a job that cannot start a thread", function()
  local here

  before_each(function()
    here = runs.new()
    os.execute(("chmod 777 '%s' && cp '%s' '%s/moontide'"):format(here.directory, os.getenv("MOONTIDE_EXECUTABLE") or "build/moontide", here.directory))
  end)
  after_each(function() here:destroy() end)

  it("says which, and does not wait for those that it has", function()
    local reason = why_not()
    if reason then return pending(reason) end
    local script = here:job('{ parallelism = 3, restart = "none" }', "  :key_by(function(n) return n % 10 end):count('c'):to(mt.blackhole {})")
    local named = {}
    for threads = 2, threads_max do
      local _, status, err = process.run({ "--reuid", nobody, "--clear-groups", "prlimit", "--nproc=" .. threads, here.directory .. "/moontide",
        "run", script, "--data", ("%s/data-%d"):format(here.directory, threads), "--no-progress" }, { program = "/usr/bin/setpriv" })
      if status == 0 then break end
      assert.are.equal(1, status, err)
      named[#named + 1] = assert(err:match("cannot start the thread '([%w ]+)': "), err)
    end
    assert.are.same({ "control", "coordinator", "worker 1", "worker 2" }, named)
  end)
end)
