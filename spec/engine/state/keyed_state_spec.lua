local null = require "moontide.null"
local keyed = require "engine.state.keyed"

local states = { { "small", "value", default = 7 }, { "name", "value" }, { "seen", "map" }, { "log", "list" } }

local pairs_of = keyed.pairs_of

describe("keyed state", function()
  local set = keyed.set(states)
  local open, restored, state = set.open, set.restored, nil

  before_each(function() state = set.begin() end)
  after_each(set.finish)

  describe("values", function()
    it("S50: unset is the default or nil; what is set is not; update(nil) and clear make it the default again", function()
      state:key("a")
      assert.are.equal(7, state.small:value())
      assert.is_nil(state.name:value())
      state.small:update(8)
      assert.are.equal(8, state.small:value())
      state.small:update(nil)
      assert.are.equal(7, state.small:value())
      state.small:update(9)
      state.small:clear()
      assert.are.equal(7, state.small:value())
      assert.are.equal(0, state:rows())
    end)

    it("S50: the default is not stored, so that it may change at a restore", function()
      state:key("a").small:value()
      assert.are.equal("", state:cut())
      local other = open { states = { { "small", "value", default = 70 }, states[2], states[3], states[4] } }
      assert.are.equal(70, other:key("a").small:value())
    end)

    it("S51: mt.null is a value in value, list and map state", function()
      state:key("a")
      state.small:update(null)
      state.seen:put("k", null)
      state.log:add(null)
      local again = restored(state:cut())
      again:key("a")
      assert.are.equal(null, again.small:value())
      assert.are.equal(null, again.seen:get("k"))
      assert.is_true(again.seen:contains("k"))
      assert.is_nil(again.seen:get("other"))
      assert.are.same({ null }, again.log:get())
      assert.are.equal(3, again:rows())
    end)

    it("keeps every kind of value through a delta", function()
      local all = { 0, -1, 1.5, 2 ^ 53, -2 ^ 63, 1e300, 1 / 0, 9007199254740993LL, -9007199254740993LL, 0xffffffffffffffffULL, "", "x", ("long "):rep(2000),
        true, false, { a = 1, b = "two", c = { 3 } }, { 1, 2, { x = {} } }, {}, "\0\255" }
      for i, value in ipairs(all) do state:key(i).name:update(value) end
      local again = restored(state:cut())
      for i, value in ipairs(all) do assert.are.same(value, again:key(i).name:value()) end
    end)
  end)

  describe("keys", function()
    it("L4: identity is the canonical bytes: 1.0 is 1, -0 is 0, the number is not the string", function()
      state:key(1).small:update(10)
      state:key(0).small:update(20)
      state:key("1").small:update(30)
      assert.are.equal(10, state:key(1.0).small:value())
      assert.are.equal(10, state:key(1LL).small:value())
      assert.are.equal(20, state:key(-0.0).small:value())
      assert.are.equal(30, state:key("1").small:value())
      assert.are.equal(3, state:keys())
    end)

    it("L4: NaN and maps are refused as keys of a map", function()
      state:key("a")
      assert.has_error(function() state.seen:put(0 / 0, 1) end)
      assert.has_error(function() state.seen:put({ x = 1 }, 1) end)
      assert.are.equal(0, state:rows())
    end)

    it("tells long keys apart that differ in their last byte, and one that begins another", function()
      local long = ("k"):rep(40)
      for i, key in ipairs { long .. "a", long .. "b", long, ("k"):rep(15), ("k"):rep(16), ("k"):rep(17) } do state:key(key).small:update(i) end
      for i, key in ipairs { long .. "a", long .. "b", long, ("k"):rep(15), ("k"):rep(16), ("k"):rep(17) } do
        assert.are.equal(i, state:key(key).small:value())
      end
    end)

    it("finds the same entry for one key many times in a batch", function()
      state:resolve { "a", "b", "a", "a" }
      state:at(1).small:update(1)
      assert.are.equal(1, state:at(4).small:value())
      assert.are.equal(2, state:keys())
    end)

    it("gives back what an epoch of many keys took, when the next ones have few", function()
      for first = 1, 300000, 1000 do
        local keys = {}
        for i = 1, 1000 do keys[i] = first + i end
        state:resolve(keys)
        for i = 1, 1000 do state:at(i).small:update(i) end
      end
      local before = state:bytes()
      for _ = 1, 3 do
        state:cut()
        state:key(5).small:update(5)
      end
      assert.is_true(state:bytes() < before - 300000 * 8, ("%d, %d before"):format(state:bytes(), before))
    end)

    it("S43: refuses a key of another subtask, and has not made any of its batch", function()
      local part = open { groups = { 0, 3 } }
      local own, strange
      for i = 1, 1000 do
        if part:group_of(i) <= 3 then own = own or i else strange = strange or i end
      end
      local ok, message = pcall(part.resolve, part, { own, strange })
      assert.is_false(ok)
      assert.truthy(message:find("key group", 1, true))
      assert.are.equal(0, part:keys())
    end)
  end)

  describe("lists", function()
    it("S51: elements in their order; update replaces; update({}) clears; add_all({}) changes nothing; no row when empty", function()
      state:key("a")
      assert.are.same({}, state.log:get())
      state.log:add("x")
      state.log:add_all { 1, { y = 2 } }
      state.log:add_all {}
      assert.are.same({ "x", 1, { y = 2 } }, state.log:get())
      assert.are.equal(3, state:rows())
      state.log:update { 5 }
      assert.are.same({ 5 }, state.log:get())
      state.log:update {}
      assert.are.same({}, state.log:get())
      assert.are.equal(0, state:rows())
      state:cut()
      assert.are.equal(0, state:keys())
    end)

    it("S51: nil as an element, or instead of a list, is an error and changes nothing", function()
      state:key("a").log:add(1)
      assert.has_error(function() state.log:add(nil) end)
      assert.has_error(function() state.log:add_all(nil) end)
      assert.has_error(function() state.log:update(nil) end)
      assert.has_error(function() state.log:update { 1, [3] = 3 } end)
      assert.are.same({ 1 }, state.log:get())
    end)

    it("keeps long lists in chunks: a delta holds the last chunk, not the list", function()
      state:key("a")
      local expected = {}
      for i = 1, 5000 do
        state.log:add("element " .. i)
        expected[i] = "element " .. i
      end
      local whole = state:cut()
      state:key("a").log:add("last")
      expected[5001] = "last"
      local tail = state:cut()
      assert.is_true(#whole > 50000 and #tail < 3000, #tail)
      assert.are.same(expected, restored(whole, tail):key("a").log:get())
    end)

    it("keeps a short list in the row of its key, and one that has grown in chunks", function()
      local function cut_after(change, rows)
        change(state:key("a").log)
        local cut = state:cut()
        assert.are.equal(rows, #keyed.parse(cut))
        return cut
      end
      local x = ("x"):rep(250)
      local short = cut_after(function(log) log:add_all { "one", "two" } end, 1)
      local long = cut_after(function(log) log:add(x) end, 2)
      local short_again = cut_after(function(log) log:update { "three" } end, 2) -- the chunk is gone
      local longer = cut_after(function(log) log:add_all { x, 4 } end, 2)
      for _, case in ipairs {
        { { short }, { "one", "two" } }, { { short, long }, { "one", "two", x } }, { { short, long, short_again }, { "three" } },
        { { short, long, short_again, longer }, { "three", x, 4 } },
      } do
        local again = restored(unpack(case[1]))
        assert.are.same(case[2], again:key("a").log:get())
        assert.are.equal(#case[2], again:rows())
      end
    end)

    it("leaves a list as it was whose key is too long for chunks", function()
      state:key(("k"):rep(59995)).log:add("short")
      local rows = state:rows()
      for _ = 1, 2 do assert.has_error(function() state.log:add(("x"):rep(300)) end) end
      assert.are.same({ "short" }, state.log:get())
      assert.are.equal(rows, state:rows())
    end)

    it("takes elements larger than a chunk", function()
      local expected = { ("a"):rep(5000), 1, ("b"):rep(100000), ("c"):rep(1000), 2 }
      state:key("a").log:add_all(expected)
      assert.are.same(expected, restored(state:cut()):key("a").log:get())
    end)
  end)

  describe("undo", function()
    before_each(function() state = open { undo = true } end)

    it("restores a value over any other kind, and absence", function()
      state:key("a").small:update(1)
      state.name:update(("text"):rep(20))
      state:commit()
      state.small:update({ x = 1 })
      state.small:update("twice")
      state.name:update(("TEXT"):rep(20))
      state.name:clear()
      state:undo()
      assert.are.equal(1, state.small:value())
      assert.are.equal(("text"):rep(20), state.name:value())
      state:key("b").small:update(5)
      state:undo()
      assert.are.equal(7, state.small:value())
      assert.are.equal(2, state:rows())
    end)

    it("takes back puts, removes and clears of maps", function()
      state:key("a")
      for i = 1, 5 do state.seen:put(i, i) end
      state:commit()
      state.seen:put(1, "over")
      state.seen:remove(2)
      state.seen:put(6, 6)
      state.seen:clear()
      state.seen:put(7, 7)
      state.seen:put(3, "again")
      state:undo()
      assert.are.same({ { 1, 1 }, { 2, 2 }, { 3, 3 }, { 4, 4 }, { 5, 5 } }, pairs_of(state.seen:entries()))
      assert.are.equal(5, state:rows())
      state.seen:remove(6)
      state.seen:put(6, "later")
      state:commit()
      assert.are.equal(6, #pairs_of(state.seen:entries()))
    end)

    it("takes back the first put of a map", function()
      state:key("a").seen:put("k", 1)
      state:undo()
      assert.is_true(state.seen:is_empty())
      assert.are.equal("", state:cut())
      assert.are.equal(0, state:keys())
    end)

    it("takes back elements added to a list, within a chunk, into new ones, and after a clear", function()
      state:key("a").log:add_all { 1, 2 }
      state:commit()
      for i = 1, 1000 do state.log:add(i) end
      state:undo()
      assert.are.same({ 1, 2 }, state.log:get())
      state.log:clear()
      state.log:add("other")
      state:undo()
      assert.are.same({ 1, 2 }, state.log:get())
      assert.are.equal(2, state:rows())
    end)

    it("undoes nothing that was committed, and counts memory right", function()
      for _ = 1, 2 do -- both lists of dirty entries have their size then
        state:key("a").name:update("x")
        state.name:clear()
        state:commit()
        state:cut()
      end
      local empty = state:bytes()
      state:key("a").name:update(("x"):rep(100))
      state:commit()
      state:undo()
      assert.are.equal(("x"):rep(100), state.name:value())
      for i = 1, 100 do
        state.name:update(("y"):rep(i * 10))
        if i % 3 == 0 then state:undo() else state:commit() end
      end
      state.name:clear()
      state:commit()
      state:cut()
      assert.are.equal(empty, state:bytes())
    end)

    it("leaves the old values in the frozen delta when the write that handed them over is undone", function()
      state:key("a").small:update(1)
      state:commit()
      state:freeze(1)
      state:key("a").small:update(2)
      state:undo()
      assert.is_true(state:sweep())
      local first = state:rows_of(1)
      assert.are.equal(1, restored(first):key("a").small:value())
      assert.are.equal(1, restored(first, state:cut()):key("a").small:value())
    end)
  end)

  describe("hand-over", function()
    it("puts the old value into the frozen delta when an entry is written before its sweep", function()
      state:key("a").small:update(1)
      state.name:update("old text")
      state.seen:put("k", "old entry")
      state.log:add("old element")
      state:freeze(1)
      state:key("a").small:update(2)
      state.name:update("new text")
      state.seen:put("k", "new entry")
      state.seen:put("l", 1)
      state.log:add("new element")
      assert.is_true(state:sweep())
      local first = state:rows_of(1)
      local old = restored(first):key("a")
      assert.are.equal(1, old.small:value())
      assert.are.equal("old text", old.name:value())
      assert.are.same({ { "k", "old entry" } }, pairs_of(old.seen:entries()))
      assert.are.same({ "old element" }, old.log:get())
      local new = restored(first, state:cut()):key("a")
      assert.are.equal(2, new.small:value())
      assert.are.equal("new text", new.name:value())
      assert.are.same({ { "k", "new entry" }, { "l", 1 } }, pairs_of(new.seen:entries()))
      assert.are.same({ "old element", "new element" }, new.log:get())
    end)

    it("hands over an entry that is removed, and writes its tombstone in the next delta", function()
      state:key("a").small:update(1)
      state:freeze(1)
      state:key("a").small:clear()
      state:sweep()
      local second = keyed.parse(state:cut())
      assert.are.equal(1, keyed.parse(state:rows_of(1))[1].column)
      assert.are.equal(1, #second)
      assert.is_nil(second[1].value)
      assert.are.equal(0, state:keys())
    end)

    it("finishes the earlier sweep first when the next barrier comes", function()
      for i = 1, 100 do state:key(i).small:update(i) end
      state:freeze(1)
      assert.is_false(state:sweep(10))
      state:key(50).small:update("second")
      state:freeze(2)
      assert.are.equal(100, #keyed.parse(state:rows_of(1)))
      assert.is_true(state:sweep())
      assert.are.equal(1, #keyed.parse(state:rows_of(2)))
    end)
  end)

  describe("deltas", function()
    it("hold what is born and dies between two barriers not at all", function()
      state:key("a").small:update(1)
      state.seen:put("k", 1)
      state.log:add(1)
      state.small:clear()
      state.seen:remove("k")
      state.log:clear()
      assert.are.equal("", state:cut())
      assert.are.equal(0, state:keys())
    end)

    it("hold one row of an entry that was written many times", function()
      for i = 1, 100 do state:key("a").small:update(i) end
      assert.are.equal(1, #keyed.parse(state:cut()))
      assert.are.equal("", state:cut())
    end)

    it("hold a tombstone when what an earlier delta holds is removed, also if it came and went once more", function()
      state:key("a").small:update(1)
      local first = state:cut()
      state:key("a").small:clear()
      state.small:update(2)
      state.small:clear()
      local second = state:cut()
      assert.are.equal(0, state:keys())
      state:key("a").small:update(3)
      state.small:clear()
      assert.are.equal("", state:cut())
      assert.are.equal(0, restored(first, second):rows())
    end)
  end)

  it("gives all memory back when all is cleared", function()
    state:key(1)
    local function fill()
      for i = 1, 3000 do
        state:key(i).small:update(i)
        state.name:update(("n"):rep(i % 200))
        for k = 1, i % 7 do state.seen:put(("key of a map %d"):format(k), { k = k }) end
        for k = 1, i % 5 do state.log:add(("element %d"):format(k)) end
      end
    end
    local function clear()
      for i = 1, 3000 do
        state:key(i).small:clear()
        state.name:clear()
        state.seen:clear()
        state.log:clear()
      end
    end
    for _ = 1, 2 do
      fill()
      clear()
      state:cut()
    end
    local empty = state:bytes() -- the indexes and both lists of dirty entries have their size now
    assert.are.equal(0, state:rows())
    assert.are.equal(0, state:keys())
    fill()
    assert.is_true(state:rows() > 15000)
    state:cut()
    clear()
    state:cut()
    assert.are.equal(0, state:rows())
    assert.are.equal(0, state:keys())
    assert.are.equal(empty, state:bytes())
  end)
end)
