--- Where the values in a function's registers come from, told from its byte code:
--- which parameter, which table constructor, which method call. The function is
--- walked until nothing new is found; where ways meet, a register may hold what
--- either way put there.
---
--- Sound, not complete: what is not understood is an unknown value, and a value
--- that is used in a way not understood has escaped. An extra way through the
--- function only adds possibilities, so jumps are read generously.
---
--- Functions that it calls by names that are never assigned again are walked along
--- with it, with what they are given.
local bytecode = require "moontide.runtime.bytecode"
local upvalues = require "moontide.runtime.upvalues"

local M = {}

-- Run once for a function: traces of it would only be in the way of those of the batch loops.
if jit then jit.off(true, true) end

local bytecodes_max = 10000
local levels_max, followed_max = 4, 100 -- of calls; of all those in a walk

--- Any value at all.
M.unknown = "unknown"
--- A number, text, boolean or nil.
M.scalar = "scalar"

---@class Listener what the walk is told to do with origins; all may be called many times for one place
---@field made fun(place: string, template: table?): string origin of a table that is made here
---@field field fun(origin: string, name: string|integer): string? origin of a field that is read
---@field store fun(origin: string, name: string|integer, values: table<string, true>): boolean? a field is written; true: where these go is known
---@field call fun(fn: string, arguments: table<string, true>[], place: string): string? origin of the result; nil: not understood
---@field escaped fun(origin: string)
---@field returned fun(origins: table<string, true>) the first value
---@field constant? fun(value: string|number): string? origin of a constant; without it they are M.scalar
---@field outside? fun(value: any): string? origin of what an upvalue or a global is now
---@field operate? fun(operator: string, ...: string): string? origin of a result, of the origins of the operands
---@field iterate? fun(iterator: string): string[]? origins of what an iterator answers for each round; nil: not understood

local unknown, scalar = { [M.unknown] = true }, { [M.scalar] = true }

-- ---- The walk of one function: what is known before each of its instructions ----
--
-- `self`: `fn`, `code`, `before` (registers by instruction), `pending` (instructions to walk), `listener`, `returned` (is
-- told of what the function answers), `path` (of the calls that led here), `level` (how many these are), and `walk`, which all
-- share: `helpers` (a list of functions that are called; each by its origin, and its origin by it) and `followed` (how often one was).

-- Places, as texts, are in the order in which they are in the byte code.
local function place(self, pc) return ("%s%05d"):format(self.path, pc) end

local function escape(self, origins)
  for origin in pairs(origins or unknown) do
    if origin ~= M.unknown and origin ~= M.scalar then self.listener.escaped(origin) end
  end
end

local function escape_from(self, registers, first)
  for register, origins in pairs(registers) do
    if register >= first then escape(self, origins) end
  end
end

local function forget_from(registers, first)
  for register in pairs(registers) do
    if register >= first then registers[register] = nil end
  end
end

--- The one origin of a register or argument, nil where it may have several.
---@param origins table<string, true>?
---@return string?
function M.only(origins)
  local first = next(origins or unknown)
  return next(origins or unknown, first) == nil and first or nil
end

local only = M.only

local run = {}

function run.MOV(_, at, registers) registers[at.a] = registers[at.c] end

local function constant(self, value)
  local origin = self.listener.constant and self.listener.constant(value)
  return origin and { [origin] = true } or scalar
end

function run.KPRI(_, at, registers) registers[at.a] = scalar end
function run.KSTR(self, at, registers) registers[at.a] = constant(self, bytecode.constant(self.fn, at.c)) end
function run.KNUM(self, at, registers) registers[at.a] = constant(self, bytecode.number(self.fn, at.c)) end
function run.KSHORT(self, at, registers) registers[at.a] = constant(self, at.c < 0x8000 and at.c or at.c - 0x10000) end

function run.KNIL(_, at, registers)
  for register = at.a, at.c do registers[register] = scalar end
end

function run.TDUP(self, at, registers, pc)
  registers[at.a] = { [self.listener.made(place(self, pc), bytecode.constant(self.fn, at.c))] = true }
end

function run.TNEW(self, at, registers, pc)
  registers[at.a] = { [self.listener.made(place(self, pc))] = true }
end

local function get(self, at, registers, name)
  local origins, found = registers[at.b] or unknown, nil
  for origin in pairs(origins) do
    found = self.listener.field(origin, name)
    if found and not only(origins) then
      self.listener.escaped(origin)
      found = nil
    end
  end
  registers[at.a] = found and { [found] = true } or unknown
end

function run.TGETS(self, at, registers) get(self, at, registers, bytecode.constant(self.fn, at.c)) end
function run.TGETB(self, at, registers) get(self, at, registers, at.c) end

local function set(self, at, registers, name)
  local values, is_known = registers[at.a] or unknown, true
  for origin in pairs(registers[at.b] or unknown) do is_known = self.listener.store(origin, name, values) and is_known end
  if not is_known then escape(self, values) end
