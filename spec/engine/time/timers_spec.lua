local keyed = require "engine.state.keyed"
local timed = require "engine.time.timed"
local C = keyed.C

describe("timers", function()
  local backend, open, timers

  local function new(options)
    options = options or {}
    options.backend = backend
    open[#open + 1] = timed.new(options)
    return open[#open]
  end

  before_each(function()
    backend, open = keyed.backend(64 * 2 ^ 20), {}
    timers = new()
  end)

  after_each(function()
    for _, each in ipairs(open) do each:free() end
    C.backend_free(backend)
  end)

  describe("fire", function()
    it("S1: in ascending time over all key groups", function()
      local times = {}
      for i = 1, 3000 do
        times[i] = (i * 7919) % 5003 - 2000
        timers:register(times[i], i)
      end
      table.sort(times)
      local at = 0
      timers:advance(10000, function(time)
        at = at + 1
        assert.are.equal(times[at], time)
      end)
      assert.are.equal(3000, at)
      assert.is_nil(timers:next())
    end)

    it("those of one time in the order of their first registration", function()
      for _, key in ipairs { "c", "a", "b", "c", "d" } do timers:register(5, key) end
      timers:delete(5, "a")
      timers:register(5, "a")
      assert.are.equal("5:c 5:b 5:d 5:a", timers:fired(5))
      for i = 1, 3000 do timers:register(7, (i * 17) % 3000) end
      local at = 0
      timers:advance(7, function(_, key)
        at = at + 1
        assert.are.equal((at * 17) % 3000, key)
      end)
    end)

    it("up to and with the time that is due, and not before", function()
      timers:register(10, 1)
      timers:register(11, 1)
      timers:register(timed.max, 2)
      assert.are.equal("", timers:fired(9))
      assert.are.equal(10, timers:next())
      assert.are.equal("10:1", timers:fired(10))
      assert.are.equal("11:1", timers:fired(2 ^ 53))
      assert.are.equal(1, timers:count())
      local fired = 0
      timers:advance(timed.max, function() fired = fired + 1 end)
      assert.are.equal(1, fired)
    end)

    it("S2: one that a callback registers in the same loop, in its place, if it is due", function()
      timers:register(10, "a")
      timers:register(20, "b")
      timers:register(30, "c")
      local list = {}
      timers:advance(30, function(time, key)
        list[#list + 1] = time .. key
        if key == "a" then
          timers:register(15, "between")
          timers:register(5, "before")
          timers:register(31, "later")
          timers:register(30, "last")
        end
      end)
      assert.are.equal("10a 5before 15between 20b 30c 30last", table.concat(list, " "))
      assert.are.equal(31, timers:next())
    end)

    it("S2: one that registers its own time again, in the same loop", function()
      for _, others in ipairs { 0, 50, 3000 } do
        for i = 1, others do timers:register(10, i) end
        timers:register(10, "again")
        local times, all = 0, 0
        timers:advance(10, function(_, key)
          all = all + 1
          if key == "again" then
            times = times + 1
            if times < 5 then timers:register(10, "again") end
          end
        end)
        assert.are.equal(5, times)
        assert.are.equal(others + 5, all)
        assert.are.equal(0, timers:count())
      end
    end)

    it("S2: one that a callback deletes does not", function()
      for _, count in ipairs { 4, 40, 3000 } do
        for i = 1, count do timers:register(10 + i % 2, i) end
        local seen = {}
        timers:advance(11, function(time, key)
          seen[key] = true
          timers:delete(time, key)     -- itself: it is removed already
          if key < count - 1 then timers:delete(time, key + 2) end
        end)
        for i = 1, count do
          assert.are.equal((i - 1) % 4 < 2, seen[i] or false, i)
        end
        assert.are.equal(0, timers:count())
      end
    end)

    it("S2: one that is registered twice by callbacks while it is pending fires once", function()
      for i = 1, 100 do timers:register(10, i) end
      local fired = {}
      timers:advance(10, function(_, key)
        fired[key] = (fired[key] or 0) + 1
        for other = key + 1, 100 do timers:register(10, other) end
      end)
      for i = 1, 100 do assert.are.equal(1, fired[i]) end
    end)

    it("S2: those that each register the next moment, in order, and without looking at all that are due each time", function()
      for i = 1, 1000 do timers:register(3 * i, i) end
      local composed, fired, last, runs = 0, 0, 0, 0
      local due, compose = nil, timers.due
      function timers:due(now)
        due, runs = compose(self, now), runs + 1
        composed = composed + #due
        return due
      end
      timers:advance(10000, function(time, key)
        assert.is_true(time >= last)
        last, fired = time, fired + 1
        if time % 3 < 2 then timers:register(time + 1, key) end
      end)
      assert.are.equal(3000, fired)
      assert.is_true(composed < 3 * fired, ("%d composed"):format(composed))
      for i = 1, 3000 do timers:register(i, i) end -- and once they leave each other alone, many at once again
      runs = 0
      timers:advance(10000, function() end)
      assert.is_true(runs < 20, runs)
    end)

    it("S3: one of the past when the next call asks for what is due", function()
      assert.are.equal("", timers:fired(100))
      timers:register(50, 1)
      timers:register(101, 1)
      assert.are.equal(50, timers:next())
      assert.are.equal("50:1", timers:fired(100))
    end)

    it("one by one: what was not taken stays", function()
      for i = 1, 10 do timers:register(i, i) end
      assert.are.equal(10, #timers:due(10))
      for i = 1, 4 do assert.are.equal(timed.fire, timers:take(i)) end
      assert.are.equal(timed.gone, timers:take(4))
      assert.are.equal(6, timers:count())
      assert.are.equal(5, timers:next())
      timers:register(3, "early")
      assert.are.equal(timed.stale, timers:take(5))
      assert.are.equal("3:early 5:5 6:6 7:7 8:8 9:9 10:10", timers:fired(10))
      assert.is_true(C.timers_take(timers.timers, 0) < 0)
    end)
  end)

  describe("are", function()
    it("S4: one for each time, key and namespace, however often they are registered", function()
      for _ = 1, 500 do
        timers:register(5, "a")
        timers:register(5, "a", "w1")
        timers:register(5, "a", "w2")
        timers:register(6, "a", "w1")
        timers:register(5, "b", "w1")
      end
      assert.are.equal(5, timers:count())
      assert.are.equal("5:a 5:a/w1 5:a/w2 5:b/w1 6:a/w1", timers:fired(6))
    end)

    it("S4: one for each key, also of keys that only differ at their ends", function()
      for _, key in ipairs { "account-1", "account-2", "account-1", "account-12", "account-2" } do timers:register(5, key) end
      assert.are.equal(3, timers:count())
      timers:delete(5, "account-12")
      assert.are.equal("5:account-1 5:account-2", timers:fired(5))
    end)

    it("S4: gone when they are deleted once", function()
      for _ = 1, 3 do timers:register(5, "a", "w") end
      timers:delete(5, "a", "w")
      assert.are.equal(0, timers:count())
      assert.are.equal("", timers:fired(5))
      timers:register(5, "a", "w")
      timers:delete(5, "a", "w")
      timers:delete(5, "a", "w")
      timers:register(5, "a", "w")
      assert.are.equal("5:a/w", timers:fired(5))
    end)

    it("S5: deleted only by the same key, namespace and time", function()
      timers:register(5, "a", "w")
      timers:delete(5, "b", "w")
      timers:delete(5, "a")
      timers:delete(5, "a", "v")
      timers:delete(6, "a", "w")
      assert.are.equal("5:a/w", timers:fired(9))
    end)

    it("of keys and namespaces that divide the same bytes differently, different", function()
      timers:register(5, "a", "bc")
      timers:register(5, "a", "b")
      timers:register(5, ("k"):rep(3000), ("n"):rep(3000))
      timers:delete(5, "a", "bc")
      assert.are.equal(2, timers:count())
      assert.are.equal("5:a/b 5:" .. ("k"):rep(3000) .. "/" .. ("n"):rep(3000), timers:fired(5))
      timers:register(6, "a", "b")
      timers:register(6, "a", "b\0")
      timers:delete(6, "a", "b")
      assert.are.equal("6:a/b\0", timers:fired(6))
    end)

    it("S4, S5: with a key and a namespace of any length, where a word ends or the lengths need more room", function()
      local expected = {}
      for _, key_bytes in ipairs { 1, 2, 3, 4, 5, 6, 7, 12, 13, 250, 251, 252, 253, 254, 255, 256, 257, 300 } do
        for _, space_bytes in ipairs { 0, 1, 5, 254, 255, 256, 257 } do
          local key, space = ("k"):rep(key_bytes), ("n"):rep(space_bytes)
          timers:register(5, key, space)
          timers:register(5, key, space)
          timers:register(5, key .. "gone", space)
          timers:delete(5, key .. "gone", space)
          expected[#expected + 1] = "5:" .. key .. (space == "" and "" or "/" .. space)
        end
      end
      assert.are.equal(table.concat(expected, " "), timers:fired(5))
    end)

    it("refused where key and namespace are too long for a row", function()
      local ok, message = pcall(timers.register, timers, 1, "k", ("x"):rep(60000))
      assert.is_false(ok)
      assert.truthy(message:find("at most", 1, true), message)
      assert.are.equal(0, timers:count())
    end)
  end)

  it("that are registered and deleted over and over keep little memory", function()
    local highest = 0
    for i = 1, 100000 do
      timers:register(1000, i % 10)
      timers:delete(1000, i % 10)
      timers:register(2000 + i, "moved")
      timers:delete(2000 + i, "moved")
      highest = math.max(highest, timers.state:bytes())
    end
    assert.is_true(highest < 10 * 2 ^ 20, highest)
    assert.are.equal(0, timers:count())
  end)

  it("are undone with the record, but for those that were taken", function()
    timers = new { undo = true }
    timers:register(5, "kept")
    timers.state:commit()
    assert.are.equal(0, timers.state.call.view.undo_count)
    assert.are.equal(1, #timers:due(5))
    assert.are.equal(timed.fire, timers:take(1))
    timers:register(5, "new")
    timers:delete(5, "kept")
    assert.is_true(timers.state.call.view.undo_count > 0)
    timers.state:undo()
    assert.are.equal(0, timers:count())
    timers:register(5, "a")
    timers:register(4, "b")
    timers:delete(5, "a")
    timers.state:commit()
    timers.state:undo()
    assert.are.equal("4:b", timers:fired(5))
  end)

  describe("are written down", function()
    it("in the delta of their epoch, and their end in that of its own", function()
      timers:register(5, "a")
      timers:register(7, "b", "w")
      timers.state:cut()
      assert.are.equal("+5:a +7:b/w", timers:rows(1))
      timers:delete(7, "b", "w")
      timers:register(9, "c")
      timers.state:cut()
      assert.are.equal("-7:b/w +9:c", timers:rows(2))
      assert.are.equal("5:a 9:c", timers:fired(10))
      timers.state:cut()
      assert.are.equal("-5:a -9:c", timers:rows(3))
      timers.state:cut()
      assert.are.equal("", timers:rows(4))
    end)

    it("never where they are born and fire between two barriers", function()
      for i = 1, 5000 do timers:register(i, i) end
      timers:fired(5000)
      timers:register(1, "deleted")
      timers:delete(1, "deleted")
      timers.state:cut()
      assert.are.equal("", timers.state:rows_of(1))
    end)

    it("as they were at the barrier, whatever happens before the sweep", function()
      for i = 1, 100 do timers:register(i % 10, i) end
      timers.state:freeze(1)
      assert.is_false(C.keyed_state_swept(timers.state.handle))
      for i = 1, 100 do
        if i % 3 == 0 then timers:delete(i % 10, i) end
        timers:register(i % 10, i + 1000)
      end
      timers:fired(4)
      while not timers.state:sweep(3) do timers:register(50, "during") end
      local again = new()
      assert(again.state:restore { timers.state:rows_of(1) })
      assert.are.equal(100, again:count())
      timers.state:cut()
      local later = new()
      assert(later.state:restore { timers.state:rows_of(1), timers.state:rows_of(2) })
      assert.are.equal(timers:count(), later:count())
      later.names = timers.names
      assert.are.equal(#timers:fired(100), #later:fired(100))
    end)

    it("S10: as they were at the barrier, also where they were counted before it", function()
      timers:register(5, "a")
      timers:register(5, "b")
      assert.are.equal(2, timers:count())
      timers.state:freeze(1)
      assert.are.equal("5:a 5:b", timers:fired(5))
      while not timers.state:sweep(3) do end
      assert.are.equal("+5:a +5:b", timers:rows(1))
      timers.state:cut()
      assert.are.equal("-5:a -5:b", timers:rows(2))
    end)

    it("S9: and come back by key group, at any parallelism", function()
      for i = 1, 500 do timers:register(i * 3, i, i % 2 == 0 and "w" or "") end
      local rows, expected = timers.state:cut(), {}
      local seen = 0
      for _, groups in ipairs { { 0, 42 }, { 43, 85 }, { 86, 127 } } do
        local part = new { groups = groups }
        part.names = timers.names
        assert(part.state:restore { rows })
        part:advance(2000, function(time, key, name_space)
          assert.are.equal(key * 3, time)
          assert.are.equal(key % 2 == 0 and "w" or "", name_space)
          assert.is_nil(expected[key])
          assert.is_true(timers:group_of(key) >= groups[1] and timers:group_of(key) <= groups[2])
          expected[key], seen = true, seen + 1
        end)
      end
      assert.are.equal(500, seen)
    end)

    it("in every base, in slices, with deltas of its epochs over it", function()
      for i = 1, 2000 do timers:register(i % 7, i) end
      timers.state:cut()
      timers.state:base_begin(false)
      local steps = 0
      while not timers.state:base_step(100) do
        steps = steps + 1
        timers:delete(steps % 7, steps)
        timers:register(20 + steps, "new")
        if steps == 5 then timers:fired(2) end
      end
      assert.is_true(steps > 5)
      timers.state:cut()
      local again = new()
      again.names = timers.names
      assert(again.state:restore { timers.state:dumped(), timers.state:rows_of(2) })
      assert.are.equal(timers:count(), again:count())
      local set = {}
      timers:advance(100, function(time, key) set[time .. key] = true end)
      again:advance(100, function(time, key) assert.is_true(set[time .. key]); set[time .. key] = nil end)
      assert.is_nil(next(set))
    end)

    it("refused where a row is not one of a timer", function()
      local function row(group, key)
        local whole = string.char(0, group, 0, timed.column) .. key
        return string.char(#whole) .. whole .. "\1"
      end
      local time = "\128" .. ("\0"):rep(7)
      local group = timers:group_of(5)
      assert(new().state:restore { row(group, time .. "\5") })
      for _, bad in ipairs { row(group, "short"), row(group, time), row((group + 1) % 128, time .. "\5"), row(group, time .. "\xa5abc") } do
        local ok, message = new().state:restore { bad }
        assert.is_nil(ok)
        assert.truthy(message:find("timer row", 1, true), message)
      end
    end)
  end)
end)
