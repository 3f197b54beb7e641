local ffi = require "ffi"
local C = require "support.engine"

-- Splits by their places, the first `open` of them being read: their places as they are left, and how many of them
-- must be open at once.
local function ordered(open, places)
  local splits = ffi.new("struct split[?]", #places + 1)
  for i, place in ipairs(places) do splits[i - 1].place = place end
  local first, left = C.split_order(splits, open, #places), {}
  for i = 1, #places do left[i] = tonumber(splits[i - 1].place) end
  return first, table.concat(left, " ")
end

describe("the order of splits after a restore", function()
  it("is that in which they are handed out, for those that wait", function()
    assert.are.same({ 2, "4 3 5 6 7 8" }, { ordered(2, { 4, 3, 7, 8, 6, 5 }) })
    assert.are.same({ 0, "0 1 2" }, { ordered(0, { 2, 1, 0 }) })
  end)

  it("S13: opens those that wait before one that was being read, so that none of their records is late", function()
    assert.are.same({ 4, "8 5 6 7 9" }, { ordered(2, { 8, 5, 9, 7, 6 }) })
    assert.are.same({ 3, "9 1 2" }, { ordered(1, { 9, 2, 1 }) })
  end)

  it("leaves alone what all were reading, and nothing", function()
    assert.are.same({ 2, "8 5" }, { ordered(2, { 8, 5 }) })
    assert.are.same({ 0, "" }, { ordered(0, {}) })
  end)
end)
