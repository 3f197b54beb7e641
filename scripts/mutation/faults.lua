--- All faults of scripts/mutate. A fault's text is a pattern of the source, not a line
--- number: whoever changes that line changes the fault with it.
local all = {}

for _, subject in ipairs { "timers", "watermarks", "sources", "windows", "window_functions", "sessions", "joins", "maps", "broadcast", "fields", "checkpoints" } do
  for _, fault in ipairs(require("mutation.faults." .. subject)) do
    assert(fault.rule and fault.file and fault.from and fault.to and #fault.specs > 0, "a fault of " .. subject)
    all[#all + 1] = fault
  end
end

return all
