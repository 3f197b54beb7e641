-- The memory of iterations over maps.
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
end)
