-- Each crash point once. Where rocksdb and memory differ, the one with more places.
local points = require "faults.chaos.points"
local storms = require "faults.chaos.storm"

describe("S42: kill -9 at", function()
  for number, name in ipairs(points.names()) do
    it(name .. " loses nothing and doubles nothing", function()
      local lines = {}
      local storm = storms.new { kills = 0, seed = number, backend = "rocksdb", passages = 1, print = function(line) lines[#lines + 1] = line end }
      storm:strike(name, number % 2 == 1 and "rows" or "plain", "rocksdb")
      assert.are.equal(0, storm.failed, table.concat(lines, "\n"))
      assert.is_true(storm.struck[name] > 0, table.concat(lines, "\n"))
    end)
  end
end)
