--- The known name that a misspelt one most likely meant.
local M = {}

-- Edit distance where swapping two neighbours counts once: "fliter" is one step from "filter".
local function distance(a, b)
  local before, last, row = {}, {}, {}
  for j = 0, #b do last[j] = j end
  for i = 1, #a do
    row = { [0] = i }
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      row[j] = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + cost)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
    before, last = last, row
  end
  return last[#b]
end

--- The name in `known` that is nearest to `name`, or nil when none is near enough to be meant.
---@param name string
---@param known string[]
---@return string?
function M.name(name, known)
  if type(name) ~= "string" or #name > 100 then return nil end
  local best, best_distance = nil, math.max(1, math.floor(#name / 3)) + 1
  for _, candidate in ipairs(known) do
    local d = distance(name:lower(), candidate:lower())
    if d < best_distance then best, best_distance = candidate, d end
  end
  return best
end

--- " (did you mean 'x'?)", else " (known: a, b)", to end an error message with.
---@param name any what was given
---@param known string[]
---@return string
function M.hint(name, known)
  local near = M.name(name, known)
  if near then return (" (did you mean '%s'?)"):format(near) end
  if #known == 0 then return " (there are none)" end
  return " (known: " .. table.concat(known, ", ") .. ")"
end

return M
