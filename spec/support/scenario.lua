--- Cases of the semantics as they are written there: a line is what goes in, an arrow, and what comes out.
---
---     key2:1@3999 key1:1@20        records: key, value, time; without @ none
---     wm 2999 -> key1:3@2999       outputs of a line are compared as a set, each watermark comes out behind them
---     PT=3000 -> key2:3@2999       the clock
---     |SNAP|                       snapshot, destroy, restore
---     key2:1@1998 -> late>key2:1@1998 rows=0 timers=0
---
--- Every case is played in all the ways of support/variants.lua: a step is a record, a watermark, a move of the clock.
local assert = require "luassert"
local variants = require "support.variants"
local words = require "support.words"

local M = {}

local function time_of(text)
  if text == "MAX" then return math.huge end
  return tonumber(text)
end

local function push(h, text)
  local key, value, time = text:match("^(%w+):(%-?[%d.]+)@?(.*)$")
  assert(key, "what is " .. text)
  h:push({ key = key, value = tonumber(value) }, time_of(time))
end

-- Answers the watermarks that were fed, as words.
local function feed(h, input)
  local marks, is_time = {}, false
  for word in input:gmatch("%S+") do
    if is_time then
      is_time, marks[#marks + 1] = false, ("W(%s)"):format(word)
      h:watermark(time_of(word))
    elseif word == "wm" then
      is_time = true
    elseif word == "|SNAP|" then
      h:snap()
    elseif word:find("^PT=") then
      h:set_processing_time(tonumber(word:sub(4)))
    else
      push(h, word)
    end
  end
  return marks
end

-- Records, late records, and what the harness has to say of itself.
local function parse(output)
  local records, late, numbers = {}, {}, {}
  for word in output:gmatch("%S+") do
    local name, number = word:match("^(%l+)=(%d+)$")
    if name then numbers[name] = tonumber(number)
    elseif word:find("^late>") then late[#late + 1] = word
    else records[#records + 1] = word end
  end
  return records, late, numbers
end

-- As `late>key:value@time`, in any order.
local function late_seen(h)
  local list = {}
  for _, element in ipairs(h:side_output("late")) do
    list[#list + 1] = "late>" .. words.record { value = ("%s:%g"):format(element.value.key, element.value.value), timestamp = element.timestamp }
  end
  return words.expected(table.concat(list, " "))
end

local function step(h, line, what)
  local input, output = line:match("^(.-)%->(.*)$")
  local marks = feed(h, input or line)
  local records, late, numbers = parse(output or "")
  what = what .. ": " .. line
  for _, mark in ipairs(marks) do records[#records + 1] = mark end
  h:expect(table.concat(records, " "), what)
  assert.are.equal(words.expected(table.concat(late, " ")), late_seen(h), what)
  if numbers.rows then assert.are.equal(numbers.rows, h:state_size(), what) end
  if numbers.timers then assert.are.equal(numbers.timers, h:timer_count(), what) end
end

-- The lines without their comments.
local function lines_of(text)
  local lines = {}
  for line in text:gmatch("[^\n]+") do
    line = line:gsub("%-%-.*", ""):match("^%s*(.-)%s*$")
    if line ~= "" then lines[#lines + 1] = line end
  end
  return lines
end

--- A case of a spec, in all its variants.
---@param it function the spec's own
---@param name string which quotes the rule or case
---@param build fun(input: Stream): Stream
---@param text string
---@param given? Given
function M.it(it, name, build, text, given)
  local lines = lines_of(text)
  local all = { key = function(record) return record.key end, sides = { "late" } }
  for option, value in pairs(given or {}) do all[option] = value end
  variants.it(it, name, all, function(open, what)
    local h = open(build)
    for _, line in ipairs(lines) do step(h, line, what) end
  end)
end

return M
