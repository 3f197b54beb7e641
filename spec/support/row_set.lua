-- Lines as sets that count: what a job wrote, in any order and any number of files,
-- beside what it should have written.
local example = require "support.example"

local RowSet = {}
RowSet.__index = RowSet

local M = {}

function M.new()
  return setmetatable({ counts = {}, count = 0 }, RowSet)
end

function RowSet:add(line)
  self.counts[line] = (self.counts[line] or 0) + 1
  self.count = self.count + 1
end

--- The lines of all published files of a directory; `header`: each file begins with this line, which is none of them.
function M.read(directory, header)
  local rows = M.new()
  for _, text in ipairs(example.parts(directory)) do
    assert(not header or text:sub(1, #header + 1) == header .. "\n", "a file begins with " .. text:sub(1, 200))
    if header then text = text:sub(#header + 2) end
    for line in text:gmatch("([^\n]*)\n") do rows:add(line) end
  end
  return rows
end

local function list_missing(from, other, mark, differences)
  local count = 0
  for line, times in pairs(from.counts) do
    local surplus = times - (other.counts[line] or 0)
    if surplus > 0 then
      count = count + surplus
      if #differences < 10 then differences[#differences + 1] = ("%s %s (%d)"):format(mark, line, surplus) end
    end
  end
  return count
end

--- Fail with some of the differences unless both are the same.
function M.assert_same(expected, actual, what)
  local differences = {}
  local missing = list_missing(expected, actual, "missing", differences)
  local surplus = list_missing(actual, expected, "surplus", differences)
  if missing + surplus > 0 then
    error(("%s: of %d rows %d are missing, and %d are too many:\n%s"):format(what, expected.count, missing, surplus,
      table.concat(differences, "\n")), 2)
  end
end

--- Fail unless every line of `part` is in `whole`, as often at least.
function M.assert_part(part, whole, what)
  local differences = {}
  local surplus = list_missing(part, whole, "surplus", differences)
  if surplus > 0 then
    error(("%s: %d of %d rows are too many:\n%s"):format(what, surplus, part.count, table.concat(differences, "\n")), 2)
  end
end

return M
