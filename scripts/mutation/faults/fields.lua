-- "fields": a table is encoded with all its fields, whatever is known of the function that made it.
local specs = { "spec/lua/made_fields_spec.lua", "spec/semantics/random_functions_spec.lua" }
local made = "lua/moontide/runtime/made_fields.lua"

return {
  { rule = "fields", file = made, specs = specs,
    from = "    known.read[name] = true\n    self:release(known, name)\n", to = "    known.read[name] = true\n" },
  { rule = "fields", file = made, specs = specs, from = "or known.read[name] then return true end", to = "then return true end" },
  { rule = "fields", file = made, specs = specs, from = "    for name in pairs(known.fields) do self:release(known, name) end\n", to = "" },
  { rule = "fields", file = made, specs = specs,
    from = "      if not is_made(value) and value ~= origins.scalar then return true end\n", to = "" },
  { rule = "fields", file = made, specs = specs,
    from = "  if used_fields.changes_nothing(fn) then return known end\n", to = "  if known then return known end\n" },
  { rule = "fields", file = made, specs = specs, from = "result.states[name] = names_alone(fields)", to = "result.states[name] = fields" },
  { rule = "fields", file = "lua/moontide/runtime/origins.lua", specs = specs, from = "  if not is_known then escape(self, values) end\n", to = "" },
  { rule = "fields", file = "lua/moontide/runtime/encode.lua", specs = specs,
    from = "all = all and either(all, within) or within", to = "all = all or within" },
  { rule = "fields", file = "lua/moontide/runtime/encode.lua", specs = specs,
    from = "fields[name] = b[name] and either(within, b[name]) or within", to = "fields[name] = within" },
  { rule = "fields", file = "lua/moontide/runtime/encoders.lua", specs = specs,
    from = "if not others then out[#out + 1] = walk_source(#keys) end", to = "" },
}
