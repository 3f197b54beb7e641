-- What the plays of random programs of windows share (random_windows.lua, random_panes.lua): how what comes out and the
-- programs themselves are shown.
local M = {}

--- What came out of a harness since, as texts in order, the late records behind it.
---@param h Harness
---@param text fun(value: any): string of a result
---@param late_text fun(value: any): string
---@return string[]
function M.output(h, text, late_text)
  local list = {}
  for _, element in ipairs(h:output()) do
    if element.watermark then
      list[#list + 1] = "W(" .. tostring(element.watermark) .. ")"
    elseif element.status then
      list[#list + 1] = element.status
    elseif element.value ~= nil then
      list[#list + 1] = ("%s@%s"):format(text(element.value), tostring(element.timestamp))
    end
  end
  for _, element in ipairs(h:side_output("late")) do
    list[#list + 1] = ("late %s@%s"):format(late_text(element.value), tostring(element.timestamp))
  end
  return list
end

--- How many timers a reference has, by domain.
---@param reference { timers: { domain: "event"|"processing" }[] }
---@return table<string, integer>
function M.timer_counts(reference)
  local counts = { event = 0, processing = 0 }
  for _, timer in ipairs(reference.timers) do counts[timer.domain] = counts[timer.domain] + 1 end
  return counts
end

--- The window, trigger and evictor of a program.
---@param program table
---@return string
function M.text(program)
  local words = {}
  for _, part in ipairs { "window", "trigger", "evictor" } do
    local inner = {}
    for name, value in pairs(program[part] or {}) do inner[#inner + 1] = name .. "=" .. tostring(value) end
    table.sort(inner)
    words[#words + 1] = part .. "{" .. table.concat(inner, " ") .. "}"
  end
  return table.concat(words, " ")
end

return M
