-- What the steps of the job of states do to the timers of a key; the last one that was registered of each domain is in the
-- value state `due`.
local draw = require "support.draw"

local M = {
  --- What `due` is by default: no timer is registered for these times.
  none = { event = 0, processing = 0 },
}

local function register(self, timers, event, processing)
  local due = self.due:value()
  if event then timers:register_event_time_timer(event) end
  if processing then timers:register_processing_time_timer(processing) end
  self.due:update { event = event or due.event, processing = processing or due.processing }
end

local function register_event(self, timers, random, time) register(self, timers, time + random(10000)) end

local function register_processing(self, timers, random, _, clock) register(self, timers, nil, clock + random(40)) end

-- The last ones may have fired by now.
local function delete(self, timers)
  local due = self.due:value()
  timers:delete_event_time_timer(due.event)
  timers:delete_processing_time_timer(due.processing)
end

-- The last one is registered twice, or again after it was deleted, if it is not past.
local function register_again(self, timers, _, time)
  local due = self.due:value()
  if due.event > time then timers:register_event_time_timer(due.event) end
end

local changes = { register_event, register_event, register_processing, register_again, delete }

--- For a record that has this time, or none.
function M.by_record(self, ctx, random, time, clock)
  if time and random(6) > 1 then draw.pick(random, changes)(self, ctx:timers(), random, time, clock) end
end

--- In on_timer: a third registers one more, which does not.
function M.by_timer(self, ctx, time)
  local which, timers = time % 3, ctx:timers()
  if which == 1 then delete(self, timers) end
  if which == 0 and ctx:time_domain() == "event" then register(self, timers, time + 2500) end
  if which == 0 and ctx:time_domain() == "processing" then register(self, timers, nil, time + 25) end
end

return M
