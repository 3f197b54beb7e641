-- Random operations on timers and on a plain set of them, with checkpoints, bases and
-- spilling in between; what is restored from any checkpoint must be the set as it was.
local ffi = require "ffi"
local keyed = require "engine.state.keyed"
local timed = require "engine.time.timed"
local temporary = require "support.temporary"
local C = keyed.C

jit.off(true, true)

local seed, random = keyed.seed, math.random

local keys = {}
for i = 1, 60 do keys[i] = i % 3 == 0 and ("a key of many letters %d"):format(i) or i % 3 == 1 and i or "k" .. i end

local name_spaces = { "", "", "", "w", "a longer namespace" }

local function name_of(time, key, name_space) return ("%d:%s/%s"):format(time, key, name_space) end

local function copy(set)
  local out = {}
  for name, time in pairs(set) do out[name] = time end
  return out
end

local function size(set)
  local count = 0
  for _ in pairs(set) do count = count + 1 end
  return count
end

local Run = {}
Run.__index = Run

local function new_run(options)
  local self = setmetatable({ options = options, root = temporary.folder(), set = {}, now = 0, checkpoints = 0, bases = 0, stores = 0 }, Run)
  self.backend = keyed.backend(options.memory, options.store and self.root .. "/rows" or nil)
  self.timers = timed.new { backend = self.backend, undo = options.undo }
  return self
end

function Run:free()
  self.timers:free()
  C.backend_free(self.backend)
  temporary.remove(self.root)
end

function Run:time()
  local kind = random(10)
  if kind <= 4 then return self.now + random(20) end
  if kind <= 7 then return self.now + random(self.options.spread) end
  if kind == 8 then return self.now - random(20) end
  return self.now + random(4) * 100
end

