--- Keeps three faults of LuaJIT of March 2022 away from jobs. All can be seen in the code of a trace, which may also look
--- so without being wrong. It is thrown away before it runs, with all others. Because of the first two, each step is
--- watched from then on while traces are recorded, which makes recording slower, not what was recorded.
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
local bit = require "bit"
local jit = require "jit"
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
}

-- What is C and measures a list.
local measuring = { [table.concat] = true, [table.insert] = true }

-- By function: its instructions that need care, by place. A trace takes tens of thousands of steps until it stands.
local points = setmetatable({}, { __mode = "k" })

-- By trace: the place where its tree of traces began. By such a place: must tables be made where they stand?
local roots, unsunk = {}, {}

local lists, start_at -- of the trace that is being recorded
local is_watching, is_unforwarded, is_unlooped, is_unsunk = false, false, false, false

local function set_back()
  is_unforwarded = false
  jit.opt.start("+fwd")
end

local function set_all_back()
  if is_unforwarded then set_back() end
  if is_unlooped then jit.opt.start("+loop") end
  is_unlooped = false
end

local function before_length(trace)
  lists = lists or trace_code.lists(trace)
  lists:read_on()
  if not lists.is_stale then return end
  M.lengths = M.lengths + 1
  is_unforwarded = true
  jit.opt.start("-fwd")
end

local function before_end_of_loop()
  lists:read_on()
  if is_unlooped or not lists:is_unstable_loop() then return end
  is_unlooped = true
  jit.opt.start("-loop")
end

-- Varargs of a function that was called since are known well. Any setting of the compiler ends recording.
local function give_up(_, depth)
  if depth > 0 then return end
  M.varargs = M.varargs + 1
  jit.on()
end

local function points_of(fn)
  local found, wanted = {}, trace_code.instruction
  for at = 1, util.funcinfo(fn).bytecodes - 1 do
    local word = util.funcbc(fn, at)
    local instruction = bit.band(word, 0xff)
    if instruction == wanted.LEN then
      found[at] = before_length
    elseif instruction == wanted.VARG and bit.rshift(word, 24) > 1 then
      found[at] = give_up
    end
  end
  points[fn] = found
  return found
end

-- An instruction is about to be recorded, `depth` calls into the trace. In a function of C, `at` is below 0.
local function record(trace, fn, at, depth)
  if is_unforwarded then set_back() end
  if at < 0 then
    if measuring[fn] then before_length(trace) end
    return
  end
  local act = (points[fn] or points_of(fn))[at]
  if act then act(trace, depth) end
  if lists and depth == 0 and at == start_at then before_end_of_loop() end
end

local function sink_or_not(root)
  local must_not = unsunk[root] or false
  if is_unsunk ~= must_not then jit.opt.start(must_not and "-sink" or "+sink") end
  is_unsunk = must_not
end

--- A trace begins.
---@param trace integer
---@param fn function
---@param at integer
---@param parent integer? the trace that it goes on from
function M.start(trace, fn, at, parent)
  set_all_back()
  lists, start_at = nil, at
  roots[trace] = parent and roots[parent] or trace_code.place_of(fn, at)
  sink_or_not(roots[trace])
end

local function watch()
  is_watching = true
  jit.attach(record, "record")
end

--- A trace was made.
---@param trace integer
function M.stop(trace)
  set_all_back()
  local made, root = trace_code.lists(trace), roots[trace]
  made:read_on()
  local is_doubtful = not is_watching and (made.takes_varargs or made:is_in_doubt())
  local is_twofold = made.repeats_fields and not unsunk[root]
  if is_doubtful then watch() end
  if is_twofold then
    M.fields = M.fields + 1
    unsunk[root] = true
  end
  if is_doubtful or is_twofold then jit.flush() end
end

--- A trace was given up.
M.abort = set_all_back

return M
