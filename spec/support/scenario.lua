--- Cases of the semantics as they are written there: a line is what goes in, an arrow, and what comes out.
---
---     key2:1@3999 key1:1@20        records: key, value, time; without @ none
---     wm 2999 -> key1:3@2999       outputs of a line are compared as a set, each watermark comes out behind them
---     PT=3000 -> key2:3@2999       the clock
---     |SNAP|                       snapshot, destroy, restore
---     key2:1@1998 -> late>key2:1@1998 rows=0 timers=0
---
--- Every case is run on both backends, each of them as it stands and with a snapshot and restore behind every line.
local assert = require "luassert"
local testing = require "moontide.testing"

local M = {}

local function time_of(text)
  if text == "MAX" then return math.huge end
  return tonumber(text)
end

local function time_text(time)
  if time == nil then return "" end
  return time == math.huge and "@MAX" or ("@%d"):format(time)
end

local Run = {}
Run.__index = Run

local function open(self, snapshot)
  self.h = testing.harness(self.build, { backend = self.backend, restore = snapshot, processing_time = self.clock })
  self.values = snapshot and self.values or {}
end

-- S9: the watermark is not state; as a job's source does, it is sent again before the first record.
function Run:restore()
  local snapshot = self.h:snapshot()
  self.h:close()
  open(self, snapshot)
  if self.watermark then
    self.h:watermark(self.watermark)
    for _, element in ipairs(self.h:output()) do assert.is_nil(element.value, "a restore emitted " .. tostring(element.value)) end
  end
end

local function push(self, text)
  local key, value, time = text:match("^(%w+):(%-?[%d.]+)@?(.*)$")
  assert(key, "what is " .. text)
  self.h:push({ key = key, value = tonumber(value) }, time_of(time))
end

local function feed(self, input)
  local words = {}
  for word in input:gmatch("%S+") do words[#words + 1] = word end
  local i = 1
  while i <= #words do
    local word = words[i]
    if word == "wm" then
      i = i + 1
      self.watermark = time_of(words[i])
      self.h:watermark(self.watermark)
      table.insert(self.expected, "W" .. time_text(self.watermark))
    elseif word == "|SNAP|" then
      self:restore()
    elseif word:find("^PT=") then
      self.clock = tonumber(word:sub(4))
      self.h:set_processing_time(self.clock)
    else
      push(self, word)
    end
    i = i + 1
  end
end

-- Records between two watermarks in any order: sorted, as Flink's own tests do.
local function sorted(list)
  local out, run = {}, {}
  local function flush()
    table.sort(run)
    for _, text in ipairs(run) do out[#out + 1] = text end
    run = {}
  end
  for _, text in ipairs(list) do
    if text:find("^W@") then
      flush()
      out[#out + 1] = text
    else
      run[#run + 1] = text
    end
  end
  flush()
  return table.concat(out, " ")
end

local function seen(self)
  local list = {}
  for _, element in ipairs(self.h:output()) do
    if element.watermark then
      list[#list + 1] = "W" .. time_text(element.watermark)
    elseif element.value ~= nil then
      list[#list + 1] = tostring(element.value) .. time_text(element.timestamp)
    end
  end
  for _, element in ipairs(self.h:side_output("late")) do
    list[#list + 1] = ("late>%s:%g%s"):format(element.value.key, element.value.value, time_text(element.timestamp))
  end
  return sorted(list)
end

-- What is expected before the watermarks of the same line, and what the harness has to say of itself.
local function parse_output(self, output)
  local records = {}
  for word in output:gmatch("%S+") do
    local name, number = word:match("^(%l+)=(%d+)$")
    if name == "rows" then
      self.checks[#self.checks + 1] = function() assert.equal(tonumber(number), self.h:state_size(), "rows") end
    elseif name == "timers" then
      self.checks[#self.checks + 1] = function()
        assert.equal(tonumber(number), self.h:timer_count("event") + self.h:timer_count("processing"), "timers")
      end
    else
      records[#records + 1] = word
    end
  end
  return records
end

local function step(self, line)
  local input, output = line:match("^(.-)%->(.*)$")
  self.expected, self.checks = {}, {}
  feed(self, input or line)
  local records = parse_output(self, output or "")
  for _, mark in ipairs(self.expected) do records[#records + 1] = mark end
  -- Side outputs have no place among the watermarks.
  local late, main = {}, {}
  for _, text in ipairs(records) do table.insert(text:find("^late>") and late or main, text) end
  for _, text in ipairs(late) do main[#main + 1] = text end
  assert.equal(sorted(main), seen(self), self.title .. ": " .. line)
  for _, check in ipairs(self.checks) do check() end
end

--- Run a case, once.
---@param build fun(input: Stream): Stream
---@param text string
---@param variant { backend: string, everywhere: boolean? }
function M.run(build, text, variant)
  local self = setmetatable({ build = build, backend = variant.backend, clock = 0 }, Run)
  self.title = ("%s%s"):format(variant.backend, variant.everywhere and ", snapshots everywhere" or "")
  open(self)
  for line in text:gmatch("[^\n]+") do
    line = line:gsub("%-%-.*", ""):match("^%s*(.-)%s*$")
    if line ~= "" then
      step(self, line)
      if variant.everywhere then self:restore() end
    end
  end
  self.h:close()
end

--- A case of a spec, in all its variants.
---@param it function the spec's own
---@param name string which quotes the rule or case
---@param build fun(input: Stream): Stream
---@param text string
function M.it(it, name, build, text)
  for _, backend in ipairs { "memory", "rocksdb" } do
    for _, everywhere in ipairs { false, true } do
      local title = ("%s (%s%s)"):format(name, backend, everywhere and ", a snapshot behind every line" or "")
      it(title, function() M.run(build, text, { backend = backend, everywhere = everywhere }) end)
    end
  end
end

return M
