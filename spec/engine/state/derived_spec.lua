-- Values that their owner makes anew from others: in the cache, and nowhere else.
local keyed = require "engine.state.keyed"

describe("a derived value", function()
  local backend, opened

  local function open()
    local made = keyed.new { states = { { "count", "value" }, { "sum", "derived" } }, backend = backend }
    opened[#opened + 1] = made
    return made
  end

  before_each(function()
    opened, backend = {}, keyed.backend(64 * 2 ^ 20)
  end)

  after_each(function()
    for _, made in ipairs(opened) do made:free() end
    keyed.C.backend_free(backend)
  end)

  it("is read as it was written, and is not in what a restore reads", function()
    local state = open()
    for key = 1, 50 do
      state:key(key).count:update(key)
      state.sum:update(("s"):rep(key))
    end
    local again = open():restore { state:cut() }
    for key = 1, 50 do
      assert.are.equal(("s"):rep(key), state:key(key).sum:value())
      assert.are.equal(key, again:key(key).count:value())
      assert.is_nil(again.sum:value())
    end
  end)

  it("is no row: not counted, and gone with the key that has nothing else", function()
    local state = open()
    for _ = 1, 2 do -- lists of what is dirty have their room by then
      state:key("b").count:update(1)
      state.count:clear()
      state:cut()
    end
    local empty = state:bytes()
    state:key("a").sum:update(("s"):rep(100))
    assert.are.equal(0, state:rows())
    state:key("b").count:update(1)
    state.sum:update(2)
    assert.are.equal(1, state:rows())
    state.count:clear()
    state:cut()
    assert.are.equal(0, state:rows())
    assert.are.equal(0, state:keys())
    assert.are.equal(empty, state:bytes())
  end)
end)
