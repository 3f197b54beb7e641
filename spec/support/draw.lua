-- Random numbers that come from one seed, whatever else draws some.
local M = {}

--- `random(n)`: from 1 to n, `random(low, high)`: between both.
---@param seed integer
function M.generator(seed)
  local state = seed % 2147483647
  if state == 0 then state = 1 end
  return function(low, high)
    state = (state * 48271) % 2147483647
    if high == nil then low, high = 1, low end
    return low + state % (high - low + 1)
  end
end

function M.pick(random, list)
  return list[random(#list)]
end

return M
