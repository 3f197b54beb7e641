--- A keyed step in plain Lua: what it has under one key, its states (plain_state.lua) and its timers (S4), and the calls
--- of its callbacks, which get this as `ctx` and as `ctx:timers()`.
local copy = require "moontide.runtime.copy"

local PlainKey = {}
PlainKey.__index = PlainKey

local M = {}

--- `definition`: of a step, its states declared by plain_state; `now`: { watermark, clock }, which the caller moves.
function M.new(definition, key, now)
  local self = setmetatable({ definition = definition, key = key, now = now, states = {}, pending = { event = {}, processing = {} } }, PlainKey)
  for name, declaration in pairs(definition.state) do self.states[name] = declaration() end
  return self
end

-- ---- What the callbacks call ----

function PlainKey:current_key() return self.key end
function PlainKey:timers() return self end
function PlainKey:time_domain() return self.domain end
function PlainKey.request_checkpoint() end -- changes nothing that a step could see
function PlainKey:current_watermark() return self.now.watermark end
function PlainKey:current_processing_time() return self.now.clock end
function PlainKey:register_event_time_timer(time) self.pending.event[time] = true end
function PlainKey:delete_event_time_timer(time) self.pending.event[time] = nil end
function PlainKey:register_processing_time_timer(time) self.pending.processing[time] = true end
function PlainKey:delete_processing_time_timer(time) self.pending.processing[time] = nil end

-- ---- Calls of the callbacks ----

--- `callback`: "process_element" or one of its siblings.
function PlainKey:process(callback, value, out)
  self.definition[callback](self.states, value, self, out)
end

--- S2: a timer is gone before its callback is called. Answers whether there was one.
function PlainKey:take_timer(domain, time)
  local was_there = self.pending[domain][time]
  self.pending[domain][time] = nil
  return was_there or false
end

function PlainKey:on_timer(domain, time, out)
  self.domain = domain
  self.definition.on_timer(self.states, time, self, out)
end

--- The time of the first timer of a domain; nil if there is none.
function PlainKey:earliest(domain)
  local first
  for time in pairs(self.pending[domain]) do
    if not first or time < first then first = time end
  end
  return first
end

--- How many rows its states have.
function PlainKey:rows()
  local rows = 0
  for _, state in pairs(self.states) do rows = rows + state:rows() end
  return rows
end

-- ---- What a callback that fails leaves behind ----

function PlainKey:save()
  local saved = { pending = copy(self.pending), contents = {} }
  for name, state in pairs(self.states) do saved.contents[name] = copy(state.content) end
  return saved
end

function PlainKey:restore(saved)
  self.pending = saved.pending
  for name, state in pairs(self.states) do state.content = saved.contents[name] end
end

return M
