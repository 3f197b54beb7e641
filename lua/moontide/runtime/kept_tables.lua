--- Finds finished traces that take a table of the round before for one of other fields (LuaJIT #994, mended by "Fix handling
--- of instable types in TNEW/TDUP load forwarding" of June 2023).
---
--- Where a loop keeps a table that it makes, as in `last = { late = true, n = i }`, its second round is made of the first,
--- and what is read from that table is known by the text it was made of. If the first round met another table, say one without
--- `late`, its type is still the one that was met then: a number or a text is garbage (wrong_constants.lua finds it), nil, false
--- or true is taken for known, and `if last.late` for decided.
---
--- So what is looked for: a field of the latter types, read from a table that the next round may hold a made one for, where
--- that one's text has something else, which the loop does not write, and which the second round does not read.
---
--- Where the type is one of objects, the compiler may look into what is none while it makes the second round: `#last.name` ends
--- the process. So such a field is looked for before.
local bit = require "bit"
local trace_code = require "moontide.runtime.trace_code"
local _, util = pcall(require, "jit.util")

require("jit").off(true, true) -- as trace_guard.lua is

local operation = trace_code.operation
local is_load, is_table_store = trace_code.operations("ALOAD", "HLOAD"), trace_code.operations("ASTORE", "HSTORE")

local slot_shift, place_mask, place_bias = 24, 0xffff, 0x8000

local types = { [0] = "nil", [1] = "false", [2] = "true" }
local object_types = { [4] = "string", [8] = "function", [10] = "cdata", [11] = "table", [12] = "userdata" }

local function type_of(value)
  return type(value) == "boolean" and tostring(value) or type(value)
end

local Loop = {}
Loop.__index = Loop

-- What a trace does up to where its second round begins, if it has one that was made of the first. `wanted`: the types of
-- the fields whose reads matter.
local function first_round(trace, wanted)
  local loop = setmetatable({ trace = trace, wanted = wanted, made = {}, reads = {}, written = {}, stored = {} }, Loop)
  loop.last = util.traceinfo(trace).nins
  for place = 1, loop.last do
    local kind, left, right, of_type = trace_code.at(trace, place)
    if kind == operation.LOOP then
      loop.middle = place
      return loop
    end
    loop:meet(place, kind, left, right, of_type)
  end
  return loop
end

function Loop:meet_read(left, of_type)
  if not self.wanted[of_type] then return end
  local owner, part, key = trace_code.field_of(self.trace, left)
  if key ~= nil then self.reads[#self.reads + 1] = { owner = owner, part = part, key = key, was = self.wanted[of_type] } end
end

function Loop:meet_write(left, value)
  self.stored[value] = true
  local owner, part, key = trace_code.field_of(self.trace, left)
  if key == nil then return end
  self.written[owner] = self.written[owner] or { array = {}, hash = {} }
  self.written[owner][part][key] = true
end

function Loop:meet(place, kind, left, right, of_type)
  if kind == operation.TDUP then
    self.made[place] = util.tracek(self.trace, left)
  elseif is_load[kind] then
    self:meet_read(left, of_type)
  elseif is_table_store[kind] then
    self:meet_write(left, right)
  elseif kind == operation.USTORE then
    self.stored[right] = true
  end
end

-- Does a slot of the stack hold a made table where the second round begins?
function Loop:is_held_by(slot, made)
  local held, number = nil, 0
  local snapshot = util.tracesnap(self.trace, number)
  while snapshot and snapshot[0] <= self.middle do
    held, number = snapshot, number + 1
    snapshot = util.tracesnap(self.trace, number)
  end
  for i = 2, #held do
    if bit.rshift(held[i], slot_shift) == slot then return bit.band(held[i], place_mask) - place_bias == made end
  end
  return false
end

function Loop:may_become(owner, made, is_held)
  local kind, slot = trace_code.at(self.trace, owner)
  if kind == operation.SLOAD then return is_held(self, slot, made) end
  return self.stored[made] and not self.made[owner]
end

function Loop:is_read_again(read, made)
  for place = self.middle + 1, self.last do
    local kind, left = trace_code.at(self.trace, place)
    if is_load[kind] then
      local owner, part, key = trace_code.field_of(self.trace, left)
      if owner == made and part == read.part and key == read.key then return true end
    end
  end
  return false
end

-- Is what was read known, by the text of a made table, as something else?
function Loop:differs(made, text, read)
  local written = self.written[made]
  return read.was ~= type_of(rawget(text, read.key)) and not (written and written[read.part][read.key])
end

-- For any made table, and any read of a table that the next round may hold that one for.
function Loop:any(is_held, is_wrong)
  for made, text in next, self.made do
    for _, read in ipairs(self.reads) do
      if self:differs(made, text, read) and self:may_become(read.owner, made, is_held) and is_wrong(self, read, made) then return true end
    end
  end
  return false
end

local function is_not_read_again(loop, read, made) return not loop:is_read_again(read, made) end
local function always() return true end

local M = {}

--- May a finished trace take a table that it keeps for one of other fields?
---@param trace integer
---@return boolean
function M.are_mistaken(trace)
  local loop = first_round(trace, types)
  return loop.middle ~= nil and loop:any(Loop.is_held_by, is_not_read_again)
end

--- May the compiler come upon an object that is none when it makes a second round of what was recorded?
---@param trace integer that is being recorded, and has come to its end
---@param is_written fun(slot: integer): boolean may a slot of the stack have been written to?
---@return boolean
function M.are_dangerous(trace, is_written)
  local loop = first_round(trace, object_types)
  return loop:any(function(_, slot) return is_written(slot) end, always)
end

return M
