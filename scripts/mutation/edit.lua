--- One fault in one file: where it is, and the text with it.
local process = require "benchmark.process"

local M = {}

---@class Fault
---@field rule string that it breaks
---@field file string
---@field from string text that is in the file exactly once
---@field to string what stands there instead
---@field specs string[] that are run until one of them is red

local function line_of(text, position)
  return select(2, text:sub(1, position):gsub("\n", "")) + 1
end

-- Where the two texts begin to differ.
local function first_difference(a, b)
  local at = 1
  while at <= #a and a:byte(at) == b:byte(at) do at = at + 1 end
  return at
end

--- The file's text, the same with the fault, and the fault's line; or nil and what is wrong.
---@param root string
---@param fault Fault
---@return { before: string, after: string, line: integer }?, string?
function M.find(root, fault)
  local text = process.read_file(root .. "/" .. fault.file)
  local name = ("%s: %s"):format(fault.rule, fault.file)
  if not text then return nil, name .. " is not there" end
  local first, last = text:find(fault.from, 1, true)
  if not first then return nil, ("%s does not contain: %s"):format(name, fault.from) end
  if text:find(fault.from, first + 1, true) then return nil, ("%s contains twice: %s"):format(name, fault.from) end
  if fault.from == fault.to then return nil, ("%s: nothing changes in: %s"):format(name, fault.from) end
  local line = line_of(text, first - 1 + math.min(first_difference(fault.from, fault.to), #fault.from))
  return { before = text, after = text:sub(1, first - 1) .. fault.to .. text:sub(last + 1), line = line }
end

local function squeezed(text)
  return (text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
end

--- The fault in one line: what differs, with the words around it.
---@param fault Fault
---@return string
function M.shown(fault)
  local from, to = squeezed(fault.from), squeezed(fault.to)
  local first = first_difference(from, to)
  local same = first_difference(from:sub(first):reverse(), to:sub(first):reverse()) - 1
  local begin = math.max(1, first - 30)
  local function part(text)
    local shown = text:sub(begin, math.min(#text, #text - same + 20))
    return #shown > 90 and shown:sub(1, 87) .. "..." or shown
  end
  return part(from) .. "  ->  " .. (part(to) == "" and "(nothing)" or part(to))
end

return M