end

function run.TSETS(self, at, registers) set(self, at, registers, bytecode.constant(self.fn, at.c)) end
function run.TSETB(self, at, registers) set(self, at, registers, at.c) end

-- Whether a value is true, or nil, tells nothing to anybody.
local function look() end
run.IST, run.ISF, run.ISEQP, run.ISNEP = look, look, look, look

local function copy_if(_, at, registers)
  local both = {}
  for origin in pairs(registers[at.a] or unknown) do both[origin] = true end
  for origin in pairs(registers[at.c] or unknown) do both[origin] = true end
  registers[at.a] = both
end
run.ISTC, run.ISFC = copy_if, copy_if

local function known(origin) return origin and { [origin] = true } or unknown end

local explore

-- All that a function may answer which is called here; nil where that cannot be told.
local function follow(self, fn, arguments, pc)
  local walk = self.walk
  if self.level == levels_max or walk.followed == followed_max then return nil end
  walk.followed = walk.followed + 1
  local answered, registers = {}, {}
  local function returned(given)
    for origin in pairs(given) do answered[origin] = true end
  end
  for i, given in ipairs(arguments) do registers[i - 1] = given end
  local called = { fn = fn, listener = self.listener, returned = returned, path = place(self, pc) .. ".", level = self.level + 1, walk = walk }
  return explore(called, registers) and answered or nil
end

local function call(self, at, registers, pc, count)
  local arguments, first = {}, at.a + bytecode.arguments_at
  for i = 1, count do arguments[i] = registers[first + i - 1] or unknown end
  local fn = only(registers[at.a]) or M.unknown
  local helper, result = self.walk.helpers[fn], nil
  if helper then
    result = follow(self, helper, arguments, pc)
  else
    local origin = self.listener.call(fn, arguments, place(self, pc))
    result = origin and known(origin)
  end
  if not result then
    escape(self, registers[at.a])
    for _, origins in ipairs(arguments) do escape(self, origins) end
  end
  forget_from(registers, at.a)
  return result
end

-- `extra`: what stands for the last arguments, those that another call answered. Only the first of them may be anything known.
local function call_of(extra)
  return function(self, at, registers, pc)
    registers[at.a] = call(self, at, registers, pc, at.c + extra) or unknown
  end
end
run.CALL, run.CALLM = call_of(-1), call_of(1)

local function tail_call_of(extra)
  return function(self, at, registers, pc)
    self.returned(call(self, at, registers, pc, at.c + extra) or unknown)
  end
end
run.CALLT, run.CALLMT = tail_call_of(-1), tail_call_of(1)

function run.RET0(self) self.returned(scalar) end
function run.RET1(self, at, registers) self.returned(registers[at.a] or unknown) end

function run.RET(self, at, registers)
  self.returned(registers[at.a] or unknown)
  for register = at.a + 1, at.a + at.c - 2 do escape(self, registers[register]) end
end

-- An instruction that is not known: what it may read has escaped, what it may write is unknown.
local function other(self, at, registers)
  local from_base, jumps = at.mode_a == bytecode.base, at.mode_c == bytecode.jump
  if at.mode_a == bytecode.var then escape(self, registers[at.a]) end
  if at.mode_b == bytecode.var then escape(self, registers[at.b]) end
  if at.mode_c == bytecode.var then escape(self, registers[at.c]) end
  if at.mode_b == bytecode.base or at.mode_b == bytecode.rbase then escape_from(self, registers, at.b) end
  if from_base or (at.mode_a == bytecode.rbase and not jumps) then
    escape_from(self, registers, at.a - 3) -- an iterator's function, state and control lie below its base
  end
  if at.mode_a == bytecode.dst then registers[at.a] = unknown end
  if from_base then forget_from(registers, at.a) end
end

-- A loop that counts: what lies from its base on are its numbers, and what its body is done with.
function run.FORI(self, at, registers)
  for register = at.a, at.a + 2 do escape(self, registers[register]) end
  forget_from(registers, at.a)
end

function run.FORL(_, at, registers) forget_from(registers, at.a) end

-- The end of a `for ... in`: the first of what its iterator answered becomes what that is asked with, below the base.
function run.ITERL() end

