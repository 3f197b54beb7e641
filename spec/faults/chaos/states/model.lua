-- What the job of states must have written: its steps are played again over their lines.
local lines = require "faults.chaos.states.lines"
local model = require "faults.chaos.model"
local plain_state = require "support.plain_state"
local replay = require "faults.chaos.states.replay"
local time_model = require "faults.chaos.time_model"

local first = require("faults.chaos.states.first")(plain_state)
local second = require("faults.chaos.states.second")(plain_state)

local KEYS, LENGTH = 150, 1000

local M = { write_input = time_model.write_input }

--- The records of the time model with fewer keys, so that each has more to remember; and long ones: a source reads few of them at once,
--- so that there are checkpoints soon.
function M.records(count, seed)
  local records = time_model.records(count, seed)
  for _, record in ipairs(records) do
    record.a, record.text = "key-" .. record.a:match("%d+") % KEYS, ("x"):rep(LENGTH)
  end
  return records
end

-- A line is the first step's, if it is that which the second step processed, and the second step's.
local function parse(line, events, report)
  local of_first, of_second = line:match("^([^;]*);(.*)$")
  local told, own = lines.parse(of_first or ""), lines.parse(of_second or "")
  if not own or (own.what == "1") ~= (told ~= nil) then return report:add("not a line of this job: %s", line) end
  own.line, own.id = line, told and of_first or own.n
  table.insert(events.second, own)
  if told then
    told.line, told.id = of_first, told.n
    table.insert(events.first, told)
  end
end

--- As model.compare().
function M.compare(texts, records, case)
  local report, events, count = model.new_report(), { first = {}, second = {} }, 0
  for _, text in ipairs(texts) do
    for line in text:gmatch("([^\n]*)\n") do
      parse(line, events, report)
      count = count + 1
    end
    report:add_torn_end(text)
  end
  local read = { records = records, ordered = case.ordered }
  local told = replay.play { name = "first", definition = first, events = events.first, inputs = { read }, report = report }
  if report.count > 0 then return report, count end -- the second step's records would differ, too
  replay.play { name = "second", definition = second, events = events.second, inputs = { { records = told }, read }, report = report }
  return report, count
end

return M
