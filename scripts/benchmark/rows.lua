--- All rows, in the order in which they run.
local parts = {
  require "benchmark.rows.keyed", require "benchmark.rows.files", require "benchmark.rows.parallel",
  require "benchmark.rows.time", require "benchmark.rows.checkpoints", require "benchmark.rows.start", require "benchmark.rows.shapes",
}

local rows = {}
for _, part in ipairs(parts) do
  for _, row in ipairs(part) do rows[#rows + 1] = row end
end
return rows
