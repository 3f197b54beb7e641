-- What the job of time_job.lua must have written, worked out again in plain Lua from the whole input at once.
local model = require "faults.chaos.model"

local M = {}

local OUT_OF_ORDER_MS, STEP_MS = 1000, 20

--- The records of an input, from a seed: those of the other jobs, and a time `t` in ms that is out of order by less than a second.
function M.records(count, seed)
  local records = model.records(count, seed)
  local state = seed % 2147483646 + 2
  for _, record in ipairs(records) do
    state = state * 48271 % 2147483647
    record.t = record.n * STEP_MS + state % OUT_OF_ORDER_MS
  end
  return records
end

function M.write_input(path, records)
  local file = assert(io.open(path, "w"))
  file:write("n,a,b,v,t,text\n")
  for _, r in ipairs(records) do file:write(("%d,%s,%d,%d,%d,%s\n"):format(r.n, r.a, r.b, r.v, r.t, r.text or "")) end
  assert(file:close())
end

-- The records of each key in the order of their times.
local function by_key(records, field)
  local keys = {}
  for _, record in ipairs(records) do
    local list = keys[record[field]] or {}
    keys[record[field]] = list
    list[#list + 1] = record
  end
  for _, list in pairs(keys) do
    table.sort(list, function(x, y) return x.t < y.t end)
  end
  return keys
end

local Expected = {}
Expected.__index = Expected

function Expected:add(name, key, ...)
  self[#self + 1] = ("%s,%s,%d,%d,%d,%d"):format(name, key, ...)
end

-- Totals of a list of records in each of the places that a function answers for a record; in the order of the places.
local function totals(list, places_of)
  local places, at = {}, {}
  for _, record in ipairs(list) do
    for place in places_of(record) do
      local total = at[place]
      if not total then
        total = { place = place, count = 0, sum = 0 }
        at[place], places[#places + 1] = total, total
      end
      total.count, total.sum = total.count + 1, total.sum + record.v
    end
  end
  table.sort(places, function(x, y) return x.place < y.place end)
  return places
end

-- The starts of the windows of a time.
local function starts(size, slide)
  return function(record)
    local start = record.t - record.t % slide + slide
    return function()
      start = start - slide
      if start > record.t - size then return start end
    end
  end
end

local function add_tumbling(expected, key, list)
  for number, total in ipairs(totals(list, starts(10000, 10000))) do
    expected:add("tumbling", key, total.place, number, total.count, total.sum)
  end
end

local function add_sliding(expected, key, list)
  for _, total in ipairs(totals(list, starts(4000, 1000))) do
    expected:add("sliding", key, total.place, total.place + 4000, total.count, total.sum)
  end
end

local function add_timers(expected, key, list)
  for number, total in ipairs(totals(list, starts(1000, 1000))) do
    expected:add("timer", key, total.place + 999, number, total.count, total.sum)
  end
end

local function add_sessions(expected, key, list)
  local gap, session = 800, nil
  for i, record in ipairs(list) do
    if not session then session = { start = record.t, count = 0, sum = 0 } end
    session.count, session.sum = session.count + 1, session.sum + record.v
    local next_one = list[i + 1]
    if not next_one or next_one.t > record.t + gap then
      expected:add("session", key, session.start, record.t + gap, session.count, session.sum)
      session = nil
    end
  end
end

local function add_joined(expected, key, list)
  for _, left in ipairs(list) do
    for _, right in ipairs(list) do
      local apart = right.t - left.t
      if left.n % 2 == 1 and right.n % 2 == 0 and apart >= -700 and apart <= 500 then expected:add("join", key, left.n, right.n, left.v, right.v) end
    end
  end
end

local function expect(records)
  local expected = setmetatable({}, Expected)
  for key, list in pairs(by_key(records, "a")) do
    add_tumbling(expected, key, list)
    add_sessions(expected, key, list)
    add_joined(expected, key, list)
  end
  for key, list in pairs(by_key(records, "b")) do
    add_sliding(expected, key, list)
    add_timers(expected, key, list)
  end
  return expected
end

--- Compare the texts of all committed parts with the input: as model.compare().
function M.compare(texts, records)
  local report, times, lines = model.new_report(), {}, 0
  for _, text in ipairs(texts) do
    for line in text:gmatch("([^\n]*)\n") do
      times[line], lines = (times[line] or 0) + 1, lines + 1
    end
    report:add_torn_end(text)
  end
  for _, line in ipairs(expect(records)) do
    if not times[line] then report:add("%s is lost", line) end
    if (times[line] or 0) > 1 then report:add("%s is there %d times", line, times[line]) end
    times[line] = nil
  end
  for line in pairs(times) do report:add("%s should not be", line) end
  return report, lines
end

return M
