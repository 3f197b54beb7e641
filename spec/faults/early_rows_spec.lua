-- While a checkpoint waits for one worker, another goes on, and its rows of the next epoch may leave the cache: into the
-- delta that the checkpoint then names. They are not the checkpoint's, nor of any later one that goes on from it.
local attempt = require "faults.chaos.attempt"
local runs = require "support.run"

-- The first run: each of 200 keys once, then a record at which the other worker waits; a barrier; each key once more, and
-- as many others as make them leave the cache; only then the other worker goes on, and the checkpoint is complete.
-- The second run: a checkpoint and nothing else. The third: what the first one did behind its barrier, to the end.
-- A job that is quiet at first has not written anything before the barrier.
local job = [[
local mt = require "moontide"
local testing = require "moontide.testing"
local run, directory = tonumber(mt.args.run), mt.args.directory
local keys, fillers, quiet = 200, 3000, mt.args.quiet == "true"
local job = mt.job("early", { parallelism = 2, restart = { strategy = "none" }, state = { backend = "rocksdb", memory = "1KB" },
  checkpoint = { interval = run == 2 and "20ms" or false } })

local function keys_of(subtask, name, count)
  local list, i = {}, 0
  while #list < count do
    i = i + 1
    if testing.subtask_of(name .. i, 2) == subtask then list[#list + 1] = name .. i end
  end
  return list
end

local first, others, waiting = keys_of(0, "key", keys), keys_of(0, "other", fillers), keys_of(1, "waiting", 1)[1]
local records, barrier = {}, nil
local function add(list, what)
  for _, key in ipairs(list) do records[#records + 1] = { key = key, what = what } end
end
if not quiet then add(first) end
add({ waiting }, "wait")
add({ first[1] }, "request")
barrier = #records
add(first)
add(others)
add({ others[1] }, "spilled")

local source = mt.source {
  open = function(self) self.at, self.snapshots = self.at or 0, 0 end,
  poll = function(self, out)
    if run == 2 or (self.at == barrier and run == 1 and self.snapshots == 0) then return false end
    if self.at == #records then return run == 3 and "end" or false end
    self.at = self.at + 1
    out:collect(records[self.at])
    return true
  end,
  snapshot = function(self)
    self.snapshots = self.snapshots + 1
    return self.at
  end,
  restore = function(self, at) self.at = at end,
}

job:from(source, { parallelism = 1 }):key_by("key"):process("count", {
  state = { count = mt.value_state { default = 0 }, filler = mt.value_state() },
  process_element = function(self, record, ctx, out)
    local count = self.count:value() + 1
    if record.what == "request" then return ctx:request_checkpoint() end
    if record.what ~= "wait" then self.count:update(count) end
    if record.key:find "^other" then self.filler:update(("x"):rep(2000)) end
    if run == 1 and record.what == "spilled" then io.open(directory .. "/spilled", "w"):close() end
    local file
    while run == 1 and record.what == "wait" and not file do file = io.open(directory .. "/spilled") end
    if run == 3 and record.key:find "^key" then out:collect(count) end
  end,
}):to(mt.stdout { format = "json" })
return job
]]

describe("S42: rows of a later epoch in the delta of a checkpoint", function()
  for name, quiet in pairs { ["are never seen, whatever checkpoint is restored"] = false, ["may be all that is in it"] = true } do
    it(name, function()
      local here = runs.new()
      finally(function() here:destroy() end)
      local path = here:write("job.lua", job)
      local function play(run, point)
        local words = { "run", path, "--data", here.data, "--no-progress", "--set", "run=" .. run, "--set", "directory=" .. here.directory,
          "--set", "quiet=" .. tostring(quiet) }
        return attempt.run(words, { MOONTIDE_CRASH_POINT = point })
      end
      for run = 1, 2 do
        local died = play(run, "commit.after_sync:1")
        assert.is_true(died.killed, died.err)
      end
      local ended = play(3, "")
      assert.equal((quiet and "1\n" or "2\n"):rep(200), ended.out, ended.err)
    end)
  end
end)

-- A base that is begun when checkpoint 2 is complete and finished while checkpoint 3 waits for another worker: it has
-- what the first worker did behind the barrier of checkpoint 3, so only checkpoint 4 may have it. It takes the place of
-- the delta of checkpoint 1, which nothing else has the keys of.
--
-- The other worker gets records that it stays with until something has happened: before the barrier of checkpoint 2 until
-- all behind it has been sent, behind it until the base is begun (checkpoint 3 is triggered right after that), some that
-- let it do its part of the base between two records, and one until the base is finished. All this waits in its ring, which
-- the time that it takes does not bound here.
local with_base = [[
local mt = require "moontide"
local testing = require "moontide.testing"
local run, directory = tonumber(mt.args.run), mt.args.directory
local keys, more_keys, steps, at_once = 20000, 5000, 10, 1000
local job = mt.job("base", { parallelism = 2, restart = { strategy = "none" }, state = { memory = "64MB" }, checkpoint = { interval = false } })

local function note(name) io.open(directory .. "/" .. name, "w"):close() end

local function await(name)
  local file
  repeat file = io.open(directory .. "/" .. name) until file
  file:close()
end

local function next_key(subtask, i)
  repeat i = i + 1 until testing.subtask_of(i, 2) == subtask
  return i
end

local first, others, waiting, last = {}, {}, next_key(1, 0), 0
for i = 1, keys + more_keys do
  last = next_key(0, last)
  table.insert(i > keys and others or first, last)
end

-- What is sent in which order: { key, what, name }, or a name of what is waited for.
local records = {}
local function add(key, what, name) records[#records + 1] = { key = key, what = what, name = name } end
local function pause(name) records[#records + 1] = name or "pause" end
for _, key in ipairs(first) do add(key) end
add(first[1], "request")
pause "barrier 1"
for _, key in ipairs(others) do add(key) end
add(waiting, "await", "all sent")
pause()
add(first[1], "request")
pause "barrier 2"
add(waiting, "await", "barrier 3")
pause()
for _ = 1, steps do
  add(waiting, "step")
  pause()
end
add(waiting, "await", "base finished")
add(first[1], "request")
pause()
pause "barrier 3"
for i = keys, 1, -1 do add(first[i]) end -- backwards: the base goes forward
add(first[1], "end")

local seen = { ["pause"] = true }
local source = mt.source {
  open = function(self) self.at, self.snapshots = self.at or 0, 0 end,
  poll = function(self, out)
    for _ = 1, at_once do
      local record = records[self.at + 1]
      if record == nil then return run == 2 and "end" or false end
      local waits = type(record) == "string"
      if record == "barrier 3" and run == 1 then note "all sent" end
      if waits and not seen[record] then return record == "barrier 3" end -- who sleeps misses the moment
      self.at = self.at + 1
      if waits then return record ~= "pause" end
      out:collect(record)
    end
    return true
  end,
  snapshot = function(self)
    self.snapshots = self.snapshots + 1
    seen["barrier " .. self.snapshots] = true
    if run == 1 then note("barrier " .. self.snapshots) end
    return self.at
  end,
  restore = function(self, at)
    self.at = at
    seen["barrier 3"] = true
  end,
}

job:from(source, { parallelism = 1 }):key_by("key"):process("count", {
  state = { count = mt.value_state { default = 0 } },
  open = function(self) self.done = 0 end,
  process_element = function(self, record, ctx, out)
    if record.what == "request" then return ctx:request_checkpoint() end
    if record.what == "end" then return out:collect(("%d done"):format(self.done)) end
    if record.what == "await" then return await(record.name) end
    if record.what == "step" then return end
    local count = self.count:value() + 1
    self.count:update(count)
    self.done = self.done + 1
    if run == 2 and count ~= 2 then out:collect(("key %d has %d"):format(record.key, count)) end
  end,
}):to(mt.stdout { format = "lines" })
return job
]]

describe("S42: a base that is finished while a checkpoint waits", function()
  for _, backend in ipairs { "memory", "rocksdb" } do
    it("is not that checkpoint's, on " .. backend, function()
      local here = runs.new()
      local path = here:write("job.lua", (with_base:gsub("state = { memory", ("state = { backend = %q, memory"):format(backend), 1)))
      local function words(run) return { "run", path, "--data", here.data, "--no-progress", "--set", "run=" .. run, "--set", "directory=" .. here.directory } end
      local started = attempt.start(words(1), { MOONTIDE_PORTION_NS = "0", MOONTIDE_BASE_BYTES = "300000", MOONTIDE_CRASH_POINT = "commit.after_sync:3" })
      finally(function()
        started:destroy()
        here:destroy()
      end)
      started:wait_until("the base is finished", function() return here:ask("status"):match '"bases":1' end)
      here:write("base finished", "")
      assert.equal("signal 9", started:wait(), started.err)
      local ended = attempt.run(words(2), {})
      assert.equal(3, ended.checkpoint, ended.err)
      assert.equal("20000 done\n", ended.out, ended.err)
    end)
  end
end)
