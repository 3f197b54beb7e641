-- How a spec file's results are shown and counted: the output handler that
-- scripts/test gives to busted. What failed goes to stdout; the counts go to the
-- file that MOONTIDE_REPORT names, at the very end, so that a runner that died
-- before is known by the file's absence.
local base = require "busted.outputHandlers.base"
local pretty = require "pl.pretty"

local function message_of(entry)
  local message = entry.message
  if message == nil then return "no message" end
  return type(message) == "string" and message or pretty.write(message)
end

local function show(kind, entry)
  local trace = entry.trace or entry.element.trace or {}
  io.write(kind, " ", trace.short_src or "?", ":", trace.currentline or 0, " ", entry.name or "?", "\n")
  if entry.randomseed then io.write("  seed ", entry.randomseed, "\n") end
  io.write("  ", (message_of(entry):gsub("\n", "\n  ")), "\n")
  if entry.isError and trace.traceback then io.write("  ", (trace.traceback:gsub("^\n", ""):gsub("\n", "\n  ")), "\n") end
end

return function()
  local busted = require "busted"
  local handler = base()

  function handler.suite_end()
    for _, entry in ipairs(handler.pendings) do show("skipped", entry) end
    for _, entry in ipairs(handler.failures) do show("FAILED", entry) end
    for _, entry in ipairs(handler.errors) do show("FAILED", entry) end
    local file = assert(io.open(assert(os.getenv("MOONTIDE_REPORT"), "MOONTIDE_REPORT is not set"), "w"))
    file:write(handler.successesCount, " ", handler.failuresCount + handler.errorsCount, " ", handler.pendingsCount, "\n")
    file:close()
    return nil, true
  end

  busted.subscribe({ "suite", "end" }, handler.suite_end)
  return handler
end
