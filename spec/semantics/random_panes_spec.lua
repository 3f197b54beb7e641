-- Random joins, co-groups and windows with evictors agree with a slow reference that was written from the rules.
-- MOONTIDE_PROGRAMS: how many (default 40); MOONTIDE_SEED: the first one's number.
local random_panes = require "support.random_panes"

local count = tonumber(os.getenv("MOONTIDE_PROGRAMS") or 40)
local first = tonumber(os.getenv("MOONTIDE_SEED") or os.time() % 1000000)

describe("S19 to S32, S58: random programs of windows that keep their elements", function()
  for _, backend in ipairs { "memory", "rocksdb" } do
    it(("agree with the reference on %s, from seed %d"):format(backend, first), function()
      for seed = first, first + count - 1 do random_panes.play(seed, backend) end
    end)
  end
end)
