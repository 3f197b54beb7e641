-- Triggers and evictors of the library once more, as an author would write them.
local mt = require "moontide"

local M = { triggers = {} }

local function answers(trigger)
  return trigger.purging and "fire_and_purge" or "fire"
end

function M.triggers.event_time(trigger)
  local fire = answers(trigger)
  return {
    on_element = function(_, _, _, window, ctx)
      if window.max_timestamp <= ctx:current_watermark() then return fire end
      ctx:register_event_time_timer(window.max_timestamp)
      return "continue"
    end,
    on_event_time = function(_, time, window) return time == window.max_timestamp and fire or "continue" end,
    on_merge = function(_, window, ctx)
      if window.max_timestamp > ctx:current_watermark() then ctx:register_event_time_timer(window.max_timestamp) end
    end,
    clear = function(_, window, ctx) ctx:delete_event_time_timer(window.max_timestamp) end,
  }
end

function M.triggers.processing_time(trigger)
  local fire = answers(trigger)
  return {
    on_element = function(_, _, _, window, ctx)
      ctx:register_processing_time_timer(window.max_timestamp)
      return "continue"
    end,
    on_processing_time = function() return fire end,
    on_merge = function(_, window, ctx)
      if window.max_timestamp > ctx:current_processing_time() then ctx:register_processing_time_timer(window.max_timestamp) end
    end,
    clear = function(_, window, ctx) ctx:delete_processing_time_timer(window.max_timestamp) end,
  }
end

function M.triggers.count(trigger)
  local fire = answers(trigger)
  return {
    state = { seen = mt.list_state() },
    on_element = function(self, value)
      self.seen:add(value.v)
      if #self.seen:get() < trigger.n then return "continue" end
      self.seen:clear()
      return fire
    end,
    on_merge = function() end,
    clear = function(self) self.seen:clear() end,
  }
end

function M.triggers.continuous(trigger)
  local fire, interval = answers(trigger), trigger.interval
  return {
    state = { next_fire = mt.reducing_state { reduce = math.min } },
    on_element = function(self, _, time, window, ctx)
      if window.max_timestamp <= ctx:current_watermark() then return fire end
      ctx:register_event_time_timer(window.max_timestamp)
      if self.next_fire:get() == nil then
        self.next_fire:add(math.min(time - math.fmod(time, interval) + interval, window.max_timestamp))
        ctx:register_event_time_timer(self.next_fire:get())
      end
      return "continue"
    end,
    on_event_time = function(self, time, window, ctx)
      if time == window.max_timestamp then return fire end
      if self.next_fire:get() ~= time then return "continue" end
      self.next_fire:clear()
      self.next_fire:add(math.min(time + interval, window.max_timestamp))
      ctx:register_event_time_timer(self.next_fire:get())
      return fire
    end,
    on_merge = function(self, _, ctx)
      if self.next_fire:get() then ctx:register_event_time_timer(self.next_fire:get()) end
    end,
    clear = function(self, _, ctx)
      if self.next_fire:get() then ctx:delete_event_time_timer(self.next_fire:get()) end
      self.next_fire:clear()
    end,
  }
end

-- Not mergeable: for windows that do not merge.
function M.triggers.delta(trigger)
  local fire = answers(trigger)
  return {
    state = { last = mt.map_state() },
    on_element = function(self, value)
      local last = self.last:get("fired")
      if last and not (math.abs(value.v - last) > trigger.threshold) then return "continue" end
      self.last:put("fired", value.v)
      return last and fire or "continue"
    end,
    clear = function(self) self.last:clear() end,
  }
end

local keeps = {
  count = function(evictor, elements, i) return i > #elements - evictor.n end,
  time = function(evictor, elements, i)
    if elements[1].timestamp == nil then return true end
    local latest = -math.huge
    for _, element in ipairs(elements) do latest = math.max(latest, element.timestamp) end
    return elements[i].timestamp > latest - evictor.duration
  end,
  delta = function(evictor, elements, i)
    return not (math.abs(elements[i].value.v - elements[#elements].value.v) >= evictor.threshold)
  end,
}

function M.evictor(evictor)
  return {
    [evictor.when] = function(elements)
      local kept = {}
      for i, element in ipairs(elements) do
        if keeps[evictor.kind](evictor, elements, i) then kept[#kept + 1] = element end
      end
      return kept
    end,
  }
end

return M
