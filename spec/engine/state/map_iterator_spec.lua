-- The memory of iterations over maps.
local ffi = require "ffi"
local keyed = require "engine.state.keyed"

describe("an iteration over a map", function()
  local backend, state

  before_each(function()
    backend = keyed.backend(64 * 2 ^ 20)
    state = keyed.new { states = { { "seen", "map" } }, backend = backend }
  end)

  after_each(function()
    state:free()
    keyed.C.backend_free(backend)
  end)

  -- Several at once: the memory of one cannot grow where it lies.
  it("S52: hands out long keys, also as its memory grows and moves", function()
    state:key("a")
    local expected, shown, iterators = {}, {}, {}
    for i = 1, 100 do
      expected[i] = ("%03d"):format(i):rep(50)
      state.seen:put(expected[i], i)
    end
    for i = 1, 3 do iterators[i], shown[i] = state.seen:keys(), {} end
    for _ = 1, 100 do
      for i, iterator in ipairs(iterators) do table.insert(shown[i], iterator()) end
    end
    for i = 1, 3 do assert.are.same(expected, shown[i]) end
  end)

  it("holds nothing of a large map but the way to the next entry", function()
    local C = keyed.C
    state:key("a")
    for i = 1, 10000 do state.seen:put(i, "a text of its own " .. i) end
    for _ = 1, 2 do
      for _ in state.seen:keys() do break end -- the second one puts them in order
    end
    local iterator = C.map_iterator_new()
    local cells, bytes = ffi.new("struct cell[2]"), ffi.new("const char *[1]")
    keyed.check(C.map_state_iterate(state.handle, state.entries[0], 0, 0, iterator))
    for i = 1, 100 do
      assert.equal(1, C.map_iterator_next(iterator, 0, cells, cells + 1, bytes))
      assert.equal(i, cells[0].number)
      state.seen:remove(i)
      state.seen:put(i + 20000, "later")
    end
    assert.is_true(tonumber(C.map_iterator_bytes(iterator)) < 16384, tonumber(C.map_iterator_bytes(iterator)))
    C.map_iterator_free(iterator)
  end)

  it("S52: shows the keys in order, whichever order they came in", function()
    local orders = {
      rising = function(i, count) return i end,
      falling = function(i, count) return count + 1 - i end,
      shuffled = function(i, count) return i * 7 % (count + 1) end,
      ["rising but for the last"] = function(i, count) return i == count and 1 or i + 1 end,
      ["falling but for the first"] = function(i, count) return i == 1 and 1 or count + 2 - i end,
    }
    for name, key in pairs(orders) do
      for _, count in ipairs { 0, 1, 2, 3, 10, 100 } do
        state:key(name .. count)
        local shown, expected = {}, {}
        for i = 1, count do state.seen:put(key(i, count), i) end
        for i = 1, count do expected[i] = i end
        for shown_key in state.seen:keys() do shown[#shown + 1] = shown_key end
        assert.are.same(expected, shown, name)
      end
    end
  end)
end)
