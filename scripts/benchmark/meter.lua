--- Reads what mt.meter has written.
local process = require "benchmark.process"

local M = {}

local function numbers_of(text)
  local list = {}
  for number in text:gmatch "%d+" do list[#list + 1] = tonumber(number) end
  return list
end

--- The results of all subtasks: `delays` as { ns, count } in order, `gaps` and `stalls` in nanoseconds, `first` in seconds.
function M.read(path, subtasks)
  local by_ns, all = {}, { delays = {}, gaps = {}, stalls = {}, first = math.huge, records = 0 }
  for subtask = 0, subtasks - 1 do
    local text = assert(process.read_file(("%s.%d"):format(path, subtask)), "the job has left no " .. path)
    all.first = math.min(all.first, tonumber(text:match '"first_ns":(%d+)') / 1e9)
    all.records = all.records + tonumber(text:match '"records":(%d+)')
    for ns, count in text:match('"delays":%[(.-)%],"gaps"'):gmatch "%[(%d+),(%d+)%]" do
      by_ns[tonumber(ns)] = (by_ns[tonumber(ns)] or 0) + tonumber(count)
    end
    for _, kind in ipairs { "gaps", "stalls" } do
      for _, gap in ipairs(numbers_of(text:match('"' .. kind .. '":%[(.-)%]'))) do table.insert(all[kind], gap) end
    end
  end
  for ns, count in pairs(by_ns) do all.delays[#all.delays + 1] = { ns, count } end
  table.sort(all.delays, function(a, b) return a[1] < b[1] end)
  table.sort(all.gaps)
  table.sort(all.stalls)
  return all
end

--- The delay, in milliseconds, that so many percent of the records stay below.
function M.delay_ms(results, percent)
  local total, seen = 0, 0
  for _, each in ipairs(results.delays) do total = total + each[2] end
  for _, each in ipairs(results.delays) do
    seen = seen + each[2]
    if seen >= total * percent / 100 then return each[1] / 1e6 end
  end
  return 0 / 0
end

--- Of `gaps` or `stalls`: what so many percent of the checkpoints stay at or below, in milliseconds.
function M.gap_ms(gaps, percent)
  return (gaps[math.max(1, math.ceil(#gaps * percent / 100))] or 0 / 0) / 1e6
end

return M
