--- Rows of other shapes than the ones with targets: what is fast must be fast for all.
local shapes = {
  { "three_states", "rows of eight fields, three states, a table out" },
  { "nested", "tables in tables, as records and as state" },
  { "key_of_two", "a key of two fields" },
  { "wide_integers", "64-bit keys" },
  { "lists", "a list of each key" },
  { "made_in_lua", "records made by a Lua generator, of two shapes" },
  { "in_functions", "records and states that functions make which the steps call" },
  { "broadcast_rules", "ten rules in broadcast state for each record" },
}

local rows = {}
for _, shape in ipairs(shapes) do
  rows[#rows + 1] = {
    name = "shape_" .. shape[1], what = shape[2], target = "(none)", reached = function() return true end,
    run = function(run) return run:measure { script = "shapes", settings = { shape = shape[1] } } end,
  }
end
return rows
