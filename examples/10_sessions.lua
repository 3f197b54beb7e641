-- Sessions: reviews of one person belong together until half an hour goes by without another one.
-- You will see each session when it is over: how many reviews in how many minutes, and their average.
local mt = require "moontide"

local names = { "Ada", "Ben", "Cleo", "Dan" }
local start = 978307200000 -- 1 January 2001

local job = mt.job("sessions")

job:from(mt.generator { count = 60, seed = 7, fn = function(i, random)
     return { person = names[random(#names)], stars = random(5), time = start + i * 240000 + random(0, 60000) }
   end })
   :assign_timestamps { field = "time" }
   :key_by("person")
   :window(mt.session { gap = "30m" })
   :process("sessions", function(person, session, reviews, ctx, out)
     local stars, last = 0, 0
     for _, review in ipairs(reviews) do
       stars, last = stars + review.stars, math.max(last, review.time)
     end
     out:collect {
       person = person, from = os.date("!%H:%M", session.start / 1000), reviews = #reviews,
       minutes = math.floor((last - session.start) / 60000), stars = math.floor(10 * stars / #reviews + 0.5) / 10,
     }
   end)
   :to(mt.stdout { format = "json" })

return job