-- The round of a `for ... in`: its function, state and control lie below the base, what they answer from there on.
function run.ITERC(self, at, registers)
  local iterator = only(registers[at.a - 3])
  local answered = iterator and self.listener.iterate and self.listener.iterate(iterator)
  if not answered then return other(self, at, registers) end
  forget_from(registers, at.a)
  for i = 1, math.min(#answered, at.b - 1) do registers[at.a + i - 1] = { [answered[i]] = true } end
end

local function outside(self, value)
  return self.listener.outside and self.listener.outside(value)
end

-- A function that is called by the name of a local that is never assigned again.
local function helper(self, index, value)
  if type(value) ~= "function" or not upvalues.is_constant(self.fn, index) then return nil end
  local helpers = self.walk.helpers
  if not helpers[value] then
    local origin = ("helper %d"):format(#helpers + 1)
    helpers[#helpers + 1], helpers[origin], helpers[value] = value, value, origin
  end
  return helpers[value]
end

function run.UGET(self, at, registers)
  local index = at.c + 1
  local _, value = debug.getupvalue(self.fn, index)
  registers[at.a] = known(outside(self, value) or helper(self, index, value))
end

-- The environment may refuse to be asked for what is not there.
function run.GGET(self, at, registers)
  local is_there, value = pcall(function() return getfenv(self.fn)[bytecode.constant(self.fn, at.c)] end)
  registers[at.a] = known(is_there and outside(self, value))
end

-- The result of an operator, of operands that are sets of origins.
local function operate(self, at, registers, operator, ...)
  local result
  if self.listener.operate then
    local operands = { ... }
    for i, operand in ipairs(operands) do operands[i] = only(operand) or M.unknown end
    result = self.listener.operate(operator, unpack(operands))
  end
  other(self, at, registers)
  registers[at.a] = known(result)
end

local function register(registers, number) return registers[number] or unknown end

for name, operator in pairs(bytecode.arithmetic) do
  run[name .. "VV"] = function(self, at, registers)
    operate(self, at, registers, operator, register(registers, at.b), register(registers, at.c))
  end
  run[name .. "VN"] = function(self, at, registers)
    operate(self, at, registers, operator, register(registers, at.b), constant(self, bytecode.number(self.fn, at.c)))
  end
  run[name .. "NV"] = function(self, at, registers)
    operate(self, at, registers, operator, constant(self, bytecode.number(self.fn, at.c)), register(registers, at.b))
  end
end

function run.POW(self, at, registers) operate(self, at, registers, "^", register(registers, at.b), register(registers, at.c)) end
function run.UNM(self, at, registers) operate(self, at, registers, "-", register(registers, at.c)) end
function run.LEN(self, at, registers) operate(self, at, registers, "#", register(registers, at.c)) end

function run.CAT(self, at, registers)
  local operands = {}
  for number = at.b, at.c do operands[#operands + 1] = register(registers, number) end
  operate(self, at, registers, "..", unpack(operands))
end

-- Adds what a way brings to the registers before `pc`; that place is walked again if it is new.
local function meet(self, pc, registers)
  if not self.code[pc] then return end
  local before = self.before[pc]
  if not before then
    before, self.pending[pc] = {}, true
    for register, origins in pairs(registers) do
      before[register] = {}
      for origin in pairs(origins) do before[register][origin] = true end
    end
    self.before[pc] = before
    return
  end
  for register, known in pairs(before) do
    for origin in pairs(registers[register] or unknown) do
      if not known[origin] then known[origin], self.pending[pc] = true, true end
    end
  end
  -- A register that held nothing known on the first way stays unknown, and what it may hold has to be watched.
  for register, origins in pairs(registers) do
    if not before[register] then
      before[register], self.pending[pc] = { [M.unknown] = true }, true
      for origin in pairs(origins) do before[register][origin] = true end
    end
  end
end

-- The function ends there.
local ends = { RET0 = true, RET1 = true, RET = true, CALLT = true, CALLMT = true }

local function step(self, pc)
  local registers, at = {}, self.code[pc]
  for register, origins in pairs(self.before[pc]) do registers[register] = origins end
  local name = bytecode.names[at.op]
  if name then run[name](self, at, registers, pc) else other(self, at, registers) end
  if ends[name] then return end
  meet(self, pc + 1, registers)
  local behind = self.code[pc + 1]
  if behind and behind.mode_c == bytecode.jump then meet(self, pc + 2, registers) end
  if at.mode_c == bytecode.jump then meet(self, pc + 1 + at.c - 0x8000, registers) end
end

-- False where the function cannot be understood at all.
function explore(self, registers)
  local code, count = bytecode.read(self.fn, bytecodes_max)
  if not code then return false end
  self.code, self.before, self.pending = code, {}, {}
  local first = {}
  for register = 0, count - 1 do first[register] = registers[register] end
  meet(self, 1, first)
  while next(self.pending) do
    local pc = next(self.pending)
    self.pending[pc] = nil
    step(self, pc)
  end
  return true
end

--- Walk a function: false where it cannot be understood at all.
---@param fn function
---@param parameters (string|false)[] their origins
---@param listener Listener
---@return boolean
function M.walk(fn, parameters, listener)
  local registers = {}
  for i, origin in pairs(parameters) do registers[i - 1] = origin and { [origin] = true } or nil end
  local self = { fn = fn, listener = listener, returned = listener.returned, path = "", level = 0, walk = { helpers = {}, followed = 0 } }
  return explore(self, registers)
end

return M
