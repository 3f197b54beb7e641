-- Rows of a frozen epoch that another thread writes while keys are written on: engine/state/walker.c.
-- Under ThreadSanitizer and AddressSanitizer this is where the two meet.
local keyed = require "engine.state.keyed"
local temporary = require "support.temporary"
local C = keyed.C
local random = math.random

local states = { { "count", "value", default = 0 } }
local batch_keys = 1000
local batches = 60

describe("a walk beside the worker", function()
  local backend, state, opened

  local function open()
    local made = keyed.new { states = states, backend = backend }
    opened[#opened + 1] = made
    return made
  end

  before_each(function()
    backend, opened = keyed.backend(256 * 2 ^ 20, nil, 1), {}
    state = open()
  end)

  after_each(function()
    for _, made in ipairs(opened) do made:free() end
    C.backend_free(backend)
  end)

  -- Each value tells who wrote it, and where.
  local function write(number, share, model)
    for b = 1, batches do
      state:resolve(keyed.keys_from((b - 1) * batch_keys, batch_keys))
      for i = 1, batch_keys do
        if share == 1 or random() < share then
          local key = (b - 1) * batch_keys + i - 1
          state:at(i).count:update(number * 1e6 + key)
          if model then model[key] = number * 1e6 + key end
        end
      end
      state:sweep(100)
    end
  end

  local function assert_restored(rows, model, share)
    local other = assert(open():restore(rows))
    for b = 1, batches do
      other:resolve(keyed.keys_from((b - 1) * batch_keys, batch_keys))
      for i = 1, batch_keys do
        local key = (b - 1) * batch_keys + i - 1
        if random() < share then assert.are.equal(model[key] or 0, other:at(i).count:value()) end
      end
    end
  end

  it("S33: writes what was there at the barrier, however soon all of it is written again", function()
    print("walker_spec: SEED=" .. keyed.seed)
    math.randomseed(keyed.seed)
    local model, rows = {}, {}
    for round = 1, 12 do
      write(2 * round, random() < 0.3 and 1 or 0.5, model)
      state:freeze(state:epoch())
      local epoch = state:epoch() - 1
      write(2 * round + 1, 1) -- is meant to meet the walk
      assert.is_true(state:sweep())
      rows[#rows + 1] = state:rows_of(epoch)
      assert_restored(rows, model, round == 12 and 1 or 0.05)
      for b = 1, batches do -- back to what the model knows
        state:resolve(keyed.keys_from((b - 1) * batch_keys, batch_keys))
        for i = 1, batch_keys do
          local value = model[(b - 1) * batch_keys + i - 1]
          state:at(i)
          if value then state.count:update(value) else state.count:clear() end
        end
      end
      rows[#rows + 1] = state:cut()
    end
  end)

  -- Not only the last row of a key, which a restore believes: the walker must not have seen what came later.
  it("S33: writes no row of what was stored behind the barrier", function()
    math.randomseed(keyed.seed)
    local first, seen = 100000, 0
    local function number_of(bytes)
      local a, b, c, d = bytes:byte(-4, -1)
      return ((a * 256 + b) * 256 + c) * 256 + d
    end
    for round = 1, 20 do
      for b = 0, batches - 1 do
        state:resolve(keyed.keys_from(first + b * batch_keys, batch_keys))
        for i = 1, batch_keys do state:at(i).count:update(round * 2e6 + first + b * batch_keys + i - 1) end
      end
      local epoch = state:epoch()
      state:freeze(epoch)
      for _ = 1, 60 do
        local few = {}
        for i = 1, 100 do few[i] = first + random(0, batches * batch_keys - 1) end
        state:resolve(few)
        for i = 1, #few do state:at(i).count:update(round * 2e6 + 1e6 + few[i]) end
      end
      assert.is_true(state:sweep())
      for _, row in ipairs(keyed.parse(state:rows_of(epoch))) do
        local key, value = number_of(row.key), number_of(row.value)
        if value ~= round * 2e6 + key then error(("round %d: key %d has a row of %d"):format(round, key, value)) end
        seen = seen + 1
      end
    end
    assert.is_true(seen >= 20 * batches * batch_keys)
  end)

  it("is followed by a tombstone where a key that it wrote is cleared", function()
    write(1, 1)
    local rows = { state:cut() }
    state:resolve(keyed.keys_from(0, batch_keys))
    for i = 1, batch_keys do state:at(i).count:clear() end
    assert.is_true(C.keyed_state_swept(state.handle)) -- stamps that the walker left are no reason to hand anything over
    rows[2] = state:cut()
    assert.are.equal(batch_keys, #keyed.parse(rows[2]))
    local other = assert(open():restore(rows))
    assert.are.equal((batches - 1) * batch_keys, tonumber(other:keys()))
    assert.are.equal(0, other:key(5).count:value())
    assert.are.equal(1e6 + batch_keys, other:key(batch_keys).count:value())
  end)

  it("leaves to the worker what is no number, or has a long key", function()
    local model = {}
    for round = 1, 4 do
      for b = 1, batches do
        state:resolve(keyed.keys_from((b - 1) * batch_keys, batch_keys))
        for i = 1, batch_keys do
          local key = (b - 1) * batch_keys + i - 1
          model[key] = key % 7 == round and "text " .. key .. " of " .. round or key % 11 == round and {} or round * 1e6 + key
          if type(model[key]) == "table" then
            state:at(i).count:clear()
            model[key] = nil
          else
            state:at(i).count:update(model[key])
          end
        end
      end
      state:key("a key that is too long to lie in its entry").count:update(round)
      local list = { state:cut() }
      assert_restored(list, model, 1)
      assert.are.equal(round, opened[#opened]:key("a key that is too long to lie in its entry").count:value())
    end
  end)

  it("ends with its state, wherever it is", function()
    for _ = 1, 20 do
      write(1, 0.5)
      state:freeze(state:epoch())
      if random(2) == 1 then state:sweep(1) end
      state:free()
      opened[#opened] = nil
      state = open()
    end
  end)

  it("meets rows that leave for the store and come back", function()
    local root = temporary.folder()
    local small = keyed.backend(1.5 * 2 ^ 20, root .. "/rows", 1)
    local made = keyed.new { states = states, backend = small }
    local model, rows, at_barrier = {}, {}, {}
    math.randomseed(keyed.seed)
    for step = 1, 400 do
      local first = random(0, 40) * batch_keys
      made:resolve(keyed.keys_from(first, batch_keys))
      for i = 1, batch_keys do
        local key = first + i - 1
        assert.are.equal(model[key] or 0, made:at(i).count:value())
        model[key] = step * 1e6 + key
        made.count:update(model[key])
      end
      if random(6) == 1 then
        at_barrier = {}
        for key, value in pairs(model) do at_barrier[key] = value end
        made:freeze(made:epoch())
      end
      made:sweep(random(0, 500))
    end
    made:sweep()
    local last = made:epoch() - 1
    for epoch = 1, last do rows[epoch] = made:rows_of(epoch) end
    local other = assert(open():restore(rows))
    for first = 0, 40 * batch_keys, batch_keys do
      other:resolve(keyed.keys_from(first, batch_keys))
      for i = 1, batch_keys do assert.are.equal(at_barrier[first + i - 1] or 0, other:at(i).count:value()) end
    end
    made:free()
    C.backend_free(small)
    temporary.remove(root)
  end)
end)
