-- Keyed state and timers as the rules say (S2 to S9, S50, S51), done the slow way: the functions of a step over
-- plain values for each key, and lists of timers that are searched.
local plain_key = require "support.plain_key"

local M = {
  --- What a callback raises that is meant to fail.
  meant = "as it was drawn",
}

local Reference = {}
Reference.__index = Reference

--- `definition`: of the step, with the states of plain_state.lua.
function M.new(definition)
  return setmetatable({ definition = definition, keys = {}, now = { watermark = -math.huge, clock = 0 }, out = {} }, Reference)
end

function Reference:emit(text) self.out[#self.out + 1] = text end

--- What has come out since the last call.
function Reference:take()
  local out = self.out
  self.out = {}
  return out
end

-- A callback: what failed leaves nothing behind (the timer that called is gone all the same).
function Reference:call(own, time, callback)
  local before, out_count = own:save(), #self.out
  local ok, message = pcall(callback, { collect = function(_, text) self:emit(text .. "@" .. tostring(time)) end })
  if ok then return end
  if not message:find(M.meant, 1, true) then error(message, 0) end
  own:restore(before)
  for i = #self.out, out_count + 1, -1 do self.out[i] = nil end
end

function Reference:fire_one(own, domain, time)
  own:take_timer(domain, time)
  self:call(own, domain == "event" and time or nil, function(out) own:on_timer(domain, time, out) end)
end

function Reference:fire(domain, now)
  for _, own in pairs(self.keys) do
    local time = own:earliest(domain)
    while time and time <= now do
      self:fire_one(own, domain, time)
      time = own:earliest(domain)
    end
  end
end

function Reference:push(key, value, time)
  self.keys[key] = self.keys[key] or plain_key.new(self.definition, key, self.now)
  local own = self.keys[key]
  self:call(own, time, function(out) own:process("process_element", value, out) end)
  self:fire("processing", self.now.clock - 1) -- S8
end

function Reference:advance(watermark)
  if watermark <= self.now.watermark then return end
  self.now.watermark = watermark
  self:fire("event", watermark)
  self:emit("W(" .. tostring(watermark) .. ")")
  self:fire("processing", self.now.clock - 1)
end

function Reference:set_clock(clock)
  self.now.clock = clock
  self:fire("processing", clock)
end

--- A snapshot and a restore, behind which the watermark is told again, or is not (S9).
function Reference:restore(told)
  local before = self.now.watermark
  self.now.watermark = -math.huge
  self:fire("processing", self.now.clock)
  if told then self:advance(before) end
end

--- Rows of state, and timers of a domain.
function Reference:rows()
  local rows = 0
  for _, own in pairs(self.keys) do rows = rows + own:rows() end
  return rows
end

function Reference:timer_count(domain)
  local count = 0
  for _, own in pairs(self.keys) do
    for _ in pairs(own.pending[domain]) do count = count + 1 end
  end
  return count
end

return M
