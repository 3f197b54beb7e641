--- Which fields of a record a function can see. A function that only reads
--- `value.name` or `value[1]`, known from its byte code, needs no other field decoded:
--- making a Lua string costs more than all else that happens to most records.
---
--- Conservative: any other use of the parameter (passed on, stored, returned,
--- indexed by a variable, captured by a closure) gives nil, "all".
local bytecode = require "moontide.runtime.bytecode"
local origins = require "moontide.runtime.origins"

local M = {}

local bytecodes_max = 10000

-- Origins, as this module names them: "record". Of all else nothing is told.
local function listener_of(seen)
  local function uses(origin)
    if origin == "record" then seen.whole = true end
  end
  return {
    made = function() return origins.unknown end,
    field = function(origin, name)
      if origin == "record" then seen.fields[name] = true end
    end,
    store = uses,
    call = function() end,
    escaped = uses,
    returned = function(given)
      for origin in pairs(given) do uses(origin) end
    end,
  }
end

--- The fields that `fn` reads of its parameter `index` (from 1), added to `fields`; false if it may see all of it.
---@param fn function
---@param index integer
---@param fields table<string|integer, true>
---@return boolean
function M.add(fn, index, fields)
  local seen, parameters = { fields = fields }, {}
  parameters[index] = "record"
  return origins.walk(fn, parameters, listener_of(seen)) and not seen.whole
end

--- The fields that the contents of a window see of an element; nil: all.
---@param contents WindowContents
---@return table<string, true>?
function M.of_contents(contents)
  local reads, fields = contents.reads, {}
  if reads == "all" then return nil end
  if type(reads) == "string" then
    if reads ~= "nothing" then fields[reads] = true end
    return fields
  end
  for _, field in ipairs(reads.fields or {}) do fields[field] = true end
  for _, read in ipairs(reads) do
    if not M.add(read.fn, read.parameter, fields) then return nil end
  end
  return fields
end

local parameter = { flat_map = 1, key = 1, process = 2, sink = 2 }

-- The function that sees the record, as its author wrote it, and as which parameter.
local function reader(operator, fn)
  local plain = operator.step and operator.step.plain
  if plain then return plain, 1 end
  return fn, parameter[operator.terminal]
end

--- Does a function only answer something about its record? It then changes nothing in what it sees: a field may hold a table.
---@param fn function
---@return boolean
function M.changes_nothing(fn)
  return bytecode.only_tests(fn, bytecodes_max) and M.add(fn, 1, {})
end

--- Does an operator only choose among its records? Its functions are filters, which change nothing in what they see.
---@param operator Operator
---@return boolean
function M.only_chooses(operator)
  if operator.terminal ~= "emit" then return false end
  for _, stage in ipairs(operator.stages) do
    if stage.kind ~= "filter" or not M.changes_nothing(stage.fn) then return false end
  end
  return true
end

--- The fields that an operator's functions see of an input record; nil: all.
---@param operator Operator
---@param fn function? of its terminal
---@return table<string, true>?
function M.of_operator(operator, fn)
  local fields = {}
  for _, stage in ipairs(operator.stages) do
    if not M.add(stage.fn, 1, fields) then return nil end
    if stage.kind == "map" then return fields end -- what follows sees what the map answers
  end
  if M.only_chooses(operator) then return fields end
  if operator.terminal == "key" and #operator.stages > 0 then return nil end -- the record itself goes on
  local read, index = reader(operator, fn)
  if not index or not M.add(read, index, fields) then return nil end
  return fields
end

return M
