-- Windows as the rules say (S12 to S31), done the slow way: every window is a list of
-- its elements, every timer an entry of a list that is searched. Written from the rules,
-- with nothing of the engine in it.
--
-- A program is { window, trigger, evictor, lateness, late } (see random_windows.lua); the
-- reference takes what a harness takes, and answers what comes out as text.
local M = {}

local HUGE = math.huge
local Reference = {}
Reference.__index = Reference

-- ---- Time over channels (S12 to S16), slowly ----

local function new_channels(count)
  local list = {}
  for i = 1, count do list[i] = { watermark = -HUGE, idle = false, ended = false, aligned = true } end
  return list
end

local function lowest(channels)
  local low
  for _, channel in ipairs(channels) do
    if not channel.idle and not channel.ended and channel.aligned then low = math.min(low or HUGE, channel.watermark) end
  end
  return low
end

local function all(channels, test)
  for _, channel in ipairs(channels) do
    if not test(channel) then return false end
  end
  return true
end

function M.new(program, channels)
  return setmetatable({ program = program, channels = new_channels(channels), channel_count = channels, watermark = -HUGE, idle = false,
    clock = 0, panes = {}, timers = {}, out = {}, serial = 0 }, Reference)
end

function Reference:emit(text)
  self.out[#self.out + 1] = text
end

--- What has come out since the last call: runs of records, sorted, between marks.
function Reference:take()
  local out = self.out
  self.out = {}
  return out
end

-- ---- Windows of an element ----

local function start_of(time, offset, size)
  return math.floor((time - offset) / size) * size + offset
end

--- Whether it is known where windows begin: a natural stagger is drawn at the first element (T26).
function Reference:has_offset()
  return self.program.window.stagger ~= "natural" or self.drawn ~= nil
end

function Reference:offset()
  local window = self.program.window
  if not self:has_offset() then self.drawn = self.clock - start_of(self.clock, 0, window.slide) end
  return window.offset + (self.drawn or 0)
end

local function windows_of(self, time, value)
  local list, window = {}, self.program.window
  if window.kind == "global" then return { { start = -HUGE, stop = HUGE } } end
  if window.kind == "session" then
    return { { start = time, stop = time + (window.gap and window.gap(value) or window.size) } }
  end
  local start = start_of(time, self:offset(), window.slide)
  while start > time - window.size do
    list[#list + 1] = { start = start, stop = start + window.size }
    start = start - window.slide
  end
  return list
end

local function last_of(pane)
  return pane.stop == HUGE and HUGE or pane.stop - 1
end

function Reference:is_event()
  return self.program.window.time == "event"
end

function Reference:cleanup_of(pane)
  if pane.stop == HUGE then return HUGE end
  return last_of(pane) + (self:is_event() and self.program.lateness or 0)
end

function Reference:is_late(pane)
  return self:is_event() and self:cleanup_of(pane) <= self.watermark
end

-- ---- Timers: of a key's window ----

local function same_window(a, b)
  return a.key == b.key and a.start == b.start and a.stop == b.stop
end

function Reference:register(domain, pane, time)
  for _, timer in ipairs(self.timers) do
    if timer.domain == domain and timer.time == time and same_window(timer, pane) then return end
  end
  table.insert(self.timers, { domain = domain, time = time, key = pane.key, start = pane.start, stop = pane.stop })
end

function Reference:delete(domain, pane, time)
  for i, timer in ipairs(self.timers) do
    if timer.domain == domain and timer.time == time and same_window(timer, pane) then
      table.remove(self.timers, i)
      return
    end
  end
end

function Reference:pane_of(timer)
  for _, pane in ipairs(self.panes) do
    if same_window(pane, timer) then return pane end
  end
end

-- ---- Triggers: each answers whether to fire; purging is a flag of the program ----

local triggers = {}

triggers.event_time = {
  on_element = function(self, pane)
    if last_of(pane) <= self.watermark then return true end
    self:register("event", pane, last_of(pane))
  end,
  on_event_time = function(_, pane, time) return time == last_of(pane) end,
  on_merge = function(self, pane)
    if last_of(pane) > self.watermark then self:register("event", pane, last_of(pane)) end
  end,
  clear = function(self, pane) self:delete("event", pane, last_of(pane)) end,
}

triggers.processing_time = {
  on_element = function(self, pane) self:register("processing", pane, last_of(pane)) end,
  on_processing_time = function() return true end,
  on_merge = function(self, pane)
    if last_of(pane) > self.clock then self:register("processing", pane, last_of(pane)) end
  end,
  clear = function(self, pane) self:delete("processing", pane, last_of(pane)) end,
}

triggers.count = {
  on_element = function(self, pane)
    pane.count = (pane.count or 0) + 1
    if pane.count < self.program.trigger.n then return false end
    pane.count = nil
    return true
  end,
  clear = function(_, pane) pane.count = nil end,
}

-- S28; the remainder truncates towards zero.
triggers.continuous = {
  on_element = function(self, pane, _, time)
    if last_of(pane) <= self.watermark then return true end
    self:register("event", pane, last_of(pane))
    if pane.fire_time == nil then
      local interval = self.program.trigger.interval
      pane.fire_time = math.min(time - math.fmod(time, interval) + interval, last_of(pane))
      self:register("event", pane, pane.fire_time)
    end
  end,
  on_event_time = function(self, pane, time)
    if time == last_of(pane) then return true end
    if pane.fire_time ~= time then return false end
    pane.fire_time = math.min(time + self.program.trigger.interval, last_of(pane))
    self:register("event", pane, pane.fire_time)
    return true
  end,
  on_merge = function(self, pane)
    if pane.fire_time then self:register("event", pane, pane.fire_time) end
  end,
  clear = function(self, pane)
    if pane.fire_time then self:delete("event", pane, pane.fire_time) end
    pane.fire_time = nil
  end,
}

triggers.delta = {
  on_element = function(self, pane, value)
    local last = pane.last_fired
    if last == nil then
      pane.last_fired = value
      return false
    end
    if not (math.abs(value - last) > self.program.trigger.threshold) then return false end
    pane.last_fired = value
    return true
  end,
  clear = function(_, pane) pane.last_fired = nil end,
}

triggers.end_of_stream = {
  on_element = function(self, pane) self:register("event", pane, HUGE) end,
  on_event_time = function(_, _, time) return time == HUGE end,
  on_merge = function(self, pane) self:register("event", pane, HUGE) end,
  clear = function(self, pane) self:delete("event", pane, HUGE) end,
}

triggers.never = {}

function Reference:trigger(callback, pane, ...)
  local name = self.program.trigger.kind
  local fn = triggers[name][callback]
  return fn and fn(self, pane, ...)
end

-- ---- Firing ----

local function evict(elements, evictor)
  local kept = {}
  if evictor.kind == "count" then
    for i = math.max(1, #elements - evictor.n + 1), #elements do kept[#kept + 1] = elements[i] end
  elseif evictor.kind == "time" then
    if #elements == 0 or elements[1].time == nil then return elements end
    local latest = -HUGE
    for _, element in ipairs(elements) do latest = math.max(latest, element.time) end
    for _, element in ipairs(elements) do
      if element.time > latest - evictor.duration then kept[#kept + 1] = element end
    end
  else
    local last = elements[#elements]
    for _, element in ipairs(elements) do
      if not (math.abs(element.value - last.value) >= evictor.threshold) then kept[#kept + 1] = element end
    end
  end
  return kept
end

local function describe(pane, elements)
  local sum, values = 0, {}
  for i, element in ipairs(elements) do
    sum = sum + element.value
    values[i] = element.value
  end
  table.sort(values)
  return ("%s|%s|%s|%d|%d|%s"):format(pane.key, tostring(pane.start), tostring(pane.stop), #elements, sum, table.concat(values, " "))
end
M.describe = describe

function Reference:fire(pane)
  if #pane.elements == 0 then return end -- S26
  local evictor = self.program.evictor
  local elements = pane.elements
  if evictor and evictor.when == "before" then elements = evict(elements, evictor) end
  local time = last_of(pane)
  self:emit(("%s@%s"):format(describe(pane, elements), tostring(time)))
  if evictor and evictor.when == "after" then elements = evict(elements, evictor) end
  pane.elements = elements -- S30
end

function Reference:act(pane, fires)
  if not fires then return end
  self:fire(pane)
  if self.program.trigger.purging then pane.elements = {} end
end

function Reference:forget(pane)
  self:trigger("clear", pane)
  for i, other in ipairs(self.panes) do
    if other == pane then table.remove(self.panes, i) return end
  end
end

-- ---- Elements ----

local function touches(a, b)
  return a.start <= b.stop and a.stop >= b.start
end

-- S29: the window with all that it touches; what was there before is told to the trigger as merged.
function Reference:merge(key, window)
  local merged, result = {}, { start = window.start, stop = window.stop }
  local found = true
  while found do
    found = false
    for i, pane in ipairs(self.panes) do
      if pane.key == key and touches(pane, result) then
        result.start, result.stop = math.min(result.start, pane.start), math.max(result.stop, pane.stop)
        merged[#merged + 1] = table.remove(self.panes, i)
        found = true
        break
      end
    end
  end
  table.sort(merged, function(a, b) return a.start < b.start end)
  if #merged == 1 and same_window(merged[1], { key = key, start = result.start, stop = result.stop }) then
    table.insert(self.panes, merged[1])
    return merged[1]
  end
  local pane = { key = key, start = result.start, stop = result.stop, elements = {} }
  if #merged == 0 then return pane, true end
  for _, old in ipairs(merged) do
    for _, element in ipairs(old.elements) do table.insert(pane.elements, element) end
    if old.count then pane.count = (pane.count or 0) + old.count end
    if old.fire_time then pane.fire_time = math.min(pane.fire_time or HUGE, old.fire_time) end
  end
  table.insert(self.panes, pane)
  self:trigger("on_merge", pane)
  for _, old in ipairs(merged) do
    local bare = { key = key, start = old.start, stop = old.stop } -- its states are the new window's now
    self:trigger("clear", bare)
    local cleanup = self:cleanup_of(old)
    if cleanup ~= HUGE then self:delete(self.program.window.time, bare, cleanup) end
  end
  return pane
end

function Reference:pane_for(key, window)
  if self.program.window.kind == "session" then
    local pane, new = self:merge(key, window)
    if new and self:is_late(pane) then return nil end
    if new then table.insert(self.panes, pane) end
    return pane
  end
  local wanted = { key = key, start = window.start, stop = window.stop }
  if self:is_late(wanted) then return nil end
  local pane = self:pane_of(wanted)
  if not pane then
    pane = wanted
    pane.elements = {}
    table.insert(self.panes, pane)
  end
  return pane
end

function Reference:push(channel, key, value, time)
  self:activate(channel)
  local by = self:is_event() and time or self.clock
  local windows, taken = windows_of(self, by, value), false
  for _, window in ipairs(windows) do
    local pane = self:pane_for(key, window)
    if pane then
      taken = true
      table.insert(pane.elements, { value = value, time = time })
      self:act(pane, self:trigger("on_element", pane, value, time))
      local cleanup = self:cleanup_of(pane)
      if cleanup ~= HUGE then self:register(self.program.window.time, pane, cleanup) end
    end
  end
  if not taken and #windows > 0 and self:is_event() and time + self.program.lateness <= self.watermark then
    self:emit(("late %s|%d@%s"):format(key, value, tostring(time)))
  end
end

-- ---- Time ----

function Reference:fire_timers(domain, now)
  while true do
    local at
    for i, timer in ipairs(self.timers) do
      if timer.domain == domain and timer.time <= now and (not at or timer.time < self.timers[at].time) then at = i end
    end
    if not at then return end
    local timer = table.remove(self.timers, at)
    local pane = self:pane_of(timer)
    if pane then
      self:act(pane, self:trigger(domain == "event" and "on_event_time" or "on_processing_time", pane, timer.time))
      if domain == self.program.window.time and timer.time == self:cleanup_of(pane) then self:forget(pane) end
    end
  end
end

function Reference:raise(watermark)
  if watermark <= self.watermark then return end
  self.watermark = watermark
  self:fire_timers("event", watermark)
  self:emit("W(" .. tostring(watermark) .. ")")
end

function Reference:left(channel)
  if not all(self.channels, function(other) return other.idle or other.ended end) then
    local low = lowest(self.channels)
    if low then self:raise(low) end
    return
  end
  if self.idle then return end
  if channel.watermark == self.watermark then -- S16
    local high = -HUGE
    for _, other in ipairs(self.channels) do
      if not other.ended then high = math.max(high, other.watermark) end
    end
    self:raise(high)
  end
  self.idle = true
  self:emit("idle")
end

function Reference:activate(number)
  local channel = self.channels[number]
  if not channel.idle then return end
  channel.idle = false
  channel.aligned = channel.watermark >= self.watermark
  if self.idle then
    self.idle = false
    self:emit("active")
  end
end

function Reference:set_watermark(number, watermark)
  local channel = self.channels[number]
  if channel.idle or watermark <= channel.watermark then return end
  channel.watermark = watermark
  if watermark >= self.watermark then channel.aligned = true end
  local low = lowest(self.channels)
  if low then self:raise(low) end
end

function Reference:set_idle(number)
  local channel = self.channels[number]
  if channel.idle then return end
  channel.idle = true
  self:left(channel)
end

function Reference:finish(number)
  local channel = self.channels[number]
  channel.ended = true
  if not all(self.channels, function(other) return other.ended end) then
    if not channel.idle then self:left(channel) end
    return
  end
  if self.idle then
    self.idle = false
    self:emit("active")
  end
  self:raise(HUGE)
  for i = #self.timers, 1, -1 do -- S18
    if self.timers[i].domain == "processing" then table.remove(self.timers, i) end
  end
end

function Reference:set_clock(now)
  self.clock = now
  self:fire_timers("processing", now)
end

local function tell_again(self, channels)
  for i, channel in ipairs(channels) do
    if channel.watermark > -HUGE then self:set_watermark(i, channel.watermark) end
  end
  for i, channel in ipairs(channels) do
    if channel.idle then self:set_idle(i) end
  end
end

--- A snapshot, and a restore of it: watermarks are no state, and what is overdue by the clock fires (S9). As a source
--- does, `told` channels tell their time again.
function Reference:restore(told)
  local before = self.channels
  self.channels = new_channels(self.channel_count)
  self.watermark, self.idle = -HUGE, false
  self:fire_timers("processing", self.clock)
  if told then tell_again(self, before) end
end

return M
