-- Entries that nobody needs, where memory is no matter: of keys that are only read, and of what comes and goes between two barriers.
local keyed = require "engine.state.keyed"

local states = { { "small", "value" }, { "seen", "map" }, { "log", "list" } }

describe("keyed state", function()
  local set, state = keyed.set(states), nil

  before_each(function() state = set.begin() end)
  after_each(set.finish)

  local function write(first, last)
    state:resolve(keyed.keys_from(first, last - first + 1))
    for i = 1, last - first + 1 do
      state:at(i).small:update(first + i - 1)
      state.seen:put("at", i)
      state.log:add(("x"):rep(300)) -- too long to lie in the row of its key
    end
  end

  local function clear(first, last)
    state:resolve(keyed.keys_from(first, last - first + 1))
    for i = 1, last - first + 1 do
      state:at(i).small:clear()
      state.seen:remove("at")
      state.log:clear()
    end
  end

  local function come_and_go(first, last)
    for from = first, last, 500 do
      write(from, from + 499)
      clear(from, from + 499)
    end
  end

  it("does not keep keys that are only read, and keeps what was written", function()
    state:resolve(keyed.keys_from(1, 1000))
    for i = 1, 1000 do state:at(i).small:update(i) end
    for first = 100001, 300000, 1000 do
      state:resolve(keyed.keys_from(first, 1000))
      for i = 1, 1000 do assert.is_nil(state:at(i).small:value()) end
    end
    assert.is_true(state:keys() < 20000, state:keys())
    state:resolve(keyed.keys_from(1, 1000))
    for i = 1, 1000 do assert.are.equal(i, state:at(i).small:value()) end
  end)

  it("does not grow by what comes and goes in an epoch without end", function()
    write(1, 500)
    come_and_go(1001, 11000)
    local bytes = state:bytes()
    come_and_go(11001, 211000)
    assert.is_true(state:bytes() < 1.5 * bytes, ("%d bytes, before %d"):format(state:bytes(), bytes))
    assert.are.equal(500 * 3, state:rows())
    local rows = keyed.parse(state:cut())
    assert.are.equal(500 * 3, #rows)
    for _, row in ipairs(rows) do assert.is_not_nil(row.value) end
  end)

  it("tells the next checkpoint what was there at the last one and is gone", function()
    write(1, 500)
    local first = state:cut()
    clear(1, 500)
    come_and_go(1001, 51000)
    local second = state:cut()
    local removed = 0
    for _, row in ipairs(keyed.parse(second)) do removed = removed + (row.value == nil and 1 or 0) end
    assert.are.equal(500 * 3, removed)
    assert.are.equal(0, set.restored(first, second):rows())
  end)

  it("tells the checkpoint after a base what was in the base and is gone", function()
    write(1, 500)
    state:base_begin(false)
    while not state:base_step(100) do
      clear(1, 500)
      come_and_go(1001, 6000)
    end
    local delta = state:cut()
    assert.are.equal(0, set.restored(state:dumped(), delta):rows())
  end)

  it("is what was written last, whatever came and went in between and in which epoch", function()
    print("needless_spec: SEED=" .. keyed.seed)
    math.randomseed(keyed.seed)
    local random, model, cuts = math.random, {}, {}
    for round = 1, 400 do
      local first = random(1, 4000)
      state:resolve(keyed.keys_from(first, 500))
      for i = 1, 500 do
        local key = first + i - 1
        local value = random() < 0.4 and random(1000) or nil
        model[key] = value
        if value then state:at(i).small:update(value) else state:at(i).small:clear() end
      end
      if round % 100 == 0 then cuts[#cuts + 1] = state:cut() end
    end
    local other = set.restored(unpack(cuts))
    for first = 1, 4001, 500 do
      state:resolve(keyed.keys_from(first, 500))
      other:resolve(keyed.keys_from(first, 500))
      for i = 1, 500 do
        assert.are.equal(model[first + i - 1], state:at(i).small:value())
        assert.are.equal(model[first + i - 1], other:at(i).small:value())
      end
    end
  end)
end)
