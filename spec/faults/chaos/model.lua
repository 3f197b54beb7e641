-- What the job of job.lua must have written, worked out again in plain Lua.
--
-- The order in which records of one key are processed may differ from run to run where several
-- subtasks read or send them. The output says which order it was: the count of each key. In that
-- order everything is worked out again. Where one subtask reads the whole input, the records of
-- a key `a` come in the order of the input, and that is demanded as well.
local M = {}

local KEYS_A, KEYS_B = 1500, 60

--- The records of an input, from a seed.
function M.records(count, seed)
  local state = seed % 2147483646 + 1
  local function below(n)
    state = state * 48271 % 2147483647
    return state % n
  end
  local records = {}
  for n = 1, count do
    -- A third of all records has one of ten keys.
    local a = below(3) == 0 and below(10) or below(KEYS_A)
    records[n] = { n = n, a = "key-" .. a, b = below(KEYS_B), v = below(1000) }
  end
  return records
end

function M.write_input(path, records, kind)
  local file, csv = assert(io.open(path, "w")), kind ~= "rows"
  if csv then file:write("n,a,b,v\n") end
  local line = csv and "%d,%s,%d,%d\n" or '{"n":%d,"a":"%s","b":%d,"v":%d}\n'
  for _, record in ipairs(records) do file:write(line:format(record.n, record.a, record.b, record.v)) end
  assert(file:close())
end

local Report = {}
Report.__index = Report

--- A list of the first differences, and their `count`.
function M.new_report() return setmetatable({ count = 0 }, Report) end

function Report:add(...)
  self.count = self.count + 1
  if self.count <= 10 then self[self.count] = (...):format(select(2, ...)) end
end

function Report:add_torn_end(text)
  if text ~= "" and text:sub(-1) ~= "\n" then self:add("a part ends within a line: %s", text:match("[^\n]*$")) end
end

local function parse(text, records, report, lines)
  for line in text:gmatch("([^\n]*)\n") do
    local n, a, b, count, times, sum, pair_count, pair_sum = line:match("^(%d+),([^,]*),(%d+),(%d+),(%d+),(%d+),(%d+),(%d+)$")
    local record = records[tonumber(n)]
    if not record or record.a ~= a or record.b ~= tonumber(b) then
      report:add("not a line of this job: %s", line)
    else
      table.insert(lines, { record = record, count = tonumber(count), times = tonumber(times), sum = tonumber(sum),
        pair_count = tonumber(pair_count), pair_sum = tonumber(pair_sum) })
    end
  end
  report:add_torn_end(text)
end

local function check_each_once(lines, records, report)
  local times = {}
  for _, line in ipairs(lines) do times[line.record.n] = (times[line.record.n] or 0) + 1 end
  for n = 1, #records do
    if not times[n] then report:add("record %d is lost", n) end
    if (times[n] or 0) > 1 then report:add("record %d is there %d times", n, times[n]) end
  end
end

--- The lines of each key in the order that its counts tell; a gap in the counts is an error.
local function in_order(lines, key, count, report)
  local by_key = {}
  for _, line in ipairs(lines) do
    local list = by_key[line.record[key]] or {}
    by_key[line.record[key]] = list
    list[#list + 1] = line
  end
  for name, list in pairs(by_key) do
    table.sort(list, function(x, y)
      if x[count] ~= y[count] then return x[count] < y[count] end
      return x.record.n < y.record.n
    end)
    for i, line in ipairs(list) do
      if line[count] ~= i then
        report:add("key %s = %s, record %d: the state counts %d, it is number %d", key, name, line.record.n, line[count], i)
        break
      end
    end
  end
  return by_key
end

local function check(report, line, what, is, should)
  if is ~= should then report:add("record %d, key %s: %s is %d, should be %d", line.record.n, line.record.a, what, is, should) end
end

--- Values: the running sum of a key. Maps and lists: what job.lua does to them.
local function check_first(list, kind, report)
  local total, recent, recent_sum, per_b = 0, 0, 0, {}
  for _, line in ipairs(list) do
    local record = line.record
    if kind == "rows" then
      local times = (per_b[record.b] or 0) + 1
      per_b[record.b] = times < 4 and times or nil
      recent, recent_sum = recent + 1, recent_sum + record.v
      check(report, line, "the map's entry", line.times, times)
      check(report, line, "the list's sum", line.sum, recent_sum)
      if recent == 16 then recent, recent_sum = 0, 0 end
    else
      total = total + record.v
      check(report, line, "the sum", line.sum, total)
    end
  end
end

local function check_second(list, report)
  local sum = 0
  for _, line in ipairs(list) do
    sum = sum + line.record.v
    check(report, line, "the second step's sum", line.pair_sum, sum)
  end
end

local function check_input_order(list, report)
  for i = 2, #list do
    if list[i].record.n < list[i - 1].record.n then
      report:add("key %s: record %d was processed after record %d", list[i].record.a, list[i].record.n, list[i - 1].record.n)
    end
  end
end

--- Compare the texts of all committed parts with the input. Answers a list of the first
--- differences, with their `count`, and the number of lines.
--- `case.kind`; `case.ordered`: one subtask read the whole input.
function M.compare(texts, records, case)
  local report, lines = M.new_report(), {}
  for _, text in ipairs(texts) do parse(text, records, report, lines) end
  check_each_once(lines, records, report)
  for _, list in pairs(in_order(lines, "a", "count", report)) do
    check_first(list, case.kind, report)
    if case.ordered then check_input_order(list, report) end
  end
  for _, list in pairs(in_order(lines, "b", "pair_count", report)) do check_second(list, report) end
  return report, #lines
end

return M
