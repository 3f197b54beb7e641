--- The handler of an interval join (S57): a record is kept for its side, and meets the
--- kept records of the other side whose time is near enough.
local ffi = require "ffi"
local C = require "moontide.engine"
local blame = require "moontide.runtime.blame"
local check = require "moontide.runtime.fail"
local collector = require "moontide.runtime.collector"
local generate = require "moontide.runtime.generate"
local interval_context = require "moontide.runtime.interval_context"
local made_fields = require "moontide.runtime.made_fields"
local renewal = require "moontide.runtime.renewal"
local timer_loop = require "moontide.runtime.timer_loop"
local used_fields = require "moontide.runtime.used_fields"
local values = require "moontide.runtime.values"

-- LEFT and RIGHT are the two records and OWN and OTHER their times, by the side that this loop is of. The first match
-- is met in line: most records meet one at most, and an inner loop would end the trace.
local source = [[
local call, C, check, timeless, decode_own, decode_other, side, found, met, fn, ctx, out, late, guarded = ...
local min = -0x7fffffffffffffffLL -- as none, which is below it, no time of a record

local function meet(own, time, m)
  local row = found.rows[m]
  local other = decode_other(row.cell, found.arena.bytes)
  met.LEFT_TIME, met.RIGHT_TIME = LEFT_FROM, RIGHT_FROM
  call.out_time = time > row.time and time or row.time
  fn(LEFT, RIGHT, ctx, out)
end

local function meet_rest(own, time, count)
  for m = 1, count - 1 do meet(own, time, m) end
end

return function()
  for i = call.index, call.count - 1 do
    call.index = i
    local time = call.times[i]
    call.out_time = time
    if guarded then C.call_mark(call) end
    if time <= min then timeless() end
    if time < call.watermark then
      if late then late(decode_own(call.values[i], call.bytes)) else C.call_count_late(call) end
    else
      local count = C.call_interval_add(call, i, side, found)
      if count < 0 then check(count) end
      if count > 0 then
        local own = decode_own(call.values[i], call.bytes)
        meet(own, time, 0)
        if count > 1 then meet_rest(own, time, count) end
      end
    end
    if guarded and call.view.undo_count > 0 then C.keyed_state_commit_record(call.state) end
  end
end
]]

local of_left = { LEFT = "own", RIGHT = "other", LEFT_FROM = "time", RIGHT_FROM = "row.time" }
local of_right = { LEFT = "other", RIGHT = "own", LEFT_FROM = "row.time", RIGHT_FROM = "time" }

-- What the function sees of a record of one side; all of it where a late one may be sent on.
local function decoder_of(fn, parameter, late)
  local fields = {}
  return values.decoder(not late and used_fields.add(fn, parameter, fields) and fields or nil)
end

-- Where a side's rows lie: the states that interval_join.lua names, and behind them what the plan adds.
local left_slots, right_slots = { newest = 1, older = 0, ranges = 4 }, { newest = 3, older = 2, ranges = 5 }

local function new_side(own, other, lower, upper)
  return ffi.new("struct call_interval_side", { own = own, other = other, lower = lower, upper = upper })
end

local function late_output(ctx, tag)
  return tag and function(value) ctx:output(tag, value) end
end

local function timeless()
  blame.record("interval join: the record has no time stamp")
end

local function loop_of(call, name, words, ...)
  local bound, bound_count = { ... }, select("#", ...)
  local text = source:gsub("LEFT_TIME", "left"):gsub("RIGHT_TIME", "right"):gsub("%u+_?%u*", words)
  return renewal(call, function() return generate(text, "=loop of " .. name, call, unpack(bound, 1, bound_count)) end)
end

local function cleaner(call, side)
  return function()
    local status = C.call_interval_clean(call, side)
    if status < 0 then check(status) end
  end
end

return function(call, operator, guarded)
  local step = operator.step
  local fn, interval = step.fn, step.interval
  local left = new_side(left_slots, right_slots, interval.lower, interval.upper)
  local right = new_side(right_slots, left_slots, -interval.upper, -interval.lower)
  local found = ffi.gc(ffi.new("struct timed_found"), C.timed_found_deinit)
  local loops, fire

  local function open()
    local met = ffi.new("struct { int64_t left, right; }")
    local ctx = interval_context(call, operator.ports, operator.rest_port, met)
    local late_left, late_right = late_output(ctx, interval.late_left), late_output(ctx, interval.late_right)
    local decode_left, decode_right = decoder_of(fn, 1, late_left), decoder_of(fn, 2, late_right)
    local function out() return collector(call, 0, made_fields.collected(fn, 4), "out_time") end
    loops = {
      [0] = loop_of(call, operator.name, of_left, C, check, timeless, decode_left, decode_right, left, found, met, fn, ctx, out(), late_left, guarded),
      loop_of(call, operator.name, of_right, C, check, timeless, decode_right, decode_left, right, found, met, fn, ctx, out(), late_right, guarded),
    }
    fire = timer_loop(call, operator, { fn = cleaner(call, left), guarded = guarded })
  end

  return {
    [1] = function() loops[call.input]() end,
    [3] = open,
    [4] = function() end,
    [7] = function() fire() end,
  }
end
