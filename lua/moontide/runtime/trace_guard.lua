--- Keeps faults of LuaJIT before July 2022 (Debian 12's is of March) away from jobs.
---
--- Where a compiled `next` or `pairs` answers its two results in each other's registers, they are
--- swapped by an instruction of 32 bits, which cuts the upper half off an address: the trace dies
--- with SIGSEGV as soon as it runs (LuaJIT #829, mended by "x64: Fix RETHI/RETLO swap after
--- call"). It takes a loop in which many values are alive, such as a walk through nested tables.
--- A trace that holds such a swap is thrown away before it ever runs, with all others, as some
--- may lead to it. What is compiled anew hardly ever has it again: which registers are free
--- depends on the order in which the parts of a loop were met; a function that has it time and
--- again is left to the interpreter.
---
--- A loop over pairs() within which another loop runs cannot begin a trace, and after some tries
--- LuaJIT stops trying: it makes a plain loop of it, which holds a key where it held a number before.
--- Traces of the inner loop that go on into the outer one take that key for the number: the loop ends
--- too early, without any sign (LuaJIT #827, mended by "Add missing check for LJ_KEYINDEX in ITERN
--- recording"). So all traces are thrown away when that happens, which it does once to a loop.
---
--- A number that pairs() or next() answers is not read at once where its only use lies further on, but by the
--- instruction that uses it: what was written to the table in between, or answered by another next(), is taken
--- for it. `t[key] = nil; sum = sum + value` makes sum nil (mended by "x86/x64: Limit VLOAD fusion to simple cases"
--- of July 2022, reported without a number). So instructions read nothing from memory on their own, which costs
--- nothing that could be measured.
---
--- A tool that watches traces itself (jit.v, jit.dump) takes the guard's place.
local has_util, util = pcall(require, "jit.util")
local bit = require "bit"
local code_guard = require "moontide.runtime.code_guard"
local jit = require "jit"
local trace_code = require "moontide.runtime.trace_code"

-- What LuaJIT calls while it begins a trace must not be compiled itself: behind a call of C such a trace goes on
-- in the function that is being traced.
jit.off(true, true)

local M = {
  --- How many flawed traces were thrown away in this Lua state.
  dropped = 0,
  --- How many loops over pairs() were made plain ones.
  despecialized = 0,
}

local tries_max = 3
local call, swap = "\xE8", 0x92
local call_bytes = 5
-- Between a call and the swap: both results may be written to the stack.
local stores = { "^H?\x89[\x44\x54]$.", "^H?\x89[\x84\x94]$...." }

-- Addresses of the C functions that compiled code calls.
local function functions()
  local set, i = {}, 0
  while true do
    local address = util.ircalladdr(i)
    if not address then return set end
    set[address], i = true, i + 1
  end
end

local function signed_at(code, at)
  local a, b, c, d = code:byte(at, at + 3)
  return bit.tobit(a + b * 0x100 + c * 0x10000 + d * 0x1000000)
end

local function behind_stores(code, at)
  local from
  repeat
    from = at
    for _, store in ipairs(stores) do
      local _, last = code:find(store, at)
      if last then at = last + 1 end
    end
  until at == from
  return at
end

--- Does machine code swap the results of a call by 32 bits?
---@param code string
---@param address number where its first byte lies
---@param targets table<number, boolean> addresses of what it may call
---@return boolean
function M.is_flawed(code, address, targets)
  local at = code:find(call, 1, true)
  while at and at + call_bytes <= #code do
    local target = address + at - 1 + call_bytes + signed_at(code, at + 1)
    if targets[target] and code:byte(behind_stores(code, at + call_bytes)) == swap then return true end
    at = code:find(call, at + 1, true)
  end
  return false
end

local function operation_at(fn, at)
  local instruction = util.funcbc(fn, at)
  return instruction and bit.band(instruction, 0xff)
end

-- How the bytecode of a loop over pairs() goes on: with this instruction and two more.
local function pairs_operation()
  local probe = assert(loadstring "for _ in pairs {} do end")
  return operation_at(probe, util.funcinfo(probe).bytecodes - 3)
end

-- LuaJIT as of before August 2023, when releases began to go by dates.
local function is_old()
  return jit.version:find("beta", 1, true) ~= nil
end

-- Throw away flawed traces as they are made.
local function swap_guard()
  local targets, tries, start = functions(), {}, nil
  return {
    start = function(_, fn) start = fn end,
    stop = function(trace)
      local code, address = util.tracemc(trace)
      if not code or not M.is_flawed(code, address, targets) then return end
      M.dropped = M.dropped + 1
      local place = trace_code.place_of(start, 0)
      tries[place] = (tries[place] or 0) + 1
      if tries[place] >= tries_max then jit.off(start) end
      jit.flush()
    end,
  }
end

-- Throw away all traces where a loop over pairs() has been made a plain one.
local function pairs_guard()
  local over_pairs, start, start_at = pairs_operation(), nil, nil
  return {
    start = function(_, fn, at) start, start_at = operation_at(fn, at) == over_pairs and fn or nil, at end,
    abort = function()
      if not start or operation_at(start, start_at) == over_pairs then return end
      M.despecialized = M.despecialized + 1
      jit.flush()
    end,
  }
end

local function guard()
  local guards = { swap_guard(), pairs_guard() }
  if trace_code.is_readable and is_old() then
    guards[3] = code_guard
    code_guard.install()
  end
  return function(what, ...)
    for i = 1, #guards do
      local handle = guards[i][what]
      if handle then handle(...) end
    end
  end
end

local function is_watched()
  return next(debug.getregistry()._VMEVENTS or {}) ~= nil
end

--- Watch this Lua state's traces, unless somebody watches them already.
function M.install()
  if is_old() then jit.opt.start("-fuse") end
  if has_util and jit.arch == "x64" and not is_watched() then jit.attach(guard(), "trace") end
end

return M
