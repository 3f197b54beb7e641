-- "fields": a table is encoded with all its fields, whatever is known of the function that made it.
local specs = { "spec/lua/made_fields_spec.lua", "spec/semantics/random_functions_spec.lua" }
local made, origins = "lua/moontide/runtime/made_fields.lua", "lua/moontide/runtime/origins.lua"

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
  { rule = "fields", file = origins, specs = specs, from = "  if not is_known then escape(self, values) end\n", to = "" },
  { rule = "fields", file = origins, specs = specs, from = "  for i, given in ipairs(arguments) do registers[i - 1] = given end\n", to = "" },
  { rule = "fields", file = origins, specs = specs, from = "    for origin in pairs(given) do answered[origin] = true end\n", to = "" },
  { rule = "fields", file = origins, specs = specs, from = "return explore(called, registers) and answered or nil", to = "explore(called, registers) return answered" },
  { rule = "fields", file = "lua/moontide/runtime/upvalues.lua", specs = specs,
    from = "return offset ~= nil and head(fn, index)[offset] == 1", to = "return true" },
  { rule = "fields", file = "lua/moontide/runtime/used_fields.lua", specs = { "spec/lua/used_fields_spec.lua", "spec/semantics/random_functions_spec.lua" },
    from = 'if origin == "record" then seen.whole = true end', to = "" },
  { rule = "fields", file = "lua/moontide/runtime/encode.lua", specs = specs,
    from = "all = all and either(all, within) or within", to = "all = all or within" },
  { rule = "fields", file = "lua/moontide/runtime/encode.lua", specs = specs,
    from = "fields[name] = b[name] and either(within, b[name]) or within", to = "fields[name] = within" },
  { rule = "fields", file = "lua/moontide/runtime/encoders.lua", specs = specs,
    from = "if not others then out[#out + 1] = walk_source(#keys) end", to = "" },
}
