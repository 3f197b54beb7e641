--- List state of a subtask that has no keys: split among the subtasks when their
--- number changes (S46), or given to all of them whole (S47). Elements are kept packed.
local check_list = require "moontide.runtime.check_list"
local methods = require "moontide.runtime.methods"
local packing = require "moontide.runtime.packing"

local OperatorList = {}

local function put_back(self, _, items) self.items = items end

local function replace(self, items)
  self.journal:note(put_back, self, nil, self.items)
  self.items = items
end

--- The elements as a Lua list: empty if there are none.
function OperatorList:get()
  local list = {}
  for i, item in ipairs(self.items) do list[i] = packing.unpack(item) end
  return list
end

local function take_off(items, place) items[place] = nil end

local function append(self, item)
  local items, count = self.items, #self.items + 1
  self.journal:note(take_off, items, count)
  items[count] = item
end

function OperatorList:add(value)
  if value == nil then error("list state: nil cannot be an element (mt.null can)", 2) end
  append(self, packing.pack(value))
end

-- All of them before the first is kept: one that cannot be stored changes nothing.
local function pack_all(list, length)
  local items = {}
  for i = 1, length do items[i] = packing.pack(list[i]) end
  return items
end

function OperatorList:add_all(list)
  for _, item in ipairs(pack_all(list, check_list(list))) do append(self, item) end
end

function OperatorList:update(list)
  replace(self, pack_all(list, check_list(list)))
end

function OperatorList:clear() replace(self, {}) end

local M = {}

---@param name string
---@param journal OperatorJournal
function M.new(name, journal)
  local list = methods(OperatorList, "a list state", { items = {}, journal = journal, name = name })
  return { list = list, writer = list, reader = list }
end

--- Is the item at this place of what is saved a value?
function M.is_value() return true end

--- What is to be saved.
---@return string[]
function M.saved(state) return state.list.items end

function M.restore(state, items)
  for i, item in ipairs(items) do state.list.items[i] = item end
end

local function joined(lists)
  local all = {}
  for _, list in ipairs(lists) do
    for _, item in ipairs(list) do all[#all + 1] = item end
  end
  return all
end

--- S47: everybody gets everything.
---@param lists string[][] of the old subtasks, in order
function M.union(lists) return joined(lists) end

--- S46: contiguous runs of equal length; what is left over goes one each to the subtasks from `first` on. Answers the
--- share of `subtask`, and where the next state begins, so that not all that is left over lands on the same subtasks.
---@param lists string[][] of the old subtasks, in order
---@param subtask integer
---@param parallelism integer
---@param first integer
---@return string[] share
---@return integer next_first
function M.split(lists, subtask, parallelism, first)
  local all = joined(lists)
  local size, over = math.floor(#all / parallelism), #all % parallelism
  local turn = (subtask - first) % parallelism
  local start, share = turn * size + math.min(turn, over), {}
  for i = 1, size + (turn < over and 1 or 0) do share[i] = all[start + i] end
  return share, (first + over) % parallelism
end

return M
