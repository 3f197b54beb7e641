-- A step of all kinds of keyed state and timers. What it does comes from the record or the timer and what the key holds, and each
-- of its lines tells all that the key holds by then; so it can be played again from its lines (replay.lua).
local changes = require "faults.chaos.states.changes"
local draw = require "support.draw"
local lines = require "faults.chaos.states.lines"
local timers = require "faults.chaos.states.timers"

local CHANGES_MAX = 5
local REQUEST_EVERY = 500 -- one of so many records requests a checkpoint

local shown = { { "any", "value" }, { "nested", "value" }, { "sum", "get" }, { "range", "get" }, { "recent", "get" }, { "list", "get" },
  { "map", "entries" }, { "due", "value" } }

local function wider(a, b)
  return { low = math.min(a.low, b.low), high = math.max(a.high, b.high), seen = { count = a.seen.count + b.seen.count } }
end

local recent = {
  create = function() return { count = 0, sum = 0, last = {} } end,
  add = function(total, v)
    total.count, total.sum, total.last[total.count % 3 + 1] = total.count + 1, total.sum + v, v
    return total
  end,
  result = function(total) return { average = total.sum / total.count, last = total.last } end,
  merge = function(a, b) return { count = a.count + b.count, sum = a.sum + b.sum, last = b.last } end,
}

local function change(self, n, random)
  for _ = 1, random(0, CHANGES_MAX) do draw.pick(random, changes)(self, n, random) end
end

local function process_element(self, record, ctx, out)
  local head, clock = lines.begin(self, "1", record.n, ctx)
  local random = draw.generator(record.n)
  change(self, record.n, random)
  timers.by_record(self, ctx, random, record.t, clock)
  if random(REQUEST_EVERY) == 1 then ctx:request_checkpoint() end
  out:collect { n = record.n, b = record.b, v = record.v, t = record.t, line = head .. lines.state(self, shown) }
end

local function on_timer(self, time, ctx, out)
  local domain = ctx:time_domain()
  local head = lines.begin(self, domain, time, ctx)
  change(self, time, draw.generator(time))
  timers.by_timer(self, ctx, time)
  out:collect { n = time, b = time % 60, v = time % 1000, t = domain == "event" and time or nil, line = head .. lines.state(self, shown) }
end

--- `mt`: moontide, or plain_state.
return function(mt)
  return {
    state = {
      number = mt.value_state { default = 0 }, any = mt.value_state(), nested = mt.value_state(), list = mt.list_state(), map = mt.map_state(),
      sum = mt.reducing_state { reduce = function(a, b) return a + b end }, range = mt.reducing_state { reduce = wider },
      recent = mt.aggregating_state(recent), due = mt.value_state { default = timers.none },
    },
    process_element = process_element,
    on_timer = on_timer,
  }
end
