-- A job of random steps, made from mt.args.seed: the same seed gives the same steps. What it
-- emits does not depend on the order of records, so every way to run it must emit the same:
-- at any parallelism of the job, of its steps (mt.args.own = "yes" gives them some), and through kills.
local mt = require "moontide"

local seed = tonumber(mt.args.seed)
local own = mt.args.own == "yes"
local records = tonumber(mt.args.records or 3000)

-- Two streams of numbers: what the steps are must not depend on what parallelism they get.
local function stream_of(state)
  return function(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return math.floor(state / 65536) % n + 1
  end
end
local shape, width = stream_of(seed), stream_of(seed + 77)

local function parallelism()
  local drawn = width(6)
  return own and drawn <= 4 and drawn or nil
end

local job = mt.job("random", { checkpoint = { interval = false, records = math.ceil(records / 5) }, restart = "none",
  state = { backend = shape(2) == 1 and "memory" or "rocksdb" } })

local count = 0
local function name(kind)
  count = count + 1
  return kind .. count
end

-- All times are even and the gaps of sessions odd: sessions that only touch are one or two, as time comes in larger steps or
-- smaller ones (S29). So windows begin at odd times and end before odd ones.
local function last_of(t, size) return t - 1 - (t - 1) % size + size end

-- What follows from n and t is there to be missed, if a step loses it.
local function record(n, t) return { n = n, t = t, sum = n + t, k = "k" .. n % 7, deep = { n = n } } end

local dead = mt.collect { name = "dead" }

local makers = {}

function makers.map(stream)
  local add = shape(50)
  if shape(2) == 1 then return stream:map(function(v) return record(v.n + add, v.t) end, { name = name "map", parallelism = parallelism() }) end
  return stream:map(function(v)
    local n = v.deep.n + add
    return { n = n, t = v.t, sum = v.sum + add, k = "k" .. n % 7, deep = { n = n } }
  end, { name = name "map", parallelism = parallelism() })
end

function makers.filter(stream)
  local by = shape(4) + 1
  return stream:filter(function(v) return v.n % by ~= 0 end, { name = name "filter", parallelism = parallelism() })
end

function makers.flat_map(stream)
  local by = shape(5) + 1
  return stream:flat_map(function(v, out)
    out:collect(v)
    if v.n % by == 0 then out:collect(record(v.n + 1, v.t)) end
  end, { name = name "flat_map", parallelism = parallelism() })
end

function makers.rebalance(stream) return stream:rebalance() end
function makers.global(stream) return stream:global() end

-- Which record of a key and a time is the first depends on order; how many there are does not.
function makers.counted(stream)
  local keys = shape(300)
  return stream:key_by(function(v) return v.n % keys end):process(name "counted", {
    parallelism = parallelism(),
    state = { count = mt.value_state { default = 0 }, at = mt.map_state() },
    process_element = function(self, v, ctx, out)
      local number = (self.at:get(v.t) or 0) + 1
      self.at:put(v.t, number)
      self.count:update(self.count:value() + 1)
      assert(self.count:value() >= number)
      out:collect(record(ctx:current_key() * 7 + number, v.t))
    end,
  })
end

-- Emits by timers what has come until then; all records of a time come before its watermark.
function makers.timed(stream)
  local keys, size = shape(100), 2 * shape(400)
  return stream:key_by(function(v) return v.n % keys end):process(name "timed", {
    parallelism = parallelism(),
    state = { sums = mt.map_state() },
    process_element = function(self, v, ctx)
      local last = last_of(v.t, size)
      self.sums:put(last, (self.sums:get(last) or 0) + 1)
      ctx:timers():register_event_time_timer(last)
    end,
    on_timer = function(self, time, ctx, out)
      out:collect(record(ctx:current_key() + self.sums:get(time), time))
      self.sums:remove(time)
    end,
  })
end

function makers.window(stream)
  local keys, size, in_lua = shape(100), 2 * shape(400), shape(2) == 1
  local windowed = stream:key_by(function(v) return v.n % keys end):window(mt.tumbling { size = size, offset = 1 })
  local named = name "window"
  if in_lua then
    return windowed:process(named, function(key, window, elements, _, out) out:collect(record(key + #elements, window["end"] - 1)) end)
  end
  return windowed:count(named):map(function(v) return record(v.key + v.count, v.window_end - 1) end)
end

-- Windows that share panes, and windows that merge: of the engine's own aggregates, or in Lua.
function makers.overlapping(stream)
  local keys, slide, in_lua = shape(100), 2 * shape(150), shape(2) == 1
  local windowed = stream:key_by(function(v) return { v.n % keys, v.k } end):window(mt.sliding { size = slide * shape(5), slide = slide, offset = 1 })
  local named = name "overlapping"
  if in_lua then
    return windowed:process(named, function(key, window, elements, _, out) out:collect(record(key[1] + #elements, window["end"] - 1)) end)
  end
  return windowed:aggregate(named, mt.aggregates { count = mt.agg.count(), n = mt.agg.sum "n" })
    :map(function(v) return record(v.count + v.n, v.window_end - 1) end)
end

local counting = {
  create = function() return { count = 0 } end,
  add = function(acc, v) acc.count = acc.count + v.n return acc end,
  merge = function(a, b) a.count = a.count + b.count return a end,
  result = function(acc) return acc.count end,
}

function makers.sessions(stream)
  local keys, gap, in_lua = shape(40), 2 * shape(60) + 1, shape(2) == 1
  local windowed = stream:key_by(function(v) return "s" .. v.n % keys end):window(mt.session { gap = gap })
  local named = name "sessions"
  if in_lua then
    return windowed:aggregate(named, counting, function(_, window, count, _, out) out:collect(record(count % 1000, window["end"] - 1)) end)
  end
  return windowed:count(named):map(function(v) return record(v.count, v.window_end - 1) end)
end

function makers.paired(stream)
  local other, size = makers.filter(stream), 2 * shape(20)
  return stream:join(other, { left = "n", right = "n" }):window(mt.tumbling { size = size, offset = 1 })
    :apply(name "paired", function(l, r) return record(l.n + r.t % 100, last_of(l.t, size)) end)
end

function makers.grouped(stream)
  local other, size = makers.map(stream), 2 * shape(200)
  return stream:co_group(other, { left = "k", right = "k" }):window(mt.tumbling { size = size, offset = 1 })
    :apply(name "grouped", function(_, lefts, rights, out)
      out:collect(record(#lefts * 3 + #rights, last_of((lefts[1] or rights[1]).t, size)))
    end)
end

-- All rules of a time have come when its timer fires, since time is the least of both inputs'.
function makers.ruled(stream)
  local keys, every = shape(50), 2 * shape(30)
  local rules = stream:filter(function(v) return v.n % 10 == 0 end):broadcast { rules = mt.map_state() }
  return stream:key_by(function(v) return v.n % keys end):connect(rules):process(name "ruled", {
    parallelism = parallelism(),
    state = { elements = mt.reducing_state { reduce = function(a, b) return a + b end } },
    process_element = function(self, _, ctx)
      self.elements:add(1)
      ctx:timers():register_event_time_timer(last_of(ctx:timestamp(), every))
    end,
    process_broadcast_element = function(self, v) self.rules:put(v.t * 10000 + v.n, v.t) end,
    on_timer = function(self, time, ctx, out)
      local past = 0
      for _, t in self.rules:entries() do
        if t <= time then past = past + 1 end
      end
      out:collect(record(ctx:current_key() + past, time))
    end,
  })
end

-- Time from here on comes from the records alone; it stands still until their end.
function makers.retimed(stream)
  return stream:assign_timestamps { field = "t", max_out_of_orderness = "1d" }
end

function makers.sides(stream)
  local by = shape(3) + 1
  local main = stream:process(name "sides", {
    parallelism = parallelism(),
    process_element = function(_, v, ctx, out)
      if v.n % by == 0 then ctx:output("side", record(v.n + 1000, v.t)) else out:collect(v) end
    end,
  })
  local side = main:side_output "side"
  return shape(2) == 1 and main:union(side) or side:union(makers.map(main))
end

function makers.connected(stream)
  local other = makers.map(stream)
  local function pass(_, v, _, out) out:collect(v) end
  return stream:connect(other):process(name "connected", { parallelism = parallelism(), process_element1 = pass, process_element2 = pass })
end

function makers.plain(stream)
  local by = shape(4) + 1
  return stream:process(name "plain", function(v, _, out)
    if v.n % by ~= 0 then out:collect(v) end
  end)
end

-- By a field, with state that is a list and a table; what is passed on is the record.
function makers.remembered(stream)
  return stream:key_by("k"):process(name "remembered", {
    parallelism = parallelism(),
    state = { times = mt.list_state(), totals = mt.value_state() },
    process_element = function(self, v, ctx, out)
      local totals = self.totals:value() or { count = 0, sum = 0 }
      totals.count, totals.sum = totals.count + 1, totals.sum + v.n
      self.totals:update(totals)
      if totals.count % 50 == 0 then self.times:clear() end
      self.times:add(v.t)
      assert(ctx:current_key() == v.k and #self.times:get() == (totals.count < 50 and totals.count or totals.count % 50 + 1))
      out:collect(v)
    end,
  })
end

function makers.failing(stream)
  local by = shape(20) + 3
  return stream:map(function(v)
    if v.n % by == 0 then error "as it should" end
    return v
  end, { name = name "failing", on_error = shape(2) == 1 and "skip" or { dead_letter = dead }, parallelism = parallelism() })
end

function makers.joined(stream)
  local other = makers.filter(makers.map(stream))
  return stream:key_by("k"):interval_join(other:key_by("k"), { lower = -2, upper = 2 })
    :process(name "joined", function(l, r, ctx, out) out:collect(record(l.n + r.n, ctx:timestamp())) end)
end

local kinds = { "map", "filter", "flat_map", "rebalance", "global", "counted", "timed", "window", "sides", "connected", "plain", "remembered", "failing", "joined",
  "overlapping", "sessions", "paired", "grouped", "ruled", "retimed" }

local function source(of)
  local count_of = records
  return job:from(mt.generator { count = count_of, seed = of, fn = function(i, random)
      local n, t = random(1, 1000), 2 * i
      return { n = n, t = t, sum = n + t, k = "k" .. n % 7, deep = { n = n } }
    end },
    { name = name "source", parallelism = parallelism() })
    :assign_timestamps { field = "t", max_out_of_orderness = 40, emit = 50 }
end

local fans = { sides = true, connected = true, flat_map = true, joined = true, overlapping = true, paired = true, grouped = true }
local stream = source(seed)
local fan = 1
for _ = 1, shape(6) do
  local kind = kinds[shape(#kinds)]
  if fans[kind] then fan = fan + 1 end
  if fan <= 4 then stream = makers[kind](stream) end
  if shape(6) == 1 then stream = stream:union(source(seed + count)) end
end
stream:map(function(v)
  assert(v.sum == v.n + v.t and v.k == "k" .. v.n % 7 and v.deep.n == v.n)
  return ("%d@%d"):format(v.n, v.t)
end):to(mt.collect { name = "rows" })
return job
