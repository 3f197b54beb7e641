-- A map for each user: of ten million pairs of user and item, how often each was seen.
-- settings: users, items, interval, memory
local mt = require "moontide"
local args = mt.args

local users, items = tonumber(args.users or 10000), tonumber(args.items or 1000)
local job = mt.job("map_state", { checkpoint = { interval = args.interval or "1s" }, state = { memory = args.memory or "2GB" } })

job:from(mt.random_keys { keys = users * items })
  :key_by(function(number) return number % users end)
  :process("items", {
    state = { seen = mt.map_state() },
    process_element = function(self, number, _, out)
      local item = math.floor(number / users)
      local count = (self.seen:get(item) or 0) + 1
      self.seen:put(item, count)
      out:collect(count)
    end,
  })
  :to(mt.blackhole {})

return job
