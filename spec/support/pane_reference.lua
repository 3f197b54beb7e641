-- Windows that keep their elements, of one input or two, done the slow way: triggers and evictors of one's own, failures that
-- are skipped, and whole batches. What time is, over inputs, window_reference.lua says.
local window_reference = require "support.window_reference"

local HUGE = math.huge
local M, Panes = {}, {}

local function last_of(pane) return pane.stop == HUGE and HUGE or pane.stop - 1 end
M.last_of = last_of

local function same(a, b) return a.key == b.key and a.start == b.start and a.stop == b.stop end

-- ---- A record or a timer is done or not at all ----

local function copied_list(list)
  local copy = {}
  for i, one in ipairs(list) do copy[i] = one end
  return copy
end

local function saved(self)
  local panes = {}
  for i, pane in ipairs(self.panes) do
    panes[i] = { key = pane.key, start = pane.start, stop = pane.stop, elements = copied_list(pane.elements), seen = copied_list(pane.seen) }
  end
  return { panes = panes, timers = copied_list(self.timers), out = #self.out }
end

function Panes:attempt(fn)
  local before = saved(self)
  local ok, failure = pcall(fn)
  if ok then return true end
  if failure ~= M.failure then error(failure, 0) end
  self.panes, self.timers = before.panes, before.timers
  for i = #self.out, before.out + 1, -1 do self.out[i] = nil end
  self.failures = self.failures + 1
  return false
end

-- What a callback raises where a program says so; the reference tells it from its own faults.
M.failure = "asked to fail"
function M.raise() error(M.failure, 0) end

-- ---- What a trigger sees ----

local function trigger_context(self, pane)
  return {
    current_watermark = function() return self.watermark end,
    current_processing_time = function() return self.clock end,
    register_event_time_timer = function(_, time) self:register("event", pane, time) end,
    delete_event_time_timer = function(_, time) self:delete("event", pane, time) end,
    register_processing_time_timer = function(_, time) self:register("processing", pane, time) end,
    delete_processing_time_timer = function(_, time) self:delete("processing", pane, time) end,
  }
end

local function list_state_of(pane)
  return {
    get = function() return copied_list(pane.seen) end,
    add = function(_, value) table.insert(pane.seen, value) end,
    clear = function() pane.seen = {} end,
  }
end

local function window_of(pane)
  if pane.stop == HUGE then return {} end
  return { start = pane.start, ["end"] = pane.stop, max_timestamp = last_of(pane) }
end
M.window_of = window_of

function Panes:asks(callback, pane, ...)
  local trigger = self.program.plain_trigger
  local fn = trigger and trigger[callback]
  if not fn then return "continue" end
  local arguments = { ... }
  arguments[#arguments + 1], arguments[#arguments + 2] = window_of(pane), trigger_context(self, pane)
  return fn({ seen = list_state_of(pane) }, unpack(arguments))
end

function Panes:act(pane, answer)
  if answer == "fire" or answer == "fire_and_purge" then self:fire(pane) end
  if answer == "purge" or answer == "fire_and_purge" then pane.elements = {} end
end

function Panes:fire(pane)
  if #pane.elements == 0 then return end -- S26
  local evictor, elements, window = self.program.plain_evictor or {}, {}, window_of(pane)
  for i, element in ipairs(pane.elements) do elements[i] = self.program.copy(element) end
  local clock = trigger_context(self, pane)
  if evictor.before then elements = evictor.before(elements, window, clock) end
  local kept = {}
  for i, element in ipairs(elements) do kept[i] = self.program.copy(element) end
  self.program.emit(pane, kept, function(text) self:emit(("%s@%s"):format(text, tostring(last_of(pane)))) end)
  if evictor.after then elements = evictor.after(elements, window, clock) end
  pane.elements = elements -- S30
end

function Panes:forget(pane)
  self:asks("clear", pane)
  self.program.forgotten(pane)
  for i, other in ipairs(self.panes) do
    if other == pane then table.remove(self.panes, i) return end
  end
end

-- ---- Elements ----

function Panes:merge(key, window)
  local merged, result = {}, { key = key, start = window.start, stop = window.stop }
  local i = 1
  while i <= #self.panes do
    local pane = self.panes[i]
    if pane.key == key and pane.start <= result.stop and pane.stop >= result.start then
      result.start, result.stop = math.min(result.start, pane.start), math.max(result.stop, pane.stop)
      merged[#merged + 1] = table.remove(self.panes, i)
      i = 1
    else
      i = i + 1
    end
  end
  return merged, result
end

-- The session of a record, which may have been several; nil: it is late.
function Panes:session(key, window)
  local merged, result = self:merge(key, window)
  table.sort(merged, function(a, b) return a.start < b.start end)
  if self:is_late(result) then
    for _, old in ipairs(merged) do table.insert(self.panes, old) end
    return nil
  end
  if #merged == 1 and same(merged[1], result) then
    table.insert(self.panes, merged[1])
    return merged[1]
  end
  result.elements, result.seen = {}, {}
  table.insert(self.panes, result)
  for _, old in ipairs(merged) do
    for _, element in ipairs(old.elements) do table.insert(result.elements, element) end
    for _, value in ipairs(old.seen) do table.insert(result.seen, value) end
  end
  if #merged > 0 then self:asks("on_merge", result) end
  for _, old in ipairs(merged) do
    local bare = { key = key, start = old.start, stop = old.stop, elements = {}, seen = {} }
    self:asks("clear", bare)
    self:delete(self.program.window.time, bare, self:cleanup_of(old))
  end
  return result
end

function Panes:pane_of(wanted)
  for _, pane in ipairs(self.panes) do
    if same(pane, wanted) then return pane end
  end
  if self.program.window.kind == "session" then return nil end
  local pane = { key = wanted.key, start = wanted.start, stop = wanted.stop, elements = {}, seen = {} }
  table.insert(self.panes, pane)
  return pane
end

function Panes:pane_for(key, window)
  if self.program.window.kind == "session" then return self:session(key, window) end
  local wanted = { key = key, start = window.start, stop = window.stop }
  return not self:is_late(wanted) and self:pane_of(wanted) or nil
end

function Panes:put(side, record)
  local program = self.program
  local by = self:is_event() and record.t or self.clock
  local windows, taken = program.windows_of(by, program.seen(side, record)), false
  for _, window in ipairs(windows) do
    local pane = self:pane_for(record.k, window)
    if pane then
      taken = true
      table.insert(pane.elements, { value = program.seen(side, record), timestamp = record.t })
      self:act(pane, self:asks("on_element", pane, program.seen(side, record), record.t))
      local cleanup = self:cleanup_of(pane)
      if cleanup ~= HUGE then self:register(program.window.time, pane, cleanup) end
    end
  end
  if not taken and #windows > 0 and self:is_event() and record.t + program.lateness <= self.watermark then
    self:emit(("late %s@%s"):format(program.text(program.seen(side, record)), tostring(record.t)))
  end
end

function Panes:push(side, records)
  self:activate(side)
  for _, record in ipairs(records) do
    self:attempt(function() self:put(side, record) end)
  end
end

-- ---- Time ----

local function next_timer(self, domain, now)
  local at
  for i, timer in ipairs(self.timers) do
    if timer.domain == domain and timer.time <= now and (not at or timer.time < self.timers[at].time) then at = i end
  end
  return at and table.remove(self.timers, at)
end

function Panes:fire_timer(timer)
  local pane = self:pane_of(timer)
  if not pane then return end
  self:act(pane, self:asks(timer.domain == "event" and "on_event_time" or "on_processing_time", pane, timer.time))
  if self:is_cleanup(timer, pane) then self:forget(pane) end
end

function Panes:is_cleanup(timer, pane)
  return timer.domain == self.program.window.time and timer.time ~= HUGE and timer.time == self:cleanup_of(pane)
end

function Panes:fire_timers(domain, now)
  local timer = next_timer(self, domain, now)
  while timer do
    local at = timer
    if not self:attempt(function() self:fire_timer(at) end) then
      -- Its window is forgotten all the same.
      self:attempt(function()
        local pane = self:pane_of(at)
        if pane and self:is_cleanup(at, pane) then self:forget(pane) end
      end)
    end
    timer = next_timer(self, domain, now)
  end
end

function Panes:rows()
  local rows = 0
  for _, pane in ipairs(self.panes) do rows = rows + #pane.elements + #pane.seen end
  return rows
end

--- The reference of a program.
---@param program table { window, lateness, plain_trigger, plain_evictor, copy, emit, forgotten, windows_of, seen, text }
---@param inputs integer
function M.new(program, inputs)
  local self = window_reference.new(program, inputs)
  self.failures = 0
  local base = getmetatable(self).__index
  return setmetatable(self, { __index = function(_, name) return Panes[name] or base[name] end })
end

return M
