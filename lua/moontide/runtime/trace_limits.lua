--- How much LuaJIT may compile. By default it keeps a thousand traces and half a megabyte of machine code for a
--- Lua state, and throws all of it away when there is more: a job of many steps, or one that meets many kinds of values,
--- would compile for most of its time. Nothing is taken before it is needed.
---
--- One trace holds a record's whole way through a step, with all that the author's function calls: a call of a state is
--- some fifty instructions and ten constants. What does not fit into it is left to the interpreter altogether, thirty times as slow.
local jit = require "jit"

local M = {}

--- For this Lua state. What a script sets afterwards, by jit.opt.start(), counts.
function M.raise()
  jit.opt.start("maxtrace=8000", "maxmcode=16384") -- traces, KB
  jit.opt.start("maxrecord=16000", "maxirconst=4000") -- of one trace
end

return M
