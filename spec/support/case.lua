-- A harness for what is tried once, with a snapshot and a restore where the test says (support/variants.lua plays in all ways).
local testing = require "moontide.testing"
local words = require "support.words"

local M = {}
local Case = {}
local open = {}

-- Everything that a case is not itself, it is by its harness.
Case.__index = function(case, name)
  if Case[name] then return Case[name] end
  local method = case.harness[name]
  if type(method) ~= "function" then return method end
  return function(_, ...) return method(case.harness, ...) end
end

--- A harness that is closed after the test: call M.close() in after_each.
function M.new(build, options)
  local case = setmetatable({ build = build, options = options or {} }, Case)
  case.harness = testing.harness(build, options)
  open[#open + 1] = case
  return case
end

--- |SNAP|: snapshot, destroy, restore in a fresh harness. Output that was not taken is lost.
function Case:snap(changed)
  local options = {}
  for name, value in pairs(self.options) do options[name] = value end
  for name, value in pairs(changed or {}) do options[name] = value end
  options.restore = self.harness:snapshot()
  self.harness:close()
  self.harness = testing.harness(self.build, options)
end

--- What came out since, in order: "a@5 W(7)".
function Case:words() return words.seen(self.harness:output(), true) end

--- The same of a side output.
function Case:side(tag) return words.seen(self.harness:side_output(tag), true) end

--- The records that came out since, sorted: for what comes in no order.
function Case:set()
  local out = {}
  for _, element in ipairs(self.harness:output()) do
    if element.value ~= nil then out[#out + 1] = words.record(element) end
  end
  table.sort(out)
  return table.concat(out, " ")
end

--- A watermark on all channels of all inputs.
function Case:watermarks(time)
  for _, input in ipairs(self.harness.inputs) do
    for _, channel in ipairs(input.channels) do channel:watermark(time) end
  end
end

function M.close()
  for _, case in ipairs(open) do case.harness:close() end
  open = {}
end

--- Call `fn(backend)` for each.
function M.each_backend(fn)
  for _, backend in ipairs { "rocksdb", "memory" } do fn(backend) end
end

return M
