-- The measurements: what scripts/bench calls once everything is built.
local root = assert(os.getenv "MOONTIDE_ROOT", "run scripts/bench")
package.path = root .. "/scripts/?.lua;" .. package.path

local arguments = require "benchmark.arguments"
local context = require "benchmark.context"
local report = require "benchmark.report"
local rows = require "benchmark.rows"

--- The best of --repeat runs; what the others reached is told beside it.
local function measure(row, given)
  local best, scores = nil, {}
  for i = 1, given["repeat"] do
    local run = context.open(row, given)
    local good, result = xpcall(row.run, function(message)
      return type(message) == "string" and message or debug.traceback(tostring(message))
    end, run)
    run:close()
    if not good then
      result = { failure = result, score = -math.huge }
    end
    scores[i] = result.failure and "failed" or ("%.4g"):format(math.abs(result.score))
    if not best or result.score > best.score then best = result end
  end
  if #scores > 1 then best.note = (best.note and best.note .. "; " or "") .. "the best of " .. table.concat(scores, ", ") end
  best.name, best.target = row.name, row.target
  best.ok = not best.failure and row.reached(best)
  return best
end

local function main()
  local given = arguments.read(arg, rows)
  if given.list then
    for _, row in ipairs(rows) do print(("%-26s %s"):format(row.name, row.what)) end
    return 0
  end
  local failed = false
  report.begin(given)
  for _, row in ipairs(given.rows) do
    local result = measure(row, given)
    report.row(given, result)
    failed = failed or result.failure ~= nil
  end
  report.finish(given)
  return failed and 1 or 0
end

os.exit(main())
