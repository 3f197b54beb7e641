-- Random programs (calls on value, map, list and reducing state, timers of both domains, errors that are skipped,
-- watermarks, clock, snapshots, parallelisms) agree with a slow reference that was written from the rules.
-- MOONTIDE_PROGRAMS: how many (default 100); MOONTIDE_SEED: the first one's number.
local random_state = require "support.random_state"

local count = tonumber(os.getenv("MOONTIDE_PROGRAMS") or 100)
local first = tonumber(os.getenv("MOONTIDE_SEED") or os.time() % 1000000)

describe("S1 to S9, S50, S51: random programs of timers and keyed state", function()
  for _, backend in ipairs { "memory", "rocksdb" } do
    it(("agree with the reference on %s, from seed %d"):format(backend, first), function()
      for seed = first, first + count - 1 do random_state.play(seed, backend) end
    end)
  end
end)
