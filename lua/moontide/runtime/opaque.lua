--- Keeps a fault of LuaJIT away from records and state without any cost (kept_tables.lua is for tables that a job makes
--- itself: a loop that meets it is compiled less well). Where a compiled loop keeps a table from one
--- round to the next, as in `last = record`, LuaJIT before June 2023
--- takes the table of the round before for one of the same fields as that of the round that it
--- compiled. If they differ, what is read from it is wrong, without any sign (a sum becomes nil), or
--- the process ends with SIGSEGV (LuaJIT #994, mended by "Fix handling of instable types in TNEW/TDUP
--- load forwarding").
---
--- It happens only to tables that the compiler has seen being made. So tables that may differ in their
--- fields are written to memory and read again, with a write between them that might be to the same
--- place for all that the compiler knows: the answer may then be any table.
local handed, other = { false }, { false }

--- Its argument, of which a compiled loop knows nothing.
---@param value any
---@return any
return function(value)
  handed[1] = value
  other[1] = false
  return handed[1]
end
