-- Very many windows of one key at once, as a long lateness makes them.
local mt = require "moontide"
local testing = require "moontide.testing"

describe("a key with many windows", function()
  local h
  after_each(function() h:close() end)

  it("forgets the first of them at the price of the last", function()
    local windows, some, lateness = 60000, 2000, 1000000
    h = testing.harness(function(input)
      return input:key_by(function() return 1 end):window(mt.tumbling { size = 10 }):allowed_lateness(lateness):count "count"
    end)
    for i = 0, windows - 1 do h:push(1, i * 10) end
    h:watermark(windows * 10)
    assert.are.equal(windows, #h:values())
    assert.are.equal(windows, h:state_size())
    -- Processor time until so many of them are left.
    local function forget(left)
      local before = os.clock()
      h:watermark((windows - left) * 10 - 1 + lateness)
      local took = os.clock() - before
      assert.are.equal(left, h:state_size())
      return took
    end
    local first = forget(windows - some)
    forget(some)
    local last = forget(0)
    assert.are.equal(0, h:timer_count "event")
    assert.is_true(first < 10 * last, ("%.4f s of %.4f s"):format(first, last))
  end)

  for _, lateness in ipairs { 0, 25 } do
    it("fires all of them that a watermark passes at once, with a lateness of " .. lateness, function()
      h = testing.harness(function(input)
        return input:key_by(function() return 1 end):window(mt.sliding { size = 20, slide = 10 }):allowed_lateness(lateness):count "count"
      end)
      for i = 0, 99 do h:push(1, i * 10) end
      h:watermark(500)
      h:push(1, 480)
      h:watermark(900)
      h:push(1, 880)
      h:finish()
      local counts = {}
      for _, row in ipairs(h:values()) do counts[row.window_start] = row.count end
      for i = -1, 99 do
        local more = lateness > 0 and (i == 47 or i == 48 or i == 87 or i == 88) and 1 or 0
        assert.are.equal(((i == -1 or i == 99) and 1 or 2) + more, counts[i * 10], "window " .. i)
      end
      assert.are.equal(0, h:state_size() + h:timer_count "event")
    end)
  end
end)
