-- A few of the kills of scripts/chaos.
local clock = require "support.clock"
local storms = require "faults.chaos.storm"

-- What the storm prints is shown only where something is wrong.
local function storm(options)
  local lines = {}
  options.print = function(line) lines[#lines + 1] = line end
  local blown = storms.new(options)
  blown:run()
  local well = blown:report()
  assert.is_true(well, table.concat(lines, "\n"))
  return blown
end

describe("S42: kill -9", function()
  for kind, backend in pairs { plain = "rocksdb", lua_sink = "memory", rows = "memory", time = "rocksdb", states = "rocksdb", order = "rocksdb" } do
    it("at random times loses nothing and doubles nothing, kind " .. kind, function()
      local seed = math.floor(clock.now_ms()) % 2 ^ 30
      print(("seed %d, %s"):format(seed, kind))
      local blown
      for patience = 1, 4 do -- on a slow machine no checkpoint may be done before the first kills
        blown = storm { kills = 20, seed = seed + patience, kind = kind, backend = backend, patience = 2 ^ (patience - 1) }
        assert.is_true(blown.kills >= 20)
        if blown.restores > 0 then break end
      end
      assert.is_true(blown.restores > 0)
    end)
  end
end)
