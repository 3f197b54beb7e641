-- Earthquakes in the order of their reports, in sessions of each network that tells of them.
local mt = require "moontide"
local args = mt.args

local job = mt.job("quakes", { state = { backend = args.backend }, checkpoint = { interval = false, records = tonumber(args.records) } })

job:from(mt.file { path = args.path, format = "json", split = args.split or false })
  :assign_timestamps { field = "time", unit = "ms", max_out_of_orderness = "7d" }
  :key_by("net"):window(mt.session { gap = "2h" })
  :process("swarms", function(key, window, quakes, _, collector)
    local first = math.huge
    for _, quake in ipairs(quakes) do first = math.min(first, quake.time) end
    collector:collect { count = #quakes, finish = window["end"], first = first, key = key, start = window.start }
  end)
  :to(mt.file { dir = args.out .. "/swarms", format = "json" }, { name = "swarms_out" })

return job
