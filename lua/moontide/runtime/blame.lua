--- Errors of what a function of the author has answered: it has returned by then, so
--- no line of the stack is its own. The report names the lines of the function; or
--- that of the step, where a record is to blame.
local Blame = {}
Blame.__index = Blame

--- As the text alone, where nobody makes a report of it.
function Blame:__tostring()
  return self.text
end

local M = {}

--- Raise an error that is the fault of a function.
---@param fn function
---@param name string what its author calls it: "before"
---@param format string
---@param ... any
function M.raise(fn, name, format, ...)
  error(setmetatable({ fn = fn, name = name, text = format:format(...) }, Blame), 0)
end

--- Raise an error that is no function's fault: the step cannot take the record.
---@param format string
---@param ... any
function M.record(format, ...)
  error(setmetatable({ text = format:format(...) }, Blame), 0)
end

--- Is it an error that was raised so?
---@param message any
---@return boolean
function M.is(message)
  return getmetatable(message) == Blame
end

return M
