--- The instructions of a function, for the analyses of user code: their operands,
--- what kind each operand is, and the few operations that matter by name.
local bit = require "bit"
local has_util, util = pcall(require, "jit.util")

local M = { available = has_util }

local band, rshift = bit.band, bit.rshift

-- Kinds of operands, as lj_bc.h numbers them.
M.dst, M.base, M.var, M.rbase, M.literal, M.jump = 1, 2, 3, 4, 6, 13

---@class Instruction
---@field op integer
---@field a integer
---@field b integer 0 where there is none
---@field c integer the last operand, of 8 or 16 bits
---@field mode_a integer
---@field mode_b integer 0: there is no such operand
---@field mode_c integer

--- The instruction at `pc` (from 1), or nil behind the last.
---@return Instruction?
function M.at(fn, pc)
  local word, mode = util.funcbc(fn, pc)
  if not word then return nil end
  local instruction = {
    op = band(word, 0xff), a = band(rshift(word, 8), 0xff), b = 0, c = rshift(word, 16),
    mode_a = band(mode, 7), mode_b = band(rshift(mode, 3), 15), mode_c = band(rshift(mode, 7), 15),
  }
  if instruction.mode_b ~= 0 then instruction.b, instruction.c = rshift(word, 24), band(instruction.c, 0xff) end
  return instruction
end

--- The constant text, table or prototype that operand `c` names.
function M.constant(fn, c)
  return util.funck(fn, -c - 1)
end

--- The constant number that operand `c` names.
function M.number(fn, c)
  return util.funck(fn, c)
end

--- The instructions of a function that can be told from them alone, and how many parameters it has. Nil where
--- it has inner functions, which see its locals, takes any number of arguments, or has been compiled: the
--- compiler writes over the instructions that its traces begin at.
---@return Instruction[]?, integer?
function M.read(fn, count_max)
  local info = has_util and type(fn) == "function" and util.funcinfo(fn) or {}
  if not info.params or info.isvararg or info.children or info.bytecodes > count_max then return nil end
  local code = {}
  for pc = 1, info.bytecodes - 1 do
    code[pc] = M.at(fn, pc)
    if not code[pc] or M.maybe_patched(code[pc]) then return nil end
  end
  return code, info.params
end

--- The number of a trace stands where a jump or a count stood. Some other instructions look the same.
function M.maybe_patched(at)
  return not M.names[at.op] and at.mode_b == 0 and at.mode_c == M.literal and (at.mode_a == M.base or at.mode_a == M.rbase)
end

local above = 1

local function samples()
  return {
    UGET = { 1, function() return above end },
    GGET = { 1, function() return math end },
    CAT = { 3, function(a, b) return a .. b end },
    POW = { 1, function(a, b) return a ^ b end },
    UNM = { 1, function(a) return -a end },
    LEN = { 1, function(a) return #a end },
    MOV = { 1, function(a) local b = a return b, b end },
    TGETS = { 1, function(a) return a.x end },
    TSETS = { 1, function(a, b) a.x = b end },
    TGETB = { 1, function(a) return a[1] end },
    TSETB = { 1, function(a, b) a[1] = b end },
    TDUP = { 1, function() return { x = 1 } end },
    TNEW = { 1, function() return {} end },
    KSTR = { 1, function() return "x" end },
    KSHORT = { 1, function() return 1 end },
    KNUM = { 1, function() return 1.5 end },
    KPRI = { 1, function() return true end },
    KNIL = { 1, function() local a, b return a, b end },
    IST = { 1, function(a) if not a then return 1 end end },
    ISF = { 1, function(a) if a then return 1 end end },
    ISTC = { 1, function(a, b) local c = a or b return c, c end },
    ISFC = { 1, function(a, b) local c = a and b return c, c end },
    ISEQP = { 1, function(a) if a ~= nil then return 1 end end },
    ISNEP = { 1, function(a) if a == nil then return 1 end end },
    CALL = { 2, function(f) f() end },
    CALLT = { 2, function(f) return f() end },
    CALLM = { 4, function(f, g) f(g()) end },
    CALLMT = { 4, function(f, g) return f(g()) end },
    ITERC = { 5, function(f) for a in f do return a end end },
    ITERL = { 6, function(f) for a in f do return a end end },
    FORI = { 4, function(a) for i = 1, a do a = i end end },
    FORL = { 6, function(a) for i = 1, a do a = i end end },
    RET0 = { 1, function() end },
    RET1 = { 1, function(a) return a end },
    RET = { 3, function(a, b) return a, b end },
  }
end

--- Operators by the beginning of their instructions' names. The end tells which operand is a register (V) and
--- which a constant (N).
M.arithmetic = { ADD = "+", SUB = "-", MUL = "*", DIV = "/", MOD = "%" }

local function add_arithmetic(list)
  for name, operator in pairs(M.arithmetic) do
    for ending, operands in pairs { VV = { "a", "b" }, VN = { "a", "3" }, NV = { "3", "a" } } do
      local text = ("return function(a, b) return %s %s %s end"):format(operands[1], operator, operands[2])
      list[name .. ending] = { 1, assert(loadstring(text))() }
    end
  end
  return list
end

--- Names by opcode, learnt from functions that are known to hold them: the numbers differ between LuaJITs.
M.names = {}
if has_util then
  for name, sample in pairs(add_arithmetic(samples())) do M.names[M.at(sample[2], sample[1]).op] = name end
  local call = function(f, a) f(a) end
  --- Registers between a called function and its first argument.
  M.arguments_at = M.at(call, 2).a - M.at(call, 1).a
end

-- Functions that change nothing and call nothing, which together hold the instructions that a test is made of.
local function tests()
  local list = {
    function(a, b) return a == b, a ~= b, a == "x", a ~= "x", a == 1, a ~= 1, a == nil, a ~= false end,
    function(a, b) return a < b, a <= b, a > b, a >= b, a < 1, a > 1 end,
    function(a, b) if a < b and a ~= "x" then return true end if not (a <= b) then return false end return nil end,
    function(a, b) if a == 1 or b ~= 2 or a == b then return not a end if a ~= b then return end return 1.5 end,
    function(a, b) local c = a or b local d = a and b return c, d, "x", 7 end,
    function(a) return a.x.y, above, -a, #a, a .. "x", a ^ 2 end,
    function(a) return a.x end,
    function(a) return a[1] end,
    function(a) return a end,
    function(a) return not a end,
  }
  for _, sample in pairs(add_arithmetic {}) do list[#list + 1] = sample[2] end
  return list
end

local testing = {}
for _, fn in ipairs(has_util and tests() or {}) do
  for _, at in ipairs(M.read(fn, 1000)) do testing[at.op] = true end
end

--- Does a function only compare and calculate? It then calls nothing, and nothing is another after it.
---@param fn function
---@param count_max integer
---@return boolean
function M.only_tests(fn, count_max)
  for _, at in ipairs(M.read(fn, count_max) or { { op = -1 } }) do
    if not testing[at.op] then return false end
  end
  return true
end

return M
