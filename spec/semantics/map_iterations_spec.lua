-- Iterations over maps that are left before their end: what they cost, and how long they live.
local mt = require "moontide"
local testing = require "moontide.testing"

local function same(value) return value end

local function peak_mb()
  for line in io.lines "/proc/self/status" do
    local kb = line:match "^VmHWM:%s+(%d+)"
    if kb then return tonumber(kb) / 1024 end
  end
end

describe("an iteration over a map that is left before its end", function()
  local h
  after_each(function() h:close() end)

  -- Each would keep what is removed behind it, all of them together the square of the map.
  it("S52: costs no memory where one callback takes out everything by first entries", function()
    local count = 6000
    h = testing.harness(function(input)
      return input:key_by(function() return "k" end):process("queue", {
        state = { queue = mt.map_state() },
        process_element = function(self, n, ctx)
          for i = 1, n do self.queue:put(i, ("payload %d "):format(i):rep(10)) end
          ctx:timers():register_event_time_timer(5)
        end,
        on_timer = function(self, _, _, out)
          local last, taken, goes_on = 0, 0, true
          while goes_on do
            goes_on = false
            for key in self.queue:keys() do
              assert(key == last + 1)
              self.queue:remove(key)
              last, taken, goes_on = key, taken + 1, true
              break
            end
          end
          out:collect(taken)
        end,
      })
    end)
    h:push(count, 1)
    local before = peak_mb()
    h:watermark(5)
    assert.are.same({ count }, h:values())
    assert.is_true(peak_mb() - before < 100, ("%d MB more"):format(peak_mb() - before))
  end)

  it("S52: shows all that there was, however many others have been left", function()
    h = testing.harness(function(input)
      return input:key_by(function() return "k" end):process("many", {
        state = { map = mt.map_state() },
        process_element = function(self, n, _, out)
          for i = 1, n do self.map:put(i, i) end
          for _ in self.map:keys() do break end
          local kept, seen = self.map:entries(), 0
          for i = 1, n do
            for _ in self.map:keys() do break end
            self.map:remove(i)
          end
          for key, value in kept do seen = seen + (key == value and 1 or 0) end
          out:collect(seen)
        end,
      })
    end)
    h:push(1000)
    assert.are.same({ 1000 }, h:values())
  end)

  local over = "an iteration over a map ends with the callback that began it"

  for _, on_error in ipairs { "fail", "skip" } do
    for _, entries in ipairs { 3, 100 } do
      it(("ends with the window's callback: %d entries, on_error %s"):format(entries, on_error), function()
        local kept
        h = testing.harness(function(input)
          return input:key_by "key":window(mt.tumbling { size = 10 }):process("p", {
            window_state = { seen = mt.map_state() },
            process = function(self, _, _, _, _, out)
              for i = 1, entries do self.seen:put(i, i) end
              if kept then out:collect(tostring(select(2, pcall(kept)))) end
              for _ = 1, 2 do self.seen:keys()() end
              kept = self.seen:keys()
              kept()
            end,
          })
        end, { on_error = on_error })
        for window = 0, 2 do h:push({ key = "a" }, window * 10) end
        h:watermark(100)
        assert.are.same({ over, over }, h:values())
      end)
    end

    it("ends with the visit of its key, on_error " .. on_error, function()
      local told = {}
      h = testing.harness(function(values, rules)
        return values:key_by(same):connect(rules:broadcast { rules = mt.map_state() }):process("r", {
          state = { seen = mt.map_state() },
          process_element = function(self, value) for i = 1, 4 do self.seen:put(value * 10 + i, i) end end,
          process_broadcast_element = function(_, _, ctx)
            local kept
            for _ = 1, 2 do
              ctx:apply_to_keyed_state("seen", function(key, seen)
                if kept then told[tostring(select(2, pcall(kept)))] = true end
                kept = seen:keys()
                kept()
                seen:put(key * 10 + 9, 9)
              end)
            end
          end,
        })
      end, { inputs = 2, on_error = on_error })
      for i = 1, 1500 do h.inputs[1]:push(i) end
      h.inputs[2]:push "x"
      assert.are.same({ [over] = true }, told)
    end)
  end
end)
