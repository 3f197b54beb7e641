--- The command line of scripts/bench.
local M = {}

local usage = "usage: scripts/bench [ROW...] [--list] [--json] [--seconds N] [--repeat N] [--input FILE] [--profile DIR] [--keep]"

local numbers = { ["--seconds"] = "seconds", ["--repeat"] = "repeat" }
local texts = { ["--input"] = "input", ["--profile"] = "profile" }
local flags = { ["--json"] = "json", ["--list"] = "list", ["--keep"] = "keep" }

local function find(rows, name)
  for _, row in ipairs(rows) do
    if row.name == name then return row end
  end
end

--- What was asked for, or nil and what is wrong with it.
---@return table?, string?
function M.read(words, rows)
  local given, i = { seconds = 10, ["repeat"] = 1, rows = {} }, 1
  while i <= #words do
    local word = words[i]
    if flags[word] then
      given[flags[word]] = true
    elseif numbers[word] or texts[word] then
      i = i + 1
      local value = words[i]
      if numbers[word] then value = tonumber(value) end
      if not value or (numbers[word] and value < 1) then return nil, word .. " needs a value\n" .. usage end
      given[numbers[word] or texts[word]] = value
    else
      local row = find(rows, word)
      if not row then return nil, ("there is no row '%s' (scripts/bench --list)\n%s"):format(word, usage) end
      given.rows[#given.rows + 1] = row
    end
    i = i + 1
  end
  if #given.rows == 0 then given.rows = rows end
  return given
end

return M
