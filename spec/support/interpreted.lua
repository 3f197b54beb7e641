-- What is left to the interpreter. Debug hooks do not fire in compiled code: what a count hook counts while the worker
-- runs is what is not compiled.
local assert = require "luassert"
local testing = require "moontide.testing"

local M = {}

---@class FeedSize
---@field singles integer records that come in batches of one, at first
---@field records integer of each other batch
---@field warm integer batches before the measured ones. While a hook is set nothing is compiled: the first trial of a
---  renewed loop (runtime/renewal.lua), after 32768 records, is over before
---@field measured integer
local usual = { singles = 2000, warm = 80, measured = 40, records = 1024 }

--- Interpreted instructions for each record, where the loop itself is compiled; tens, where it is not.
M.max = 1
local hook_each = 50

-- Answers what came out of the first batches, and the instructions interpreted per record.
local function feed(build, make, size)
  jit.flush()
  local h = testing.harness(build)
  local run, channel, count, counting = h._run, h.inputs[1].channels[1], 0, false
  h._run = function(self)
    if counting then debug.sethook(function() count = count + 1 end, "", hook_each) end
    run(self)
    if counting then debug.sethook() end
  end
  for _, value in ipairs(make(0, size.singles)) do channel:push(value) end
  local values = h:values()
  for i = 1, size.warm do
    channel:push_all(make(i * size.records, size.records))
    if i < 4 then for _, value in ipairs(h:values()) do values[#values + 1] = value end end
    h:values()
  end
  counting = true
  for i = 1, size.measured do
    channel:push_all(make((size.warm + i) * size.records, size.records))
    h:values()
  end
  h:close()
  return values, count * hook_each / (size.measured * size.records)
end

--- The compiler rolls dice over which try it gives up for good; what can be compiled is, on one try of three.
---@param make fun(first: integer, count: integer): any[] records
---@param size FeedSize?
---@param enough number? the number that ends the trials, M.max
---@return any[] values what came out of the first batches
---@return number interpreted instructions for each record, the fewest
function M.feed(build, make, size, enough)
  local values, interpreted, fewest = nil, nil, math.huge
  size = size or usual
  for _ = 1, 3 do
    values, interpreted = feed(build, make, size)
    fewest = math.min(fewest, interpreted)
    if fewest < (enough or M.max) then break end
  end
  return values, fewest
end

local function feed_interpreted(build, make, size)
  jit.off()
  local ok, values, interpreted = pcall(feed, build, make, size)
  jit.on()
  assert(ok, values)
  return values, interpreted
end

--- A test: what is built is compiled, and answers the same.
---@param size FeedSize?
function M.it(it, name, make, build, size)
  it(name .. " is compiled, and answers the same as without the JIT", function()
    size = size or usual
    local values, interpreted = M.feed(build, make, size)
    assert.is_true(#values > 0)
    assert.is_true(interpreted < M.max, ("%.1f instructions interpreted for each record"):format(interpreted))
    local plain, all = feed_interpreted(build, make, size)
    assert.are.same(plain, values)
    assert.is_true(all > M.max, ("the count is of no use: %.1f without the JIT"):format(all))
  end)
end

--- The same where loops that are short now and then lie in each other, so that parts are left to the interpreter.
---@param size FeedSize?
function M.it_mostly(it, name, make, build, size)
  it(name .. " is compiled for the most part, and answers the same as without the JIT", function()
    local plain, all = feed_interpreted(build, make, size or usual)
    local values, interpreted = M.feed(build, make, size, all / 6)
    assert.is_true(#values > 0)
    assert.is_true(interpreted < all / 6, ("%.1f of %.1f instructions interpreted for each record"):format(interpreted, all))
    assert.are.same(plain, values)
  end)
end

return M
