local ffi = require "ffi"
local keyed = require "engine.state.keyed"
local timed = require "engine.time.timed"
local temporary = require "support.temporary"
local C = keyed.C

jit.off(true, true)

describe("timers over a store", function()
  local root, backend, timers
  local count, memory = 40000, 2 * 2 ^ 20

  before_each(function()
    root = temporary.folder()
    backend = keyed.backend(memory, root .. "/rows")
    timers = timed.new { backend = backend }
  end)

  after_each(function()
    timers:free()
    C.backend_free(backend)
    temporary.remove(root)
  end)

  local function evict() timers.state:resolve {} end

  -- Each at a time of its own, in no order.
  local function time_of(i) return (i * 7919) % count * 3 end

  local function fill()
    local highest = 0
    for i = 1, count do
      timers:register(time_of(i), i)
      if i % 500 == 0 then
        evict()
        highest = math.max(highest, timers.state:bytes())
      end
    end
    return highest
  end

  local function all_fire(some, expected)
    local last, fired = -1, 0
    some:advance(timed.max, function(time, key)
      assert(time == time_of(key) and time > last)
      last, fired = time, fired + 1
      if fired % 500 == 0 then some.state:resolve {} end
    end)
    assert.are.equal(expected, fired)
    assert.are.equal(0, C.keyed_state_failure(some.state.handle))
  end

  it("leave memory from the latest on, and come back in order", function()
    local highest = fill()
    assert.is_true(highest < memory, highest)
    assert.is_true(C.keyed_state_stored(timers.state.handle))
    assert.are.equal(count, timers:count())
    all_fire(timers, count)
    assert.are.equal(0, timers:count())
  end)

  it("are registered again and deleted where they are only in the store", function()
    fill()
    local kept = 0
    for i = 1, count do
      if i % 2 == 0 then timers:delete(time_of(i), i) else timers:register(time_of(i), i) end
      kept = kept + i % 2
    end
    assert.are.equal(kept, timers:count())
    all_fire(timers, kept)
  end)

  it("S2: fire where all that are in memory before them were deleted", function()
    local long = ("k"):rep(1000) -- its bucket's log is cleaned only when it is due
    timers:register(1, long)
    fill()
    timers:delete(1, long)
    for i = 1, count do
      if time_of(i) < 3 * count * 0.9 then timers:delete(time_of(i), i) end
    end
    all_fire(timers, count * 0.1)
  end)

  it("of one time come back whole, however many they are", function()
    for i = 1, 20000 do timers:register(5, i) end
    fill()
    for i = 1, 20000 do timers:register(10 ^ 6, i) end
    evict()
    local late = 0
    timers:advance(timed.max, function(time) late = late + (time == 10 ^ 6 and 1 or 0) end)
    assert.are.equal(20000, late)
    assert.are.equal(0, timers:count())
  end)

  local function make_base()
    timers.state:cut()
    timers.state:base_begin(true)
    while not timers.state:base_step(5000) do evict() end
    keyed.check(C.store_checkpoint(C.backend_store_opened(backend), root .. "/base"))
  end

  -- What a worker with these key groups restores from the base: over a store of its files, or into memory.
  local function with_restored(spills, groups, test)
    if spills then keyed.check(C.store_clone(root .. "/base", root .. "/clone")) end
    local config = ffi.new("struct backend_config", { memory_bytes = memory })
    config[spills and "directory" or "base"] = root .. (spills and "/clone" or "/base")
    local other = C.backend_new(config)
    if spills then keyed.check(C.backend_store(other, ffi.new("struct store *[1]"))) end
    local again = timed.new { backend = other, groups = groups }
    again.names = timers.names
    C.keyed_state_restore_begin(again.state.handle, true)
    keyed.check(C.keyed_state_restore_base(again.state.handle))
    keyed.check(C.keyed_state_restore_done(again.state.handle))
    test(again)
    again:free()
    C.backend_free(other)
  end

  it("are in a base of the store's files, which a backend without a store takes too", function()
    fill()
    make_base()
    for _, spills in ipairs { true, false } do
      with_restored(spills, nil, function(again)
        assert.are.equal(count, again:count())
        all_fire(again, count)
      end)
    end
  end)

  it("S43: are none in a worker that the step has no subtask in", function()
    fill()
    make_base()
    for _, spills in ipairs { true, false } do
      with_restored(spills, { 1, 0 }, function(again)
        assert.is_nil(again:next())
        assert.are.equal(0, again:count())
      end)
    end
  end)
end)
