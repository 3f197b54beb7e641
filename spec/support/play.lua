-- Cases of time: what goes into some steps, one thing after the other, and what comes
-- out of each. They are played in all the ways of support/variants.lua.
--
--     play.case(build, { key = function(value) return value end }, {
--       { wm = 17,           "W(17)" },
--       { push = 5, at = 12, "5@12" },
--     })
--
-- A step is one of: push = value [, at = time], wm = time, pt = clock, idle, active or
-- finish = true, snap = true; with input = and channel =. What comes out is written as
-- support/words.lua does.
local testing = require "moontide.testing"
local variants = require "support.variants"
local words = require "support.words"

local M = {}

--- All that has come out of a harness since it was asked last, as text.
function M.words(h)
  return words.seen(h:output(), true)
end

local actions = {
  push = function(channel, step) channel:push(step.push, step.at) end,
  wm = function(channel, step) channel:watermark(step.wm) end,
  idle = function(channel) channel:idle() end,
  active = function(channel) channel:active() end,
  finish = function(channel) channel:finish() end,
  pt = function(channel, step) channel.moved:set_processing_time(step.pt) end,
  snap = function(channel) channel.moved:snap() end,
}

local function carry_out(h, step)
  for name, action in pairs(actions) do
    if step[name] ~= nil then action(h.inputs[step.input or 1].channels[step.channel or 1], step) end
  end
end

local function body(build, steps)
  return function(open, what)
    local h = open(build)
    for i, step in ipairs(steps) do
      local this = ("step %d (%s), %s"):format(i, words.value(step), what)
      carry_out(h, step)
      h:expect(step[1], this)
      if step.check then step.check(h, this) end
    end
  end
end

--- Play a case in all ways. `options.key` answers the key of a value, so that the case may be played by several
--- subtasks; `options.breaks = false` where a restore is to change what comes out; `options.ordered`: so are records
--- between two marks; `options.harness`: of every harness.
---@param options Given
function M.case(build, options, steps)
  variants.all(options, body(build, steps))
end

--- The same, a spec for each way.
function M.it(it, name, build, options, steps)
  variants.it(it, name, options, body(build, steps))
end

--- Run a body with a harness on each backend.
function M.each(build, options, run)
  for _, backend in ipairs(variants.backends) do
    local given = { backend = backend }
    for name, value in pairs(options) do given[name] = value end
    local h = testing.harness(build, given)
    local ok, failure = xpcall(run, function(failure) return type(failure) == "string" and debug.traceback(failure) or failure end, h, backend)
    if not ok then
      pcall(h.close, h)
      error(failure, 0)
    end
    h:close()
  end
end

return M
