--- All rows, in the order in which they run.
local rows = {}
for _, part in ipairs { require "benchmark.rows.keyed", require "benchmark.rows.files" } do
  for _, row in ipairs(part) do rows[#rows + 1] = row end
end
return rows
