--- What scripts/mutate prints: a row for each fault, in the order in which they are done.
local edit = require "mutation.edit"
local process = require "benchmark.process"

local M = {}

local columns = "%-5s %-48s %6s  %s"

local function place(fault)
  return ("%s:%s"):format(fault.file, fault.line or "?")
end

function M.begin()
  print(columns:format("rule", "fault", "s", "seen by"))
end

function M.listed(fault)
  print(("%-5s %-48s %s"):format(fault.rule, place(fault), edit.shown(fault)))
end

--- seen: by which test; nil: by none; false: it cannot be tried, as `log` tells.
function M.row(result)
  local fault, seen = result.fault, result.seen
  if seen == nil then seen = "NOT SEEN by " .. table.concat(fault.specs, ", ") end
  if seen == false then seen = "DOES NOT BUILD" end
  print(columns:format(fault.rule, place(fault), ("%.1f"):format(result.seconds), seen))
  print("      " .. edit.shown(fault))
  if result.seen == false then M.complain("", result.log) end
end

--- A failure that stops everything, with the end of its log.
function M.complain(what, log)
  local text = process.read_file(log) or ""
  io.stderr:write(what, "\n", text:sub(-3000), "\n")
end

--- The last lines; the exit status.
function M.finish(results)
  local seen, missed = 0, {}
  for _, result in ipairs(results) do
    if result.seen then seen = seen + 1 else missed[#missed + 1] = result end
  end
  if #missed > 0 then print "" end
  for _, result in ipairs(missed) do
    print(("not seen: %s %s  %s"):format(result.fault.rule, place(result.fault), edit.shown(result.fault)))
  end
  print(("%d of %d faults seen"):format(seen, #results))
  return #missed == 0 and 0 or 1
end

return M
