-- Iterations over maps of all sizes while the maps change, against plain tables that are copied at their start (S52):
-- several at once, left early, with writes that are undone, entries that are evicted, and restores in between.
local draw = require "support.draw"
local keyed = require "engine.state.keyed"
local plain_state = require "support.plain_state"
local temporary = require "support.temporary"
local C = keyed.C

local seed = keyed.seed
local over = "an iteration over a map ends with the callback that began it"

local Play = {}
Play.__index = Play

local function new_play(number, options)
  local self = setmetatable({ random = draw.generator(seed + number * 104729), options = options, root = temporary.folder(), open = {} }, Play)
  -- So many keys a map may have: below, about and above the size from which it is no longer copied.
  self.size = draw.pick(self.random, { 10, 70, 400 })
  self.models = {}
  for _, key in ipairs { "a", "b", "c" } do self.models[key] = plain_state.map_state()() end
  self.backend = keyed.backend(options.memory, options.store and self.root .. "/rows" or nil)
  self.state = keyed.new { states = { { "seen", "map" } }, backend = self.backend, undo = options.undo }
  self.rows = {}
  return self
end

function Play:free()
  self.state:free()
  C.backend_free(self.backend)
  temporary.remove(self.root)
end

local function a_key(self)
  local i = self.random(self.size)
  return i % 3 == 0 and "key " .. i or i
end

local function a_value(self)
  local i = self.random(1000)
  return i % 4 == 0 and ("v"):rep(i % 90) or i
end

local function step(iteration, what)
  local key, value = iteration.real()
  local expected_key, expected = iteration.model()
  if key == expected_key and value == expected then return key end
  error(("%s: %s = %s, expected %s = %s"):format(what, tostring(key), tostring(value), tostring(expected_key), tostring(expected)))
end

local actions = {
  function(self, map, model)
    local key, value = a_key(self), a_value(self)
    map:put(key, value)
    model:put(key, value)
  end,
  function(self, map, model)
    local key = a_key(self)
    map:remove(key)
    model:remove(key)
  end,
  function(self, map, model)
    table.insert(self.open, { real = map:entries(), model = model:entries() })
  end,
  function(self, _, _, what)
    if #self.open == 0 then return end
    local at = self.random(#self.open)
    for _ = 1, self.random(self.random(3) == 1 and 2 * self.size or 5) do
      if step(self.open[at], what) == nil then
        table.remove(self.open, at)
        return
      end
    end
  end,
  -- A queue: what comes first is taken.
  function(self, map, model, what)
    local iteration = { real = map:entries(), model = model:entries() }
    for _ = 1, self.random(4) do
      local key = step(iteration, what)
      if key == nil then return end
      map:remove(key)
      model:remove(key)
    end
  end,
  function(self, map, model)
    for _ = 1, self.random(self.size) do
      local key = a_key(self)
      map:put(key, 1)
      model:put(key, 1)
    end
  end,
  function(self, map, model)
    if self.random(5) > 1 then return end
    map:clear()
    model:clear()
  end,
}
local weights = { 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 4, 4, 4, 5, 6, 7 }

local function callback(self, key, what)
  local model = self.models[key]
  local before = plain_state.map_state()()
  before:put_all(model.content)
  for _ = 1, self.random(60) do actions[draw.pick(self.random, weights)](self, self.state.seen, model, what) end
  if self.options.undo and self.random(3) == 1 then
    self.state:undo()
    self.models[key] = before
  else
    self.state:commit()
  end
end

-- What is open when a callback ends, and asked for more in the next one.
local function all_are_over(self, what)
  for _, iteration in ipairs(self.open) do
    local worked, message = pcall(iteration.real)
    assert(not worked and message:find(over, 1, true), what .. ": an iteration of the callback before answers " .. tostring(message))
  end
  self.open = {}
end

local function batch(self, what)
  local keys = {}
  for i = 1, self.random(6) do keys[i] = draw.pick(self.random, { "a", "b", "c" }) end
  self.state:resolve(keys)
  for i, key in ipairs(keys) do
    self.state:at(i)
    if self.random(2) == 1 then all_are_over(self, what) else self.open = {} end
    callback(self, key, what)
  end
  assert.equal(0, C.keyed_state_failure(self.state.handle))
end

local function compare(self, state, what)
  for key, model in pairs(self.models) do
    state:key(key)
    local iteration = { real = state.seen:entries(), model = model:entries() }
    while step(iteration, what) ~= nil do end
  end
end

local function checkpoint(self, what)
  table.insert(self.rows, self.state:cut())
  if self.random(3) > 1 then return end
  local backend = keyed.backend(64 * 2 ^ 20)
  local other = keyed.new { states = { { "seen", "map" } }, backend = backend, epoch = 1000 }
  assert(other:restore(self.rows))
  compare(self, other, what .. ", restored")
  other:free()
  C.backend_free(backend)
end

describe("iterations over a map that changes", function()
  print("map_walk_spec: SEED=" .. seed)
  local variants = { { "in memory", memory = 64 * 2 ^ 20 }, { "with undo", memory = 64 * 2 ^ 20, undo = true },
    { "with a store below", memory = 20000, store = true }, { "with a store below and undo", memory = 20000, store = true, undo = true } }
  for number, options in ipairs(variants) do
    it("S52: show the entries as they were at the start, " .. options[1], function()
      for play_number = 1, 12 do
        local play = new_play(play_number * 10 + number, options)
        for round = 1, 40 do
          local what = ("SEED=%d, play %d, round %d"):format(seed, play_number, round)
          batch(play, what)
          if play.random(4) == 1 then checkpoint(play, what) end
        end
        compare(play, play.state, ("SEED=%d, play %d, at its end"):format(seed, play_number))
        play:free()
      end
    end)
  end

  it("S52: are an error in another callback, whatever the size of the map", function()
    local backend = keyed.backend(64 * 2 ^ 20)
    local state = keyed.new { states = { { "seen", "map" } }, backend = backend }
    for _, count in ipairs { 3, 300 } do
      state:resolve { "k" .. count, "other" }:at(1)
      for i = 1, count do state.seen:put(i, i) end
      local keys = state.seen:keys()
      assert.equal(1, keys())
      assert.has_error(function() state:at(2) keys() end, over)
      state:at(1)
      assert.equal(2, keys())
      state:key "other"
      assert.has_error(keys, over)
    end
    state:free()
    C.backend_free(backend)
  end)

  it("may be kept longer than the state that they are of", function()
    local backend = keyed.backend(64 * 2 ^ 20)
    local state = keyed.new { states = { { "seen", "map" } }, backend = backend }
    state:key "a"
    for i = 1, 200 do state.seen:put(i, i) end
    local keys = state.seen:keys()
    assert.equal(1, keys())
    state:free()
    C.backend_free(backend)
    assert.has_error(keys, over)
  end)
end)
