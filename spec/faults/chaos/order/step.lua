-- A step of state and timers that sees the order of records and of time, and throws some of both away. `mt`: moontide, or plain_state.
local LIST_MAX = 5

local function text_of(self)
  local entries = {}
  for key, value in self.map:entries() do entries[#entries + 1] = key .. "=" .. value end
  return ("%s;%s;%d"):format(table.concat(self.list:get(), "."), table.concat(entries, "."), self.due:value())
end

local function next_number(self)
  local number = self.number:value() + 1
  self.number:update(number)
  return number
end

-- A timer that is past would fire with the next watermark, and a restore sends the last one again (S3, S9).
local function register(self, timers, time)
  if time <= timers:current_watermark() then return end
  timers:register_event_time_timer(time)
  self.due:update(time)
end

local function process_element(self, record, ctx, out)
  local number, v, timers = next_number(self), record.v, ctx:timers()
  if v % 3 == 0 then self.map:remove(v % 8) else self.map:put(v % 8, record.n) end
  self.list:add(v)
  if #self.list:get() > LIST_MAX then self.list:clear() end
  if v % 4 == 1 then register(self, timers, record.t + v) end
  if v % 4 == 2 then timers:delete_event_time_timer(self.due:value()) end
  if v % 4 == 3 then register(self, timers, self.due:value()) end
  out:collect(("record %d %s %d %s"):format(record.n, ctx:current_key(), number, text_of(self)))
  if v % 23 == 0 then error("thrown away", 0) end
end

local function on_timer(self, time, ctx, out)
  local number = next_number(self)
  self.map:put(100 + time % 5, time)
  if time % 7 == 0 then register(self, ctx:timers(), time + 700) end
  out:collect(("timer %d %s %d %s"):format(time, ctx:current_key(), number, text_of(self)))
  if time % 19 == 0 then error("thrown away", 0) end
end

return function(mt)
  return {
    state = {
      number = mt.value_state { default = 0 }, due = mt.value_state { default = 0 }, list = mt.list_state(), map = mt.map_state(),
    },
    process_element = process_element,
    on_timer = on_timer,
  }
end
