-- Random operations on a keyed state and on plain Lua tables, with checkpoints, bases and
-- evictions in between; what is restored from any checkpoint must be the tables as they were.
local ffi = require "ffi"
local null = require "moontide.null"
local keyed = require "engine.state.keyed"
local plain_key = require "support.plain_key"
local plain_state = require "support.plain_state"
local temporary = require "support.temporary"
local C = keyed.C

local seed = keyed.seed
local states = { { "count", "value" }, { "name", "value" }, { "seen", "map" }, { "log", "list" } }
local random = math.random

-- ---- Keys and values ----

local key_count = 1500

-- All kinds: whole numbers, doubles, short and long strings, lists.
local function key_of(i)
  local kind = i % 5
  if kind == 0 then return i * 7919 end
  if kind == 1 then return i + 0.5 end
  if kind == 2 then return "k" .. i end
  if kind == 3 then return ("a long key, beyond what lies in the entry %d"):format(i) end
  return { "list", i, ("x"):rep(i % 30) }
end

local keys = {}
for i = 1, key_count do keys[i] = key_of(i) end

local function map_key()
  local i = random(12)
  if i <= 4 then return i end
  if i <= 8 then return "field " .. i end
  return ("a long map key that has to be allocated %d"):format(i)
end

local function value()
  local kind = random(9)
  if kind <= 3 then return random(-1000, 100000) end
  if kind == 4 then return random() * 1e9 end
  if kind == 5 then return ("s"):rep(random(0, 120)) .. random(1000) end
  if kind == 6 then return { a = random(9), b = "text " .. random(99), c = { random(9) } } end
  if kind == 7 then return random() < 0.5 end
  if kind == 8 then return null end
  return random() < 0.1 and ("large"):rep(600) or { random(9), "two" }
end

