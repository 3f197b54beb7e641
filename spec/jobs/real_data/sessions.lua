-- Reviews in sessions of each reviewer: aggregates of the engine, and one in Lua.
local mt = require "moontide"
local args = mt.args

local job = mt.job("sessions", { state = { backend = args.backend }, checkpoint = { interval = false, records = tonumber(args.records) } })

local sessions = job:from(mt.file { path = args.path, format = "csv", split = args.split or false })
  :assign_timestamps { field = "date", format = "%Y-%m-%d %H:%M", max_out_of_orderness = args.bound }
  :key_by("reviewer"):window(mt.session { gap = "30m" })

local function out(name, format) return mt.file { dir = args.out .. "/" .. name, format = format }, { name = name .. "_out" } end

local function combine(a, b)
  return { reviews = a.reviews + b.reviews, worst = math.min(a.worst, b.worst), best = math.max(a.best, b.best) }
end

sessions:count("count"):to(out("count", "json"))
sessions:sum("sum", "rating"):to(out("sum", "csv"))
sessions:aggregate("lua", {
  create = function() return { reviews = 0, worst = 9, best = 0 } end,
  add = function(acc, review) return combine(acc, { reviews = 1, worst = review.rating, best = review.rating }) end,
  result = function(acc) return acc end,
  merge = combine,
}, function(key, window, found, _, collector)
  collector:collect { best = found.best, finish = window["end"], key = key, reviews = found.reviews, start = window.start, worst = found.worst }
end):to(out("lua", "json"))

return job
