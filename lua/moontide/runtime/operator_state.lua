--- Operator state of a step: what a subtask keeps beside keys. It is small, lives in
--- Lua, and goes into every checkpoint whole, as the step's own part.
local blame = require "moontide.runtime.blame"
local broadcast_state = require "moontide.runtime.broadcast_state"
local operator_list = require "moontide.runtime.operator_list"
local only_read = require "moontide.runtime.only_read"
local packing = require "moontide.runtime.packing"
local saved = require "moontide.runtime.saved"

local M = {}

local kinds = { operator_list = operator_list, union_list = operator_list, broadcast = broadcast_state }

-- What takes the writes of one record back: functions, each with what it is to be called with (a closure for each write
-- could not be compiled).
---@class OperatorJournal
local Journal = {}
Journal.__index = Journal

local function new_journal(kept)
  return setmetatable({ kept = kept, count = 0, undo = {}, owners = {}, places = {}, before = {} }, Journal)
end

--- `undo(owner, place, before)` takes a write back.
---@param undo fun(owner: table, place: any, before: any)
function Journal:note(undo, owner, place, before)
  if not self.kept then return end
  local count = self.count + 1
  self.count, self.undo[count], self.owners[count], self.places[count], self.before[count] = count, undo, owner, place, before
end

function Journal:rollback()
  for i = self.count, 1, -1 do self.undo[i](self.owners[i], self.places[i], self.before[i]) end
  self.count = 0
end

function Journal:commit() self.count = 0 end

-- Values of an earlier version are made into those of today's, once and for all.
local function migrated(name, descriptor, saved_items, version)
  if version == descriptor.version then return saved_items end
  local items, is_value = {}, kinds[descriptor.kind].is_value
  for i, item in ipairs(saved_items) do
    items[i] = item
    if is_value(i) then
      local value = descriptor.migrate(packing.unpack(item), version)
      if value == nil then
        blame.raise(descriptor.migrate, "migrate", "the 'migrate' of state '%s' answered nothing for a value of version %d", name, version)
      end
      items[i] = packing.pack(value)
    end
  end
  return items
end

---@class OperatorState
local OperatorState = {}
OperatorState.__index = OperatorState

-- The broadcast states whose values are only read by all that get `self`.
local function only_read_of(definition, names)
  local functions, broadcast = {}, {}
  for _, value in pairs(definition) do
    if type(value) == "function" then functions[#functions + 1] = value end
  end
  for _, name in ipairs(names) do
    if definition.operator_state[name].kind == "broadcast" then broadcast[#broadcast + 1] = name end
  end
  return #broadcast > 0 and only_read.of(functions, broadcast) or {}
end

--- The operator state of a step, empty. nil if it declares none.
---@param call ffi.cdata* struct call
---@param step Step
---@param guarded boolean
---@return OperatorState?
function M.of_step(call, step, guarded)
  local names = step.operator_state_names
  if not names or #names == 0 then return nil end
  local journal = new_journal(guarded)
  local self = setmetatable({ call = call, names = names, descriptors = step.definition.operator_state, states = {}, journal = journal }, OperatorState)
  local read = only_read_of(step.definition, names)
  for _, name in ipairs(names) do self.states[name] = kinds[self.descriptors[name].kind].new(name, journal, read[name]) end
  return self
end

-- The lists that the old subtasks saved under a name, and the version of their values; nil if none did.
local function lists_of(parts, name)
  local lists, version = {}, nil
  for _, part in ipairs(parts) do
    local one = part and part[name]
    if one then lists[#lists + 1], version = one.items, one.version end
  end
  return #lists > 0 and lists or nil, version
end

local function share_of(self, kind, lists, subtasks, first)
  local subtask, parallelism = tonumber(self.call.subtask), tonumber(self.call.parallelism)
  if kind == "broadcast" then return broadcast_state.share(lists, subtask), first end
  if kind == "union_list" then return operator_list.union(lists), first end
  if subtasks == parallelism and #lists == parallelism then return lists[subtask + 1], first end
  return operator_list.split(lists, subtask, parallelism, first)
end

--- Take over what was saved (CALL_OPEN).
function OperatorState:restore()
  local parts, first = saved.restored(self.call), 0
  for _, name in ipairs(self.names) do
    local descriptor = self.descriptors[name]
    local lists, version = lists_of(parts, name)
    if lists then
      local share
      share, first = share_of(self, descriptor.kind, lists, #parts, first)
      kinds[descriptor.kind].restore(self.states[name], migrated(name, descriptor, share, version))
    end
  end
end

--- Save everything (CALL_SNAPSHOT).
function OperatorState:save()
  local part = {}
  for _, name in ipairs(self.names) do
    local descriptor = self.descriptors[name]
    part[name] = { version = descriptor.version, items = kinds[descriptor.kind].saved(self.states[name]) }
  end
  saved.save(self.call, part)
end

--- Put the states under their names, to be written or only read.
---@param target table the step's `self`
---@param side "writer"|"reader"
function OperatorState:bind(target, side)
  for _, name in ipairs(self.names) do target[name] = self.states[name][side] end
end

--- A callback for one record, after which its writes stay.
---@param fn function
---@return function
function OperatorState:committing(fn)
  if not self.journal.kept then return fn end
  return function(...)
    fn(...)
    self.journal:commit()
  end
end

--- Take over what was saved, and put it under its names.
---@param target table the step's `self`
function OperatorState:open(target)
  self:restore()
  self:bind(target, "writer")
end

--- What was written so far stays.
function OperatorState:commit() self.journal:commit() end

--- Take back what a record wrote whose callback failed. To be called before anything else is done.
function OperatorState:rollback() self.journal:rollback() end

return M