-- Texts that take so many bytes in a list, about: those with which it leaves the row of its key, or a chunk is full.
local function border_list()
  local left = ({ 256, 1024 })[random(2)] * random(2) - random(0, 8)
  local list = {}
  for i = 1, random(0, 4) do
    list[i] = ("b"):rep(random(0, 150))
    left = left - #list[i] - 2
  end
  if left > 0 and random() < 0.8 then list[#list + 1] = ("e"):rep(left) end
  return list
end

-- ---- The model: for each key its states in plain Lua ----

local declared = { state = { count = plain_state.value_state(), name = plain_state.value_state(), seen = plain_state.map_state(), log = plain_state.list_state() } }

local function fresh() return plain_key.new(declared) end

local function copy(model)
  local out = {}
  for i, entry in pairs(model) do
    out[i] = fresh()
    out[i]:restore(entry:save())
  end
  return out
end

local function model_rows(model)
  local rows = 0
  for _, entry in pairs(model) do rows = rows + entry:rows() end
  return rows
end

local function equal(a, b)
  if type(a) ~= "table" or type(b) ~= "table" or a == null or b == null then return a == b end
  for k, v in pairs(a) do
    if not equal(v, b[k]) then return false end
  end
  for k in pairs(b) do
    if a[k] == nil then return false end
  end
  return true
end

-- Each draws what it will do to the states of both.
local operations = {
  function() local v = value() return function(self) self.count:update(v) end end,
  function() local v = random(1000) return function(self) self.count:update(v) end end,
  function() return function(self) self.count:clear() end end,
  function() local v = value() return function(self) self.name:update(v) end end,
  function() return function(self) self.name:clear() end end,
  function() local k, v = map_key(), value() return function(self) self.seen:put(k, v) end end,
  function() local k, v = map_key(), value() return function(self) self.seen:put(k, v) end end,
  function() local k = map_key() return function(self) self.seen:remove(k) end end,
  function() local clears = random() < 0.3 return function(self) if clears then self.seen:clear() end end end,
  -- Large maps, whose entries are a tree once they have been iterated over.
  function()
    local count, first = random() < 0.05 and 100 or 0, random(50)
    return function(self)
      for i = first, first + count do self.seen:put(i * 7 % 200, i) end
      for k in self.seen:keys() do
        self.seen:remove(k)
        break
      end
    end
  end,
  function() local v = value() return function(self) self.log:add(v) end end,
  function()
    local list = {}
    for i = 1, random(6) do list[i] = value() end
    return function(self) for _, v in ipairs(list) do self.log:add(v) end end
  end,
  function() local clears = random() < 0.3 return function(self) if clears then self.log:clear() end end end,
  function() local list = border_list() return function(self) self.log:add_all(list) end end,
  function() local list = border_list() return function(self) self.log:update(list) end end,
  -- Short, long and short again, in one record.
  function()
    local first, second, third = border_list(), border_list(), value()
    local adds = random() < 0.5
    return function(self)
      self.log:clear()
      self.log:add_all(first)
      self.log:add(third)
      self.log:update(second)
      self.log:clear()
      if adds then self.log:add(third) end
    end
  end,
  function()
    return function(self)
      for _, name in ipairs { "count", "name", "seen", "log" } do self[name]:clear() end
    end
  end,
}

local function operate(state, entry)
  for _ = 1, random(3) do
    local change = operations[random(#operations)]()
    change(state)
    change(entry.states)
  end
end

local function same_map(map, expected)
  local shown = 0
  for k, v in map:entries() do
    if not equal(v, expected:get(k)) then return false end
    shown = shown + 1
  end
  return shown == expected:rows()
end

local function compare_entry(state, entry, what)
  local expected = entry.states
  assert(equal(state.count:value(), expected.count:value()), what .. ": count")
  assert(equal(state.name:value(), expected.name:value()), what .. ": name")
  assert(same_map(state.seen, expected.seen), what .. ": seen")
  assert(equal(state.log:get(), expected.log:get()), what .. ": log")
end

-- All keys, by the parts that they belong to.
local function compare(parts, model, what)
  local rows = 0
  for _, part in ipairs(parts) do rows = rows + part.state:rows() end
  assert.are.equal(model_rows(model), rows, what .. ": rows")
  for _, part in ipairs(parts) do
    local mine = {}
    for i = 1, key_count do
      local group = part.state:group_of(keys[i])
      if group >= part.groups[1] and group <= part.groups[2] then mine[#mine + 1] = i end
    end
    for from = 1, #mine, 100 do
      local batch = {}
      for at = from, math.min(from + 99, #mine) do batch[#batch + 1] = keys[mine[at]] end
      part.state:resolve(batch)
      for at = 1, #batch do
        local i = mine[from + at - 1]
        compare_entry(part.state:at(at), model[i] or fresh(), what .. ", key " .. i)
      end
    end
  end
end

-- ---- A run ----

local Run = {}
Run.__index = Run

local function new_run(options)
  local self = setmetatable({ options = options, root = temporary.folder(), checkpoints = 0, model = {}, bases = 0, stores = 0 }, Run)
  self.backend = keyed.backend(options.memory, options.store and self.root .. "/rows" or nil)
  self.state = keyed.new { states = states, backend = self.backend, undo = options.undo }
  return self
end

function Run:free()
  self.state:free()
  C.backend_free(self.backend)
  temporary.remove(self.root)
end

-- Right and wrong ones, of other records too.
local function tell_hints(state)
  for _ = 1, random(300) do
    local entry, key = state.entries[random(state.batch.count) - 1], map_key()
    if type(key) == "number" then
      C.map_hint_number(state.handle, entry, 2, random() < 0.1 and 0 / 0 or key)
    else
      C.map_hint_string(state.handle, entry, 2, key, #key)
    end
  end
  C.map_hints_end(state.handle)
end

function Run:record(index, i)
  local state = self.state:at(index)
  if random() < 0.05 then tell_hints(state) end
  local entry = self.model[i] or fresh()
  local before = self.options.undo and random() < 0.2 and entry:save()
  operate(state, entry)
  if before then
    state:undo()
    entry:restore(before)
  else
    self.model[i] = entry
    state:commit()
  end
end

function Run:work()
  local batch, indices = {}, {}
  local from = random(key_count)
  local hot = random() < 0.5
  for n = 1, random(200) do
    indices[n] = hot and (from + random(60)) % key_count + 1 or random(key_count)
    batch[n] = keys[indices[n]]
  end
  self.state:resolve(batch)
  for n = 1, #batch do self:record(n, indices[n]) end
  assert.are.equal(0, C.keyed_state_failure(self.state.handle))
end

-- A base as the coordinator takes it: into the store if it is open when the base begins.
function Run:base_begin()
  local into_store = C.backend_store_opened(self.backend) ~= nil
  self.base = { first = self.state:epoch(), into_store = into_store }
  self.state:base_begin(into_store)
end

function Run:base_end()
  local base = self.base
  self.base = nil
  base.last = self.state:epoch()
  self.bases = self.bases + 1
  if base.into_store then
    base.directory = self.root .. "/base" .. self.bases
    keyed.check(C.store_checkpoint(C.backend_store_opened(self.backend), base.directory))
    self.stores = self.stores + 1
  else
    base.rows = self.state:dumped()
  end
  self.newest_base = base
end

function Run:slice()
  if not self.base and random() < 0.1 then self:base_begin() end
  if self.base and self.state:base_step(random(2000)) then self:base_end() end
  if random() < 0.7 then self.state:sweep(random(150)) end
end

-- The base and deltas that checkpoint `epoch` consists of.
function Run:files(epoch)
  local base = self.newest_base
  if base and base.last > epoch then base = nil end
  local list = { base and base.rows or nil }
  for _, buffer in ipairs(self.state.delta) do
    if buffer.epoch <= epoch and (not base or buffer.epoch >= base.first) then list[#list + 1] = buffer.rows end
  end
  return base, list
end

-- Parts at this parallelism (S43), over a store cloned from the base if there is one.
local function open_parts(run, parallelism, directory, rows, stored)
  local backend = keyed.backend(run.options.memory, run.options.store and directory or nil)
  if stored then keyed.check(C.backend_store(backend, ffi.new("struct store *[1]"))) end
  local parts = { backend = backend }
  for i = 0, parallelism - 1 do
    local max = keyed.max_parallelism
    local groups = { math.floor((i * max + parallelism - 1) / parallelism), math.floor(((i + 1) * max - 1) / parallelism) }
    local state = keyed.new { states = states, backend = backend, groups = groups, subtask = i, epoch = 1000, undo = run.options.undo }
    parts[i + 1] = { state = state, groups = groups }
    assert(state:restore(rows, stored))
  end
  return parts
end

local function close_parts(parts)
  for _, part in ipairs(parts) do part.state:free() end
  C.backend_free(parts.backend)
end

function Run:restore(parallelism, epoch)
  local base, rows = self:files(epoch)
  local directory = self.root .. "/restored"
  if base and base.directory then keyed.check(C.store_clone(base.directory, directory)) end
  local parts = open_parts(self, parallelism, directory, rows, base and base.directory ~= nil)
  return parts, directory
end

-- From the parts' own bases at another parallelism.
function Run:rescale(parts, parallelism, model, what)
  local rows = {}
  local into_store = C.backend_store_opened(parts.backend) ~= nil
  for _, part in ipairs(parts) do
    part.state:base_begin(into_store)
    while not part.state:base_step(500) do end
    rows[#rows + 1] = part.state:dumped()
  end
  local directory = self.root .. "/rescaled"
  if into_store then
    keyed.check(C.store_checkpoint(C.backend_store_opened(parts.backend), self.root .. "/rescale base"))
    keyed.check(C.store_clone(self.root .. "/rescale base", directory))
    rows = {}
  end
  local others = open_parts(self, parallelism, directory, rows, into_store)
  compare(others, model, what)
  close_parts(others)
  temporary.remove(directory)
  temporary.remove(self.root .. "/rescale base")
end

-- Work on what was restored, as if the job had been killed.
function Run:go_on(parts, model, what)
  local state, kept = self.state, self.model
  self.state, self.model = parts[1].state, model
  for _ = 1, random(10) do self:work() end
  self.state:cut()
  for _ = 1, random(10) do self:work() end
  compare(parts, model, what)
  self.state, self.model = state, kept
end

function Run:checkpoint()
  local epoch, model = self.state:epoch(), copy(self.model)
  self.state:freeze(epoch)
  for _ = 1, random(0, 12) do
    self:work()
    self:slice()
  end
  while not self.state:sweep(random(300)) do self:work() end
  self.checkpoints = self.checkpoints + 1
  local what = ("seed %d, checkpoint %d"):format(seed, self.checkpoints)
  local first = random() < 0.5 and 1 or 3
  local parts, directory = self:restore(first, epoch)
  compare(parts, model, what)
  if first == 1 then self:go_on(parts, model, what .. ", gone on") end
  if random() < 0.5 then self:rescale(parts, first == 3 and 2 or 3, model, what .. ", rescaled") end
  close_parts(parts)
  temporary.remove(directory)
end

function Run:clear_all()
  for from = 1, key_count, 500 do
    local batch = {}
    for i = from, math.min(from + 499, key_count) do batch[#batch + 1] = keys[i] end
    self.state:resolve(batch)
    for n = 1, #batch do
      local state = self.state:at(n)
      state.count:clear(); state.name:clear(); state.seen:clear(); state.log:clear()
      state:commit()
    end
  end
  self.model = {}
end

local function run_all(options, rounds)
  local run = new_run(options)
  for _ = 1, rounds do
    for _ = 1, random(20) do
      run:work()
      run:slice()
    end
    run:checkpoint()
    compare({ { state = run.state, groups = { 0, keyed.max_parallelism - 1 } } }, run.model, ("seed %d, running"):format(seed))
  end
  run:clear_all()
  for _ = 1, 2 do run.state:cut() end
  assert.are.equal(0, run.state:rows())
  if not options.store then assert.are.equal(0, run.state:keys()) end
  return run
end

describe("keyed state against plain tables", function()
  print(("model_spec: SEED=%d"):format(seed))

  before_each(function() math.randomseed(seed) end)

  it("in memory, with bases that are dumped", function()
    local run = run_all({ memory = 2 ^ 30 }, 8)
    assert.is_true(run.bases > 0)
    run:free()
  end)

  it("in memory, with records undone", function()
    run_all({ memory = 2 ^ 30, undo = true }, 6):free()
  end)

  it("over a store, the cache far too small", function()
    local run = run_all({ memory = 400 * 1024, store = true }, 8)
    assert.is_true(run.stores > 0, "no base of the store")
    run:free()
  end)

  it("over a store, the cache too small, with records undone", function()
    run_all({ memory = 800 * 1024, store = true, undo = true }, 6):free()
  end)
end)
