--- Keeps four faults of LuaJIT of March 2022 away from jobs. All can be seen in the code of a trace, which may also look
--- so without being wrong. It is thrown away before it runs, with all others, or what leads to it is seen while it is recorded.
---
--- `local a, b = ...` within a loop, or behind one, takes the values one place further on (LuaJIT #864, mended by
--- "LJ_GC64: Fix IR_VARG offset for fixed number of results"). Recording ends there: the interpreter does that.
---
--- The length of a list, read once, is taken to be the same as long as nothing is written to it by the same name
--- ("Fix alias analysis for table length forwarding" of May 2022): if the list goes by two names, `#list` is wrong
--- behind an append by the other. Where that may be, the length is read anew, and a loop is not taken apart: its
--- second round would be made of the first, without recording.
---
--- A table that is not needed before a trace is left is made only there. If a field was set twice, as in
--- `answer.valid = false; answer.valid = is_valid(record)`, it is put into the table twice by the trace that goes on
--- from there, where what is read is the first value (LuaJIT #1128, mended by "Emit sunk IR_NEWREF only once per key on
--- snapshot replay"). What begins at the place where that began makes its tables where they stand, from then on.
---
--- A table that a loop makes and keeps may be taken for one of other fields in the next round (kept_tables.lua), which may end
--- the process while the compiler takes the loop apart. What begins at the place where that began is not taken apart from
--- then on.
---
--- Beside the faults: what a loop holds from round to round may be more than a trace has room for, and what is given up
--- some ten times is interpreted for ever. After the second time it is not taken apart any more.
local bit = require "bit"
local bytecode = require "moontide.runtime.bytecode"
local has_wrong_constants = require "moontide.runtime.wrong_constants"
local jit = require "jit"
local kept_tables = require "moontide.runtime.kept_tables"
local trace_code = require "moontide.runtime.trace_code"
local _, util = pcall(require, "jit.util")

jit.off(true, true) -- as trace_guard.lua is

local M = {
  --- How many recordings ended at varargs in this Lua state.
  varargs = 0,
  --- How many lengths were read anew.
  lengths = 0,
  --- How many traces were thrown away that put a field into a table twice.
  fields = 0,
  --- How many were thrown away, or not taken apart, that might have taken a table for another.
  tables = 0,
}

-- What is C and measures a list.
local measuring = { [table.concat] = true, [table.insert] = true }

-- By function, and by place in it: what is to be done before an instruction is recorded, which register it writes to, from which
-- on it may write to all, and whether a loop may end with it. A trace takes tens of thousands of steps until it stands.
local points = setmetatable({}, { __mode = "k" })

-- Traces that go on from others may end with these and begin behind them.
local ends_loop = trace_code.instructions("FORL", "IFORL", "JFORL", "ITERL", "IITERL", "JITERL", "LOOP", "ILOOP", "JLOOP")
-- These write to the register below theirs as well.
local passes_control = trace_code.instructions("ITERL", "IITERL", "JITERL")

-- By trace: the place where its tree of traces began. By such a place: the parts of the compiler that what begins there
-- does without.
local roots, without = {}, {}

-- By such a place: how often the loop that began there was too much for a trace.
local given_up = {}
local tries_max = 2
local is_too_much = trace_code.errors("too many spill slots", "too many snapshots", "too many PHIs", "NYI: PHI shuffling too complex",
  "NYI: register coalescing too complex", "machine code too long")

-- Of the trace that is being recorded: where it began, and how many calls into the tree of traces that was; `loop_root`: the
-- place of one that began by itself; `written`: registers of the function that it began in, and all from `written_from` on.
local lists, start_at, start_depth, loop_root
local written, written_from = {}, math.huge
local is_off = { fwd = false, loop = false, sink = false }

-- Does the collector wait until the trace is made, or given up? Until then, and until it is thrown away, it may hold what
-- is no object (wrong_constants.lua).
local is_held = false

local function hold_collector()
  if is_held or not collectgarbage "isrunning" then return end
  collectgarbage "stop"
  is_held = true
end

local function release_collector()
  if is_held then collectgarbage "restart" end
  is_held = false
end

local function turn(part, off)
  if is_off[part] == off then return end
  is_off[part] = off
  jit.opt.start((off and "-" or "+") .. part)
end

local function turn_all_for(root)
  for part in next, is_off do turn(part, without[root] ~= nil and without[root][part] or false) end
end

-- From now on what begins at a place does without a part of the compiler, if it did not before.
local function do_without(part, root)
  local parts = without[root] or {}
  without[root] = parts
  local is_new = not parts[part]
  parts[part] = true
  return is_new
end

local function before_length(trace)
  lists = lists or trace_code.lists(trace)
  lists:read_on()
  if not lists.is_stale then return end
  M.lengths = M.lengths + 1
  turn("fwd", true)
end

local function is_unstable()
  if not lists then return false end
  lists:read_on()
  return (lists:is_unstable_loop())
end

-- Where a trace begins within calls, nothing tells which slots are its function's registers.
local function is_written(slot)
  local register = slot - bytecode.arguments_at
  return start_depth > 0 or written[register] or register >= written_from
end

local function before_end_of_loop(trace)
  if is_unstable() then turn("loop", true) end
  if not kept_tables.are_dangerous(trace, is_written) then return end
  if do_without("loop", roots[trace]) then M.tables = M.tables + 1 end
  turn("loop", true)
end

-- Varargs of a function that was called since are known well. Any setting of the compiler ends recording.
local function give_up(_, depth)
  if depth > 0 then return end
  M.varargs = M.varargs + 1
  jit.on()
end

local function points_of(fn)
  local found, wanted = { acts = {}, writes = {}, writes_from = {}, ends = {} }, trace_code.instruction
  for at = 1, util.funcinfo(fn).bytecodes - 1 do
    local word, mode = util.funcbc(fn, at)
    local instruction, register, kind = bit.band(word, 0xff), bit.band(bit.rshift(word, 8), 0xff), bit.band(mode, 7)
    if instruction == wanted.LEN then
      found.acts[at] = before_length
    elseif instruction == wanted.VARG and bit.rshift(word, 24) > 1 then
      found.acts[at] = give_up
    end
    found.ends[at] = ends_loop[instruction]
    if kind == bytecode.dst then
      found.writes[at] = register
    elseif kind == bytecode.base then
      found.writes_from[at] = passes_control[instruction] and register - 1 or register
    end
  end
  points[fn] = found
  return found
end

-- An instruction is about to be recorded, `depth` calls into the trace. In a function of C, `at` is below 0.
local function record(trace, fn, at, depth)
  turn("fwd", false)
  if at < 0 then
    if measuring[fn] then before_length(trace) end
    return
  end
  local found = points[fn] or points_of(fn)
  local act = found.acts[at]
  if act then act(trace, depth) end
  start_depth = start_depth or depth
  if depth ~= start_depth then return end
  if at == start_at or found.ends[at] then before_end_of_loop(trace) end
  local register, from = found.writes[at], found.writes_from[at]
  if register then written[register] = true end
  if from and from < written_from then written_from = from end
end

--- A trace begins.
---@param trace integer
---@param fn function
---@param at integer
---@param parent integer? the trace that it goes on from
function M.start(trace, fn, at, parent)
  hold_collector()
  lists, start_at, start_depth, written, written_from = nil, at, nil, {}, math.huge
  roots[trace] = parent and roots[parent] or trace_code.place_of(fn, at)
  loop_root = not parent and roots[trace] or nil
  turn_all_for(roots[trace])
end

--- A trace was made.
---@param trace integer
function M.stop(trace)
  local made, root = trace_code.lists(trace), roots[trace]
  made:read_on()
  local is_twofold = made.repeats_fields and do_without("sink", root)
  if is_twofold then M.fields = M.fields + 1 end
  local is_wrong = made.copies_tables and has_wrong_constants(trace)
  local is_mistaken = made.copies_tables and (is_wrong or kept_tables.are_mistaken(trace)) and do_without("loop", root)
  if is_mistaken then M.tables = M.tables + 1 end
  if is_twofold or is_mistaken or is_wrong then jit.flush() end
  release_collector()
end

--- A trace was given up.
---@param reason integer
function M.abort(_, _, _, reason)
  release_collector()
  if not is_too_much[reason] or not loop_root then return end
  given_up[loop_root] = (given_up[loop_root] or 0) + 1
  if given_up[loop_root] >= tries_max then do_without("loop", loop_root) end
end

--- To be called once.
function M.install() jit.attach(record, "record") end

return M
