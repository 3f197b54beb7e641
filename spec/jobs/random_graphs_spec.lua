-- Jobs of random steps emit the same however they are run: by one worker or by several, with steps
-- that have a parallelism of their own, and through kills. MOONTIDE_PROGRAMS says how many, MOONTIDE_SEED which.
local testing = require "moontide.testing"

local script = "spec/support/random_graph.lua"
local programs = tonumber(os.getenv "MOONTIDE_PROGRAMS" or 8)
local first = tonumber(os.getenv "MOONTIDE_SEED" or os.time() % 1000000)

local function rows(seed, own, options)
  options.args = { seed = seed, own = own }
  local result = testing.run(script, options)
  local list = result.sinks.rows
  for _, letter in ipairs(result.sinks.dead or {}) do list[#list + 1] = ("dead %d@%d"):format(letter.record.n, letter.record.t) end
  table.sort(list)
  return list, result.kills
end

local function same(expected, got, what)
  assert.are.equal(#expected, #got, what)
  for i, row in ipairs(expected) do
    if row ~= got[i] then assert.are.equal(row, got[i], what) end
  end
end

describe("a job of random steps", function()
  it("S42, S43: emits the same at any parallelism and through kills", function()
    print(("random_graphs_spec: SEED=%d"):format(first))
    local emitted, killed = 0, 0
    for seed = first, first + programs - 1 do
      local expected = rows(seed, "no", { parallelism = 1 })
      emitted = emitted + #expected
      same(expected, rows(seed, "no", { parallelism = 3 }), ("seed %d, 3 workers"):format(seed))
      same(expected, rows(seed, "yes", { parallelism = 4 }), ("seed %d, steps of their own parallelism"):format(seed))
      local got, kills = rows(seed, "yes", { parallelism = 3, kill_after = { checkpoints = 1, times = 3 } })
      killed = killed + kills
      same(expected, got, ("seed %d, killed %d times"):format(seed, kills))
    end
    assert.is_true(emitted > programs * 100 and killed > 0)
  end)
end)
