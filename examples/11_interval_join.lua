-- Two streams by their times: where a taxi was left within an hour of being taken, the two become one ride.
-- You will see 22 of 30 rides with their minutes and fares; the others took longer than an hour.
local mt = require "moontide"

local start = 978307200000 -- 1 January 2001

local job = mt.job("interval_join")

local function rides(name, fn)
  return job:from(mt.generator { count = 30, seed = 3, fn = fn }, { name = name })
     :assign_timestamps { field = "time", max_out_of_orderness = "2h" }
     :key_by("ride")
end

local pickups = rides("pickups", function(i) return { ride = i, taxi = i % 4 + 1, time = start + i * 90000 } end)
local drop_offs = rides("drop_offs", function(i, random) -- rides that begin later may end earlier
  local minutes = random(5, 75)
  return { ride = i, fare = 3 + minutes, time = start + i * 90000 + minutes * 60000 }
end)

pickups:interval_join(drop_offs, { lower = 0, upper = "1h" })
   :process("rides", function(pickup, drop_off, ctx, out)
     local minutes = (ctx:right_timestamp() - ctx:left_timestamp()) / 60000
     out:collect { ride = ctx:current_key(), taxi = pickup.taxi, minutes = minutes, fare = drop_off.fare }
   end)
   :to(mt.stdout { format = "json" })

return job
