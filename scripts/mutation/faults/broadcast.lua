-- S48, S49 and S52 of broadcast state; "copies": what state hands out is a copy, as an author sees it.
local broadcast = { "spec/semantics/broadcast_spec.lua" }
local read = { "spec/lua/only_read_spec.lua", "spec/semantics/broadcast_spec.lua" }
local state = "lua/moontide/runtime/broadcast_state.lua"

return {
  { rule = "S48", file = state, specs = broadcast, from = "copies[subtask % #copies + 1]", to = "copies[1]" },
  { rule = "S49", file = state, specs = broadcast,
    from = "Reader[name] = function(self) error(no_write:format(self.name), 2) end", to = "Reader[name] = Writer[name]" },
  { rule = "S52", file = state, specs = broadcast, from = "map.packed[key_bytes], map.sorted = entry, nil", to = "map.packed[key_bytes] = entry" },
  { rule = "S52", file = state, specs = broadcast, from = "a.key_bytes < b.key_bytes", to = "a.key_bytes > b.key_bytes" },
  { rule = "copies", file = state, specs = broadcast, from = "map.only_read and copiers.to_read(value) or copiers.of(value)", to = "copiers.to_read(value)" },
  { rule = "copies", file = "lua/moontide/runtime/copiers.lua", specs = broadcast,
    from = "if not is_leaf(field) then return false end", to = "if not is_leaf(field) then return true end" },
  { rule = "copies", file = "lua/moontide/runtime/copiers.lua", specs = broadcast, from = "if size == #value and", to = "if #value > 0 and" },
  { rule = "copies", file = "lua/moontide/runtime/only_read.lua", specs = read,
    from = 'if origin == "self" then self.names[name] = nil else self:escaped(origin) end', to = 'if origin == "self" then self.names[name] = nil end' },
  { rule = "copies", file = "lua/moontide/runtime/only_read.lua", specs = read,
    from = "for origin in pairs(given) do self:escaped(origin) end", to = "" },
  { rule = "copies", file = "lua/moontide/runtime/only_read.lua", specs = read,
    from = "for origin in pairs(arguments[i]) do self:escaped(origin) end", to = "" },
  { rule = "copies", file = "lua/moontide/runtime/only_read.lua", specs = read,
    from = 'origin == "self" or origin == "state " .. name', to = 'origin == "self"' },
  { rule = "copies", file = "lua/moontide/runtime/origins.lua", specs = read,
    from = "function run.ITERL() end", to = "function run.ITERL(_, at, registers) forget_from(registers, at.a) end" },
}
