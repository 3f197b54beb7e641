-- One step, three streams: what is out of the ordinary leaves by a side door with a name.
-- You will see three kinds of lines: strong earthquakes, deep ones, and a count of the others every 500.
local mt = require "moontide"

local job = mt.job("side_outputs")

local others = job:from(mt.file { path = "examples/data/earthquakes.jsonl", format = "json" })
   :process("sort_out", function(quake, ctx, out)
     local strong, deep = quake.mag >= 5.5, quake.depth > 500
     if strong then ctx:output("strong", { strong = quake.place, magnitude = quake.mag }) end
     if deep then ctx:output("deep", { deep = quake.place, kilometres = quake.depth }) end
     if not strong and not deep then out:collect { kind = "other" } end
   end)

others:side_output("strong"):to(mt.stdout { format = "json" })
others:side_output("deep"):to(mt.stdout { format = "json" })
others:key_by("kind")
      :count("others")
      :filter(function(so_far) return so_far.count % 500 == 0 end)
      :to(mt.stdout { format = "json" })

return job
