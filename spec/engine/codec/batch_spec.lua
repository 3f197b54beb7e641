-- Batches and the pool that they come from.
local ffi = require "ffi"
local C = require "support.engine"

local function address(batch)
  return tonumber(ffi.cast("uintptr_t", batch))
end

-- More than the thread's own pool and the common one keep together.
local many = 400

local function take_many()
  local batches, seen = {}, {}
  for i = 1, many do
    batches[i] = C.batch_take()
    assert.is_nil(seen[address(batches[i])], "a batch was given twice")
    seen[address(batches[i])] = true
    assert.are.equal(0, batches[i].count)
    assert.is_false(batches[i].keyed)
    assert.are.equal(0, tonumber(batches[i].arena.used))
  end
  return batches
end

describe("batch_take", function()
  it("gives every batch once, empty, however many were dropped before", function()
    for _ = 1, 3 do
      for _, batch in ipairs(take_many()) do
        batch.count, batch.keyed = 7, true
        batch.arena.used = 100
        C.batch_drop(batch)
      end
    end
  end)

  it("gives the one that was dropped last", function()
    local batch = C.batch_take()
    C.batch_drop(batch)
    local again = C.batch_take()
    assert.are.equal(address(batch), address(again))
    C.batch_drop(again)
  end)

  it("gives a shared batch again only after its last reference is dropped", function()
    local batch = C.batch_take()
    assert.is_true(C.batch_is_only(batch))
    C.batch_share(batch)
    assert.is_false(C.batch_is_only(batch))
    C.batch_drop(batch)
    assert.is_true(C.batch_is_only(batch))
    for _, other in ipairs(take_many()) do
      assert.are_not.equal(address(batch), address(other))
      C.batch_drop(other)
    end
    C.batch_drop(batch)
  end)
end)
