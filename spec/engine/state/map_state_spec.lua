local keyed = require "engine.state.keyed"

local states = { { "seen", "map" } }

local pairs_of = keyed.pairs_of

local function resident_kb()
  local file = assert(io.open "/proc/self/status")
  local text = file:read "*a"
  file:close()
  return tonumber(text:match "VmRSS:%s*(%d+)")
end

describe("map state", function()
  local set = keyed.set(states)
  local open, restored, state = set.open, set.restored, nil

  before_each(function() state = set.begin() end)
  after_each(set.finish)

  it("S52: iterates in the order of the canonical bytes of the keys", function()
    state:key("a")
    -- fixint, nil-like heads, str (shorter first), uint8, uint16, int8, double: by their first byte
    local order = { 0, 1, 127, "", "b", "aa", "zz", 1.5, 128, 255, 256, 65536, -128, -200, -1 }
    for i = #order, 1, -1 do state.seen:put(order[i], i) end
    local seen = {}
    for key in state.seen:keys() do seen[#seen + 1] = key end
    assert.are.same({ 0, 1, 127, "", "b", "aa", "zz", 1.5, 128, 255, 256, 65536, -128, -200, -1 }, seen)
  end)

  it("S52: an iteration shows the entries as they were at its start, whatever happens meanwhile", function()
    state:key("a")
    for i = 1, 50 do state.seen:put(i, "old" .. i) end
    local shown = {}
    for key, value in state.seen:entries() do
      shown[#shown + 1] = { key, value }
      if key == 1 then
        state.seen:put(2, "changed")
        state.seen:remove(3)
        state.seen:put(25.5, "new")
      elseif key == 10 then
        state.seen:clear()
      elseif key == 20 then
        state.seen:put(21, "after the clear")
      end
    end
    assert.are.equal(50, #shown)
    for i, pair in ipairs(shown) do assert.are.same({ i, "old" .. i }, pair) end
    assert.are.same({ { 21, "after the clear" } }, pairs_of(state.seen:entries()))
    assert.are.equal(1, state:rows())
  end)

  it("holds no more than a while what iterations have copied that are left before their end", function()
    state:key("a")
    for i = 1, 5000 do state.seen:put(i, i) end
    local before = resident_kb()
    for _ = 1, 6000 do state.seen:keys()() end
    local more_mb = (resident_kb() - before) / 1024
    assert.is_true(more_mb < 500, ("%d MB"):format(more_mb)) -- all copies together are 1200 MB; a sanitizer keeps 256 of them
  end)

  it("S51: an iteration of an empty map ends at once; remove and clear leave no row", function()
    state:key("a")
    assert.are.same({}, pairs_of(state.seen:entries()))
    assert.is_true(state.seen:is_empty())
    state.seen:remove("x")
    state.seen:put("x", 1)
    state.seen:put("y", 1)
    assert.is_false(state.seen:is_empty())
    state.seen:remove("x")
    state.seen:clear()
    assert.is_true(state.seen:is_empty())
    assert.are.equal(0, state:rows())
    assert.are.equal("", state:cut())
    assert.are.equal(0, state:keys())
  end)

  it("S51: nil is refused as a value and as a key", function()
    state:key("a")
    assert.has_error(function() state.seen:put("k", nil) end)
    assert.has_error(function() state.seen:put(nil, 1) end)
    assert.is_true(state.seen:is_empty())
  end)

  it("keeps maps of different keys and of different states apart", function()
    local two = open { states = { { "one", "map" }, { "two", "map" } } }
    two:key("a").one:put("k", 1)
    two:key("a").two:put("k", 2)
    two:key("b").one:put("k", 3)
    assert.are.equal(1, two:key("a").one:get("k"))
    assert.are.equal(2, two.two:get("k"))
    assert.are.equal(3, two:key("b").one:get("k"))
    two.one:clear()
    assert.are.equal(1, two:key("a").one:get("k"))
  end)

  it("puts an entry again where a restored removal stands, and shows it", function()
    state:key("a").seen:put("x", 1)
    state.seen:put("y", 2)
    local first = state:cut()
    state:key("a").seen:remove("x")
    local again = restored(first, state:cut())
    again:key("a").seen:put("x", 3)
    assert.are.same({ { "x", 3 }, { "y", 2 } }, pairs_of(again.seen:entries()))
  end)

  it("walks no more entries than a map has, however many it had since the last checkpoint", function()
    state:key("a").seen:put("stays", 0)
    for i = 1, 1000 do
      state.seen:put(i, i)
      state.seen:remove(i)
    end
    assert.are.equal(1, state:chained(1))
    state.seen:clear()
    assert.are.equal(0, state:chained(1))
    state.seen:put(500, "again")
    assert.are.equal(1, state:chained(1))
    assert.are.same({ { 500, "again" } }, pairs_of(state.seen:entries()))
    assert.are.same({ { 500, "again" } }, pairs_of(restored(state:cut()):key("a").seen:entries()))
  end)

  it("has in its chain what undo leaves in the map", function()
    state = open { undo = true }
    state:key("a")
    for i = 1, 5 do state.seen:put(i, i) end
    state:commit()
    state.seen:clear()
    for i = 1, 100 do state.seen:put(("gone %d"):format(i), i) end
    state.seen:remove "gone 1"
    assert.are.equal(99, state:chained(1))
    state:undo()
    assert.are.equal(5, state:chained(1))
  end)
end)
