--- Aggregates: `{ create, add, result, merge }`, in rolling and in windowed steps.
local options = require "moontide.options"

local M = {}

---@class Aggregate
---@field create fun(): any a new accumulator
---@field add fun(acc: any, value: any): any the accumulator with the value in it
---@field result fun(acc: any): any what is emitted; nothing where it is nil (S26)
---@field merge? fun(a: any, b: any): any one accumulator of two; needed where windows merge

--- Its fields, as lists of options have them.
M.specs = {
  { name = "create", type = "function", required = true },
  { name = "add", type = "function", required = true },
  { name = "result", type = "function", required = true },
  { name = "merge", type = "function" },
}

--- Check an aggregate; raises at the author's line.
---@param what string
---@param aggregate any
---@return Aggregate
function M.check(what, aggregate)
  return options.check(what, aggregate, M.specs)
end

return M
