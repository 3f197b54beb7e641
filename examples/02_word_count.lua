-- Counts words: lines are cut into words, each word is a key with a count of its own.
-- You will see one line for each of 287 words, with how often it came so far.
local mt = require "moontide"

local job = mt.job("word_count")

job:from(mt.file { path = "examples/data/hamlet.txt", format = "lines" })
   :flat_map(function(line, out)
     for word in line:lower():gmatch("%w+") do out:collect { word = word } end
   end)
   :key_by("word")
   :count("words")
   :to(mt.stdout { format = "json" })

return job
