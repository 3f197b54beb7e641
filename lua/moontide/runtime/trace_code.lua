--- What LuaJIT's compiler writes, read while it does: numbers of instructions, the lists that a trace measures and
--- writes to, and the tables that it makes (runtime/code_guard.lua says what for).
local bit = require "bit"
local has_util, util = pcall(require, "jit.util")
local has_names, names = pcall(require, "jit.vmdef")

require("jit").off(true, true) -- as trace_guard.lua is

local M = {
  --- Can traces be read here?
  is_readable = has_util and has_names,
  --- Numbers of instructions of functions, by name.
  instruction = {},
  --- Numbers of instructions of traces, by name.
  operation = {},
}

local name_bytes, type_mask = 6, 0x1f
local operation = M.operation

-- The number of a name in a text of names of one width.
local function number_in(text, name)
  name = name .. (" "):rep(name_bytes - #name)
  local at = text:find(name, 1, true)
  while at and (at - 1) % name_bytes ~= 0 do at = text:find(name, at + 1, true) end
  return at and (at - 1) / name_bytes
end

if M.is_readable then
  for _, name in ipairs {
    "ALEN", "ALOAD", "AREF", "ASTORE", "FLOAD", "HLOAD", "HREF", "HREFK", "HSTORE", "LOOP", "NEWREF", "SLOAD", "TDUP", "TNEW", "USTORE",
  } do
    operation[name] = number_in(names.irnames, name)
  end
  for _, name in ipairs { "LEN", "VARG" } do M.instruction[name] = number_in(names.bcnames, name) end
end

--- Some instructions of functions, by name, as a set by number.
---@param ... string
---@return table<integer, true>
function M.instructions(...)
  local set = {}
  for _, name in ipairs(M.is_readable and { ... } or {}) do
    local number = number_in(names.bcnames, name)
    if number then set[number] = true end
  end
  return set
end

--- Some instructions of traces, by name, as a set by number.
---@param ... string
---@return table<integer, true>
function M.operations(...)
  local set = {}
  for _, name in ipairs { ... } do
    if operation[name] then set[operation[name]] = true end
  end
  return set
end

--- Reasons for which traces are given up, by their texts, as a set by number.
---@param ... string
---@return table<integer, true>
function M.errors(...)
  local wanted, set = {}, {}
  for _, text in ipairs { ... } do wanted[text] = true end
  for number, text in pairs(names.traceerr or {}) do
    if wanted[text] then set[number] = true end
  end
  return set
end

--- A place in a script, by its function and the number of an instruction: closures of one place share their
--- instructions, which jit.off() and what is known of a loop are about.
---@param fn function
---@param instruction integer
---@return string
function M.place_of(fn, instruction)
  local info = util.funcinfo(fn)
  return ("%s:%d:%d"):format(info.source or "?", info.linedefined or 0, instruction)
end

--- An instruction of a trace: its number, its operands (places, those of constants below 1), and its type.
---@param trace integer
---@param place integer
---@return integer?, integer?, integer?, integer?
function M.at(trace, place)
  if place < 1 then return end -- a constant
  local _, kind, left, right = util.traceir(trace, place)
  if kind then return bit.rshift(kind, 8), left, right, bit.band(kind, type_mask) end
end

local at = M.at

local is_field, is_within = M.operations("AREF", "HREF", "HREFK", "NEWREF"), M.operations("AREF", "HREFK")

--- What an instruction finds a field by: the place of its table, which part of that, and the key where it is known. For the
--- compiler a number in the one part is not in the other.
---@param trace integer
---@param place integer
---@return integer? owner
---@return "array"|"hash"|nil part
---@return any key
function M.field_of(trace, place)
  local kind, owner, key = at(trace, place)
  if not is_field[kind] then return end
  if is_within[kind] then
    local from, of = at(trace, owner)
    if from ~= operation.FLOAD then return end
    owner = of
  end
  local part = kind == operation.AREF and "array" or "hash"
  if key < 1 then return owner, part, (util.tracek(trace, key)) end
  return owner, part
end

local function is_made(trace, place)
  local kind = at(trace, place)
  return kind == operation.TNEW or kind == operation.TDUP
end

local function may_be_one(trace, a, b)
  return a ~= b and not (is_made(trace, a) and is_made(trace, b))
end

local Lists = {}
Lists.__index = Lists

--- What is known of the lists of a trace that is being recorded.
---@param trace integer
---@return table
function M.lists(trace)
  return setmetatable({
    trace = trace, read = 0, measured = {}, written = {}, current = {}, fields = {},
    is_stale = false, repeats_fields = false, copies_tables = false,
  }, Lists)
end

function Lists:meet_write(owner)
  self.written[owner] = true
  for other in next, self.current do
    if may_be_one(self.trace, other, owner) then self.is_stale = true end
  end
  self.current[owner] = nil
end

function Lists:meet_new_field(owner, key)
  if key >= 1 or not is_made(self.trace, owner) then return end -- no constant, or no table that is made here
  local field = owner .. " " .. key
  self.repeats_fields = self.repeats_fields or self.fields[field] ~= nil
  self.fields[field] = true
end

--- Read on, to the last instruction that was made of the trace. There is none where it was thrown away.
function Lists:read_on()
  local trace, info = self.trace, util.traceinfo(self.trace)
  local last = info and info.nins or 0
  for place = self.read + 1, last do
    local kind, left, right = at(trace, place)
    if kind == operation.ALEN then
      self.measured[left], self.current[left] = true, true
    elseif kind == operation.TDUP then
      self.copies_tables = true
    elseif kind == operation.NEWREF then
      self:meet_new_field(left, right)
    elseif kind == operation.ASTORE then
      local owner, part = M.field_of(trace, left)
      if part == "array" then self:meet_write(owner) end
    end
  end
  self.read = math.max(self.read, last)
end

--- May a list that is measured each time, and by that name never written to, be written to by another name?
---@return boolean
function Lists:is_unstable_loop()
  for list in next, self.measured do
    for owner in next, self.written do
      if not self.written[list] and may_be_one(self.trace, list, owner) then return true end
    end
  end
  return false
end

return M
