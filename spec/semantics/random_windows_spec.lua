-- Random programs (window, trigger, evictor, lateness, disorder, idle channels, clock,
-- snapshots) agree with a slow reference that was written from the rules.
-- MOONTIDE_PROGRAMS: how many (default 300); MOONTIDE_SEED: the first one's number.
local random_windows = require "support.random_windows"

local count = tonumber(os.getenv("MOONTIDE_PROGRAMS") or 300)
local first = tonumber(os.getenv("MOONTIDE_SEED") or os.time() % 1000000)

describe("S19 to S31: random programs of windows", function()
  for _, backend in ipairs { "memory", "rocksdb" } do
    it(("agree with the reference on %s, from seed %d"):format(backend, first), function()
      for seed = first, first + count - 1 do random_windows.play(seed, backend) end
    end)
  end
end)
