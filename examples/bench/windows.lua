-- Aggregates of windows of event time over rows { key, time, value }, 100 of them each millisecond.
-- settings: window ("tumbling", "sliding", "session" or "count"), size, slide, gap, keys, rate, way ("engine", "lua", "elements"),
--   interval, memory, per_ms, path (of what mt.meter writes: with a rate of per_ms * 1000, how late each result is behind its window's end)
local mt = require "moontide"
local args = mt.args

local job = mt.job("windows", {
  checkpoint = { interval = args.interval ~= "false" and (args.interval or "1s") },
  state = { backend = args.backend or "rocksdb", memory = args.memory or "256MB" },
})

local windows = {
  tumbling = function() return mt.tumbling { size = args.size or "10s" } end,
  sliding = function() return mt.sliding { size = args.size or "10s", slide = args.slide or "2s" } end,
  session = function() return mt.session { gap = args.gap or "1s" } end,
  count = function() return mt.count_window { size = tonumber(args.size or 10), slide = tonumber(args.slide or 2) } end,
}

local in_lua = {
  create = function() return { count = 0, sum = 0, max = -math.huge } end,
  add = function(acc, record)
    local value = record.value
    acc.count, acc.sum = acc.count + 1, acc.sum + value
    if value > acc.max then acc.max = value end
    return acc
  end,
  result = function(acc) return acc end,
  merge = function(a, b) return { count = a.count + b.count, sum = a.sum + b.sum, max = math.max(a.max, b.max) } end,
}

-- A record says when it was due; those of the same event time on are due as much later as their times are apart.
local in_time = mt.aggregates { due = mt.agg.min "value", time = mt.agg.min "time" }
local opened = math.huge
local function due(result)
  opened = math.min(opened, result.due - result.time * 1e6)
  return opened + result.window_end * 1e6
end

local in_engine = mt.aggregates { count = mt.agg.count(), sum = mt.agg.sum "value", max = mt.agg.max "value" }

local windowed = job:from(mt.random_keys {
    keys = tonumber(args.keys or 10000), shape = "row", time_field = true, rate_per_ms = tonumber(args.per_ms or 100),
    rate = tonumber(args.rate), due = args.path ~= nil,
  })
  :assign_timestamps { field = "time" }
  :key_by("key")
  :window(windows[args.window or "tumbling"]())

local function count_all(key, window, elements, _, out)
  out:collect { key = key, start = window.start, count = #elements, last = elements[#elements].value }
end

if args.path then
  windowed:aggregate("figures", in_time):map(due):to(mt.meter { path = args.path, warm_up = args.warm_up or 0 })
elseif args.way == "elements" then
  windowed:process("elements", count_all):to(mt.blackhole {})
else
  windowed:aggregate("figures", args.way == "lua" and in_lua or in_engine):to(mt.blackhole {})
end

return job
