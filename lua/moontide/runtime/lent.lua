--- What an author's code is lent: objects that reach into a worker's memory. Where the
--- worker ends before the script does, as under test, they are taken back, and what
--- was kept of them raises instead of reading what is no more.
local M = {}

-- By call cell, and forgotten with it; who lends keeps nothing alive.
local by_call = setmetatable({}, { __mode = "k" })

local function objects_of(call)
  local objects = by_call[call] or setmetatable({}, { __mode = "k" })
  by_call[call] = objects
  return objects
end

---@generic T: table
---@param call ffi.cdata* struct call: the very one, not another pointer to it
---@param object T its methods are those of its metatable
---@return T
function M.lend(call, object)
  objects_of(call)[object] = true
  return object
end

--- What is lent of `cell` is taken back with what is lent of `call`.
---@param cell ffi.cdata* struct call
---@param call ffi.cdata* struct call
function M.count_with(cell, call)
  by_call[cell] = objects_of(call)
end

--- From now on every method of what was lent raises `why`.
---@param call ffi.cdata* struct call
---@param why string
function M.take_back(call, why)
  local gone = { __index = function() error(why, 2) end }
  for object in pairs(by_call[call] or {}) do setmetatable(object, gone) end
  by_call[call] = nil
end

return M
