-- A map for each key: how many earthquakes of each whole magnitude a network has reported.
-- You will see the whole map of the network at every quake of magnitude 5 or more.
local mt = require "moontide"

local job = mt.job("map_state")

job:from(mt.file { path = "examples/data/earthquakes.jsonl", format = "json" })
   :key_by("net")
   :process("magnitudes", {
     state = { counts = mt.map_state() },
     process_element = function(self, quake, ctx, out)
       local magnitude = math.floor(quake.mag)
       self.counts:put(magnitude, (self.counts:get(magnitude) or 0) + 1)
       if magnitude < 5 then return end
       local seen = {}
       for class, count in self.counts:entries() do seen[#seen + 1] = class .. ": " .. count end
       out:collect { network = ctx:current_key(), place = quake.place, magnitude = quake.mag, seen = table.concat(seen, ", ") }
     end,
   })
   :to(mt.stdout { format = "json" })

return job
