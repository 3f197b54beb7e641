-- Keyed state and timers as the rules say (S2 to S9, S50, S51), done the slow way: tables of
-- plain values for each key, and lists of timers that are searched.
local M = {}

local Reference = {}
Reference.__index = Reference

local function new_key()
  return { map = {}, list = {}, timers = { event = {}, processing = {} } }
end

local function copy(value)
  if type(value) ~= "table" then return value end
  local fresh = {}
  for name, field in pairs(value) do fresh[name] = copy(field) end
  return fresh
end

--- `effects(time, domain)`: the calls of a timer's callback.
function M.new(effects)
  return setmetatable({ effects = effects, keys = {}, watermark = -math.huge, clock = 0, out = {} }, Reference)
end

function Reference:emit(text) self.out[#self.out + 1] = text end

--- What has come out since the last call.
function Reference:take()
  local out = self.out
  self.out = {}
  return out
end

local function shown(key, own, watermark)
  local pairs_shown, names = {}, {}
  for name in pairs(own.map) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do pairs_shown[i] = name .. "=" .. own.map[name] end
  return ("%s|%s|%s|%s|%s|%s"):format(key, tostring(own.value), table.concat(pairs_shown, ","), table.concat(own.list, ","), tostring(own.sum),
    tostring(watermark))
end

-- The calls of support/random_state.lua.
local calls = {
  update = function(own, value) own.value = value end,
  clear = function(own) own.value = nil end,
  put = function(own, name, value) own.map[name] = value end,
  remove = function(own, name) own.map[name] = nil end,
  clear_map = function(own) own.map = {} end,
  add = function(own, value) table.insert(own.list, value) end,
  replace = function(own, value, other) own.list = { value, other } end,
  clear_list = function(own) own.list = {} end,
  sum = function(own, value) own.sum = (own.sum or 0) + value end,
  clear_sum = function(own) own.sum = nil end,
  register = function(own, domain, time) own.timers[domain][time] = true end,
  delete = function(own, domain, time) own.timers[domain][time] = nil end,
}

-- A callback: what failed leaves nothing behind (the timer that called is gone all the same).
function Reference:call(key, list, time)
  local before, out_count = copy(self.keys[key]), #self.out
  for _, call in ipairs(list) do
    if call[1] == "fail" then
      self.keys[key] = before
      for i = #self.out, out_count + 1, -1 do self.out[i] = nil end
      return
    elseif call[1] == "show" then
      self:emit(shown(key, self.keys[key], self.watermark) .. "@" .. tostring(time))
    else
      calls[call[1]](self.keys[key], call[2], call[3])
    end
  end
end

local function earliest(own, domain, now)
  local first
  for time in pairs(own.timers[domain]) do
    if time <= now and (not first or time < first) then first = time end
  end
  return first
end

function Reference:fire(domain, now)
  for key in pairs(self.keys) do
    local time = earliest(self.keys[key], domain, now)
    while time do
      self.keys[key].timers[domain][time] = nil
      self:call(key, self.effects(time, domain), domain == "event" and time or nil)
      time = earliest(self.keys[key], domain, now)
    end
  end
end

function Reference:push(key, list, time)
  self.keys[key] = self.keys[key] or new_key()
  self:call(key, list, time)
  self:fire("processing", self.clock - 1) -- S8
end

function Reference:advance(watermark)
  if watermark <= self.watermark then return end
  self.watermark = watermark
  self:fire("event", watermark)
  self:emit("W(" .. tostring(watermark) .. ")")
  self:fire("processing", self.clock - 1)
end

function Reference:set_clock(now)
  self.clock = now
  self:fire("processing", now)
end

--- A snapshot and a restore, behind which the watermark is told again, or is not (S9).
function Reference:restore(told)
  local before = self.watermark
  self.watermark = -math.huge
  self:fire("processing", self.clock)
  if told then self:advance(before) end
end

--- Rows of state, and timers of a domain.
function Reference:rows()
  local rows = 0
  for _, own in pairs(self.keys) do
    rows = rows + (own.value ~= nil and 1 or 0) + #own.list + (own.sum and 1 or 0)
    for _ in pairs(own.map) do rows = rows + 1 end
  end
  return rows
end

function Reference:timer_count(domain)
  local count = 0
  for _, own in pairs(self.keys) do
    for _ in pairs(own.timers[domain]) do count = count + 1 end
  end
  return count
end

return M
