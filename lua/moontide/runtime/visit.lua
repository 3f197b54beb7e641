--- `ctx:apply_to_keyed_state(name, fn)` of the broadcast side: all keys of the subtask
--- that have something in a state, in the order of their bytes.
local ffi = require "ffi"
local C = require "moontide.engine"
local binding = require "moontide.runtime.binding"
local check = require "moontide.runtime.fail"
local describe = require "moontide.describe"
local lent = require "moontide.runtime.lent"
local nearest = require "moontide.nearest"
local unpack_key = require("moontide.runtime.msgpack").unpack

---@class Visit
local Visit = {}
Visit.__index = Visit

local M = {}

--- The visits of a step; its keyed state is there (CALL_OPEN).
---@param call ffi.cdata* struct call
---@param step Step
---@param guarded boolean
---@return Visit
function M.new(call, step, guarded)
  local handle = ffi.gc(C.call_visit_new(call), C.call_visit_free)
  local cell = C.call_visit_cell(handle)
  lent.count_with(cell, call)
  local self = setmetatable({ handle = handle, cell = cell, slots = {}, names = step.state_names }, Visit)
  self.states = binding.bind_states(cell, step.state_names, step.definition.state, guarded)
  for slot, name in ipairs(step.state_names) do self.slots[name] = slot - 1 end
  return self
end

local function visit_all(self, state, fn)
  local cell = self.cell
  while check(C.call_visit_next(self.handle)) > 0 do
    for i = 0, cell.count - 1 do
      cell.index = i
      fn((unpack_key(cell.bytes + cell.keys[i].offset)), state)
    end
  end
end

local function this_thread() return coroutine.running() or "main" end

-- A visit that failed is over, also where the author has caught its error: then it is not on the stack any more.
local function is_visiting(self)
  if self.visiting ~= this_thread() then return self.visiting ~= nil end
  local level, frame = 1, nil
  repeat
    level = level + 1
    frame = debug.getinfo(level, "f")
  until not frame or frame.func == visit_all
  return frame ~= nil
end

--- Call `fn(key, state)` for each key.
---@param name string of the state
---@param fn fun(key: any, state: table)
function Visit:apply(name, fn)
  local slot = self.slots[name]
  if not slot then error(("apply_to_keyed_state: there is no keyed state %s%s"):format(describe(name), nearest.hint(name, self.names)), 3) end
  if type(fn) ~= "function" then error("apply_to_keyed_state: needs a function(key, state), got " .. describe(fn), 3) end
  if is_visiting(self) then error("apply_to_keyed_state cannot be called while it visits keys", 3) end
  check(C.call_visit_begin(self.handle, slot))
  self.visiting = this_thread()
  visit_all(self, self.states[name], fn)
  self.visiting = nil
end

--- A visit that failed in the middle is over.
function Visit:reset()
  self.visiting = nil
  self.cell.entries = nil
end

function Visit:close()
  C.call_visit_free(ffi.gc(self.handle, nil))
  self.handle = nil
end

return M