function Run:change(set)
  local time, key, name_space = self:time(), keys[random(#keys)], name_spaces[random(#name_spaces)]
  if random() < 0.7 then
    local name = name_of(time, key, name_space)
    if not set[name] and random() < 0.5 then
      self.timers:register_new(time, key, name_space)
    else
      self.timers:register(time, key, name_space)
    end
    set[name] = time
  else
    local name, known = next(set, self.last)
    if name and random() < 0.8 then
      time = known
      key, name_space = name:match("^%-?%d+:(.-)/(.*)$")
      key = tonumber(key) or key
    end
    self.last = nil
    self.timers:delete(time, key, name_space)
    set[name_of(time, key, name_space)] = nil
  end
end

-- One record's worth of changes, taken back now and then.
function Run:record()
  local undone = self.options.undo and random() < 0.3
  local set = undone and copy(self.set) or self.set
  for _ = 1, random(3) do self:change(set) end
  if undone then self.timers.state:undo() else self.timers.state:commit() end
end

function Run:earliest()
  local earliest
  for _, time in pairs(self.set) do earliest = math.min(earliest or time, time) end
  return earliest
end

-- Everything up to `now` fires once, in order but for what callbacks register before it.
function Run:advance(what)
  self.now = self.now + random(self.options.step)
  local last
  self.timers:advance(self.now, function(time, key, name_space)
    local name = name_of(time, key, name_space)
    assert(self.set[name] == time, what .. ": fired though it is not there: " .. name)
    assert(time <= self.now and time == (self.options.exact and self:earliest() or time), what .. ": out of order: " .. name)
    assert(not last or time >= last, what .. ": backwards: " .. name)
    self.set[name] = nil
    last = time
    if random() < 0.2 then
      self:record()
      last = nil
    end
  end)
  for name, time in pairs(self.set) do assert(time > self.now, what .. ": it has not fired: " .. name) end
end

function Run:work(what)
  for _ = 1, random(60) do self:record() end
  if random() < 0.5 then self.timers.state:resolve { random(1000) } end -- evicts
  if random() < 0.4 then self:advance(what) end
  assert.are.equal(0, C.keyed_state_failure(self.timers.state.handle))
end

function Run:base_begin()
  local into_store = C.backend_store_opened(self.backend) ~= nil
  self.base = { first = self.timers.state:epoch(), into_store = into_store }
  self.timers.state:base_begin(into_store)
end

function Run:base_end()
  local base = self.base
  self.base = nil
  base.last, self.bases = self.timers.state:epoch(), self.bases + 1
  if base.into_store then
    base.directory, self.stores = self.root .. "/base" .. self.bases, self.stores + 1
    keyed.check(C.store_checkpoint(C.backend_store_opened(self.backend), base.directory))
  else
    base.rows = self.timers.state:dumped()
  end
  self.newest_base = base
end

function Run:slice()
  if not self.base and random() < 0.15 then self:base_begin() end
  if self.base and self.timers.state:base_step(random(60)) then self:base_end() end
  if random() < 0.7 then self.timers.state:sweep(random(40)) end
end

-- The base and deltas that checkpoint `epoch` consists of.
function Run:files(epoch)
  local base = self.newest_base
  if base and base.last > epoch then base = nil end
  local list = { base and base.rows or nil }
  for _, buffer in ipairs(self.timers.state.delta) do
    if buffer.epoch <= epoch and (not base or buffer.epoch >= base.first) then list[#list + 1] = buffer.rows end
  end
  return base, list
end

-- Fire all that a restored part has; answers how many.
local function drain(part, set, what)
  local count, last = part:count(), -math.huge
  local fired = 0
  part:advance(timed.max, function(time, key, name_space)
    local name = name_of(time, key, name_space)
    assert(set[name] == time, what .. ": restored though it was not there: " .. name)
    assert(time >= last, what .. ": out of order")
    set[name], last, fired = nil, time, fired + 1
  end)
  assert(fired == count, what .. ": counted " .. count .. ", fired " .. fired)
  return fired
end

function Run:compare_restored(epoch, set, what)
  local base, rows = self:files(epoch)
  local directory = self.root .. "/restored"
  local stored = base ~= nil and base.directory ~= nil
  if stored then keyed.check(C.store_clone(base.directory, directory)) end
  local backend = keyed.backend(self.options.memory, self.options.store and directory or nil)
  if stored then keyed.check(C.backend_store(backend, ffi.new("struct store *[1]"))) end
  local ranges = random() < 0.5 and { { 0, 127 } } or { { 0, 42 }, { 43, 127 } }
  local expected, parts = size(set), {}
  for i, groups in ipairs(ranges) do
    parts[i] = timed.new { backend = backend, groups = groups, epoch = 1000, subtask = i - 1, undo = self.options.undo }
    parts[i].names = self.timers.names
    assert(parts[i].state:restore(rows, stored))
  end
  local fired = 0
  for _, part in ipairs(parts) do fired = fired + drain(part, set, what) end
  assert.are.equal(expected, fired, what)
  for _, part in ipairs(parts) do part:free() end
  C.backend_free(backend)
  temporary.remove(directory)
end

function Run:checkpoint()
  local epoch, set = self.timers.state:epoch(), copy(self.set)
  self.checkpoints = self.checkpoints + 1
  local what = ("seed %d, checkpoint %d"):format(seed, self.checkpoints)
  self.timers.state:freeze(epoch)
  for _ = 1, random(0, 8) do
    self:work(what)
    self:slice()
  end
  while not self.timers.state:sweep(random(60)) do self:work(what) end
  self:compare_restored(epoch, set, what)
end

local function run_all(options, rounds)
  local run = new_run(options)
  for round = 1, rounds do
    local what = ("seed %d, round %d"):format(seed, round)
    for _ = 1, random(20) do
      run:work(what)
      run:slice()
    end
    assert.are.equal(size(run.set), run.timers:count(), what)
    run:checkpoint()
  end
  drain(run.timers, run.set, "seed " .. seed .. ", at the end")
  assert.is_nil(next(run.set))
  for _ = 1, 2 do run.timers.state:cut() end
  assert.are.equal(0, run.timers.state:rows())
  return run
end

describe("timers against a plain set", function()
  print(("timers_model_spec: SEED=%d"):format(seed))

  before_each(function() math.randomseed(seed) end)

  it("in memory, with bases that are dumped", function()
    local run = run_all({ memory = 2 ^ 30, spread = 3000, step = 40 }, 15)
    assert.is_true(run.bases > 0)
    run:free()
  end)

  it("in memory, few times with many timers", function()
    run_all({ memory = 2 ^ 30, spread = 8, step = 4, exact = true }, 15):free()
  end)

  it("in memory, with records undone", function()
    run_all({ memory = 2 ^ 30, undo = true, spread = 3000, step = 40 }, 10):free()
  end)

  it("over a store, the memory far too small", function()
    local run = run_all({ memory = 48 * 1024, store = true, spread = 5000, step = 100 }, 15)
    assert.is_true(run.stores > 0, "no base of the store")
    run:free()
  end)

  it("over a store, the memory too small, with records undone", function()
    run_all({ memory = 48 * 1024, store = true, undo = true, spread = 5000, step = 60 }, 10):free()
  end)
end)
