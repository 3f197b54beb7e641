-- A step of two keyed inputs, which share state and timers: what the first step collected, and the records as they were read.
-- Its lines are those of the first step, if one is at hand, and its own.
local draw = require "support.draw"
local lines = require "faults.chaos.states.lines"
local timers = require "faults.chaos.states.timers"

local LOG_MAX, WAITING_MAX = 12, 20

local shown = { { "balance", "get" }, { "waiting", "entries" }, { "log", "get" }, { "due", "value" } }

-- A record that waits for one of the other input.
local function match(self, input, record)
  local key = record.v % WAITING_MAX
  local other = self.waiting:get(key)
  if other and other.input ~= input then
    self.waiting:remove(key)
  else
    self.waiting:put(key, { input = input, count = (other and other.count or 0) + 1 })
  end
end

local function log(self, entry)
  self.log:add(entry)
  if #self.log:get() > LOG_MAX then self.log:clear() end
end

local function process(input, sign)
  return function(self, record, ctx, out)
    local head, clock = lines.begin(self, input, record.n, ctx)
    self.balance:add(sign * record.v)
    match(self, input, record)
    log(self, { input = input, n = record.n })
    timers.by_record(self, ctx, draw.generator(record.n), record.t, clock)
    out:collect { line = (record.line or "") .. ";" .. head .. lines.state(self, shown) }
  end
end

local function on_timer(self, time, ctx, out)
  local head = lines.begin(self, ctx:time_domain(), time, ctx)
  for key in self.waiting:keys() do
    if (key + time) % 4 == 0 then self.waiting:remove(key) end
  end
  log(self, time)
  timers.by_timer(self, ctx, time)
  out:collect { line = ";" .. head .. lines.state(self, shown) }
end

--- `mt`: moontide, or plain_state.
return function(mt)
  return {
    state = {
      number = mt.value_state { default = 0 }, balance = mt.reducing_state { reduce = function(a, b) return a + b end },
      waiting = mt.map_state(), log = mt.list_state(), due = mt.value_state { default = timers.none },
    },
    process_element1 = process("1", 1),
    process_element2 = process("2", -1),
    on_timer = on_timer,
  }
end
