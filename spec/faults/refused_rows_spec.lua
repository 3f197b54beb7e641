-- Rows that the disk refuses for a while (a limit of file sizes that the job sets itself): what is
-- written later is newer, and wins in a restore.
local attempt = require "faults.chaos.attempt"
local runs = require "support.run"

-- The source sends what a phase has when the spec says so, with a limit of so many bytes for each file, 0 for none; the
-- step says when all of it is done. The second run looks at all keys of the first, and ends.
local job = [[
local mt = require "moontide"
local ffi = require "ffi"
ffi.cdef "struct limit { unsigned long soft, hard; }; int setrlimit(int what, const struct limit *limit); void (*signal(int number, void *handler))(int);"
ffi.cdef "int pipe(int ends[2]); int dup2(int from, int to); long readlink(const char *path, char *target, size_t room);"
local directory, again = mt.args.directory, mt.args.run == "2"
local FSIZE, XFSZ, ENDLESS = 1, 25, -1ULL

local function set_limit(bytes)
  ffi.C.signal(XFSZ, ffi.cast("void *", 1))
  ffi.C.setrlimit(FSIZE, ffi.new("struct limit", bytes > 0 and bytes or ENDLESS, ENDLESS))
end

-- What is written to the delta from now on goes to a pipe, which can neither be cut back nor synced.
local function lose_delta()
  local target, ends = ffi.new("char[4096]"), ffi.new("int[2]")
  ffi.C.pipe(ends)
  for descriptor = 0, 255 do
    local bytes = ffi.C.readlink("/proc/self/fd/" .. descriptor, target, 4096)
    if bytes > 0 and ffi.string(target, bytes):find("%%.delta$") then ffi.C.dup2(ends[1], descriptor) end
  end
end

local phases = %s
local function phase_of(number)
  local records, phase = {}, phases[number]
  if again then phase = { first = 1, last = %d } end
  for key = phase.first, phase.last do records[#records + 1] = { key = key, value = phase.value } end
  records[#records + 1] = { key = 0, done = number }
  if phase.lost then lose_delta() end
  return records, phase.limit or 0
end

local source = mt.source {
  open = function(self) self.phase, self.at, self.records = 1, 0, nil end,
  poll = function(self, out)
    if again and self.phase > 1 then return "end" end
    local file = not self.records and (again or io.open(directory .. "/phase-" .. self.phase))
    if not self.records and not file then return false end
    if not self.records then
      local limit
      self.records, limit = phase_of(self.phase)
      set_limit(limit)
    end
    for _ = 1, 500 do
      self.at = self.at + 1
      out:collect(self.records[self.at])
      if self.at == #self.records then
        self.phase, self.at, self.records = self.phase + 1, 0, nil
        return true
      end
    end
    return true
  end,
  snapshot = function() return 0 end,
  restore = function() end,
}

local job = mt.job("refused", { parallelism = 1, restart = "none", state = { backend = "memory" },
  checkpoint = { interval = false, tolerable_failures = 100 } })
job:from(source):key_by("key"):process("step", {
  state = { last = mt.value_state() },
  process_element = function(self, record, ctx, out)
    if record.done then return again or io.open(directory .. "/done-" .. record.done, "w"):close() end
    if again then out:collect(tostring(self.last:value())) else self.last:update(record.value) end
  end,
}):to(mt.stdout { format = "lines" })
return job
]]

describe("S42: rows that the disk refused", function()
  local here, started
  before_each(function() here = runs.new() end)
  after_each(function()
    started:destroy()
    here:destroy()
  end)

  local function play(phases, keys, base_bytes)
    local path = here:write("job.lua", job:format(phases, keys))
    local function words(run) return { "run", path, "--data", here.data, "--no-progress", "--set", "run=" .. run, "--set", "directory=" .. here.directory } end
    local environment = { MOONTIDE_BASE_BYTES = base_bytes }
    local M = {}
    function M.phase(number)
      started = started or attempt.start(words(1), environment)
      here:write("phase-" .. number, "")
      started:wait_until("the phase is done", function() return here:read("done-" .. number) end)
      return select(2, here:command "checkpoint")
    end
    -- The values of all keys behind a kill, how often each.
    function M.restored()
      os.execute(("kill -9 -%d"):format(started.pid))
      started:wait()
      local ended = attempt.run(words(2), environment)
      assert.equal(0, ended.status, ended.err)
      local counts = {}
      for value in ended.out:gmatch "%S+" do counts[value] = (counts[value] or 0) + 1 end
      return counts
    end
    return M
  end

  it("are written before newer ones when there is space again", function()
    started = nil
    local keys = 20000
    local here_is = play(("{ { first = 1, last = %d, value = 1, limit = 65536 }, { first = 1, last = %d, value = 2 } }"):format(keys, keys), keys, "100000000")
    assert.equal(1, here_is.phase(1))
    assert.is_truthy(started:wait_for "checkpoint 1 failed: [^\n]*File too large")
    assert.equal(0, here_is.phase(2))
    assert.same({ ["2"] = keys }, here_is.restored())
  end)

  it("that are lost end the job: no later checkpoint could have them", function()
    started = nil
    local here_is = play("{ { first = 1, last = 20000, value = 1, limit = 65536 }, { first = 1, last = 10, value = 2, lost = true } }", 1, "100000000")
    assert.equal(1, here_is.phase(1))
    assert.equal(1, here_is.phase(2))
    assert.equal(1, started:wait(), started.err)
    assert.is_truthy(started.err:find 'job "refused", checkpoint %d+ failed: journal [^\n]*%.delta', started.err)
  end)

  -- The base that is refused has 300 KB: the rows of two deltas. All of its keys are gone before the next one is begun.
  it("in a base are in no later base", function()
    started = nil
    local keys = 10000
    local here_is = play(([[{
      { first = 1, last = %d, value = ("x"):rep(20), limit = 200000 }, { first = %d, last = %d, value = ("x"):rep(20), limit = 200000 },
      { first = 1, last = %d }, { first = %d, last = %d, value = ("x"):rep(20) }, { first = 0, last = 0, value = 1 },
    }]]):format(keys / 2, keys / 2 + 1, keys, keys, keys + 1, 2 * keys), keys, "200000")
    assert.equal(0, here_is.phase(1))
    assert.equal(0, here_is.phase(2))
    assert.is_truthy(started:wait_for "a new base of the state could not be written: [^\n]*File too large")
    assert.equal(0, here_is.phase(3))
    assert.equal(0, here_is.phase(4))
    started:wait_until("a base is finished", function() return here:ask("status"):match '"bases":1' end)
    assert.equal(0, here_is.phase(5))
    assert.same({ ["nil"] = keys }, here_is.restored())
  end)
end)
