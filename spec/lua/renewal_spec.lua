-- Loops that are compiled anew: which one runs, by a clock that the loops themselves move.
local renewal = require "moontide.runtime.renewal"

local batch = 1024
local batches_before_trial = 32768 / batch

describe("a loop that is renewed", function()
  local time, runs, costs, call, run

  -- The loop that is made n-th takes costs[n] for each record.
  local function maker()
    local made = 0
    return function()
      made = made + 1
      local number = made
      runs[number] = 0
      return function()
        runs[number] = runs[number] + 1
        if call.failing then error "the author's" end
        time = time + costs[number] * (call.count - call.index)
      end
    end
  end

  local function feed(batches, count)
    call.index, call.count = 0, count or batch
    for _ = 1, batches do run() end
  end

  before_each(function()
    time, runs, call = 0, {}, { index = 0, count = 0 }
    run = renewal(call, maker(), function() return time end)
  end)

  it("is the first one until there were 32768 records", function()
    costs = { 9, 1 }
    feed(batches_before_trial - 1)
    assert.are.same({ 31 }, runs)
    feed(1)
    assert.are.same({ 32, 0 }, runs)
    feed(1)
    assert.are.same({ 32, 1 }, runs)
  end)

  it("gives way to a faster one, after batches in turn", function()
    costs = { 9, 8 }
    feed(batches_before_trial + 46)
    assert.are.same({ 32 + 23, 23 }, runs)
    feed(10)
    assert.are.same({ 32 + 23, 33 }, runs)
  end)

  it("stays where the new one is not faster", function()
    costs = { 9, 8.9 }
    feed(batches_before_trial + 46 + 10)
    assert.are.same({ 32 + 23 + 10, 23 }, runs)
  end)

  it("is judged by batches in the middle: not by the ones in which it is compiled, nor by one that was interrupted", function()
    costs = { 9, 100 }
    feed(batches_before_trial + 16)
    costs[2] = 8
    feed(30 - 2)
    costs[2] = 1000
    feed(2 + 10)
    assert.are.same({ 32 + 23, 33 }, runs)
  end)

  it("meets the next one when there have been four times as many records", function()
    costs = { 9, 8, 7, 6 }
    feed(4 * batches_before_trial)
    assert.is_nil(runs[4])
    assert.are.equal(0, runs[3])
    feed(12 * batches_before_trial - 1)
    assert.is_true(runs[3] > 23)
    assert.is_nil(runs[4])
    feed(2)
    assert.are.equal(1, runs[4])
  end)

  it("handles each batch once, also where the author's function fails", function()
    costs = { 9, 8 }
    feed(batches_before_trial)
    call.failing = true
    for _ = 1, 20 do assert.has_error(run, "the author's") end
    assert.are.same({ 32 + 10, 10 }, runs)
    call.failing = false
    feed(46)
    feed(10)
    assert.are.same({ 32 + 10 + 23, 10 + 23 + 10 }, runs)
  end)
end)
