-- Sources without a record: their end is told, holds no time back, and is remembered.
local run = require "support.run"

describe("a source without records", function()
  local here
  before_each(function()
    here = run.new()
    here:write("empty.txt", "")
    local lines = {}
    for i = 1, 200 do lines[i] = ('{"k":"%s","t":%d}'):format(("abc"):sub(i % 3 + 1, i % 3 + 1), i) end
    here:write("records.json", table.concat(lines, "\n") .. "\n")
  end)
  after_each(function() here:destroy() end)

  local kinds = {
    values = "mt.values {}",
    sequence = "mt.sequence { from = 1, to = 0 }",
    generator = "mt.generator { count = 0, fn = function(i) return { k = 'x', t = i } end }",
    ["file that is empty"] = "mt.file { path = '%s/empty.txt', format = 'json' }",
    ["source in Lua"] = "mt.source { poll = function() return 'end' end }",
    ["source in Lua with a position"] = "mt.source { poll = function() return 'end' end, snapshot = function() return 1 end, restore = function() end }",
  }

  -- Beside it one that has records and, until it is to end, goes on behind them.
  local function script(kind, parallelism, follow)
    return here:write("job.lua", ([[
local mt = require "moontide"
local job = mt.job("tide", { parallelism = %d, max_parallelism = 12, checkpoint = { interval = false } })
job:from(%s, { name = "empty" }):assign_timestamps { field = "t" }
  :union(job:from(mt.file { path = "%s/records*", format = "json", follow = %s }, { name = "full" }):assign_timestamps { field = "t", emit = 1 })
  :key_by("k"):window(mt.tumbling { size = 50 }):count("windows")
  :map(function(w) return ("%%s %%d %%d"):format(w.key, w.window_start, w.count) end):to(mt.file { dir = "%s/out", format = "lines" }, { name = "out" })
return job]]):format(parallelism, kinds[kind]:format(here.directory), here.directory, follow, here.directory))
  end

  -- All windows that hold records up to a time, as text.
  local function expected(to)
    local counts, words = {}, {}
    for i = 1, 200 do
      local name = ("abc"):sub(i % 3 + 1, i % 3 + 1) .. " " .. math.floor(i / 50) * 50
      if math.floor(i / 50) * 50 + 49 <= to then counts[name] = (counts[name] or 0) + 1 end
    end
    for name, count in pairs(counts) do words[#words + 1] = name .. " " .. count end
    table.sort(words)
    return table.concat(words, "\n")
  end

  local function written()
    local words = {}
    local pipe = io.popen(("cat %s/out/* %s/out/.[!.]* 2>/dev/null"):format(here.directory, here.directory))
    for line in pipe:lines() do
      if line:match("^%l %d+ %d+$") then words[#words + 1] = line end
    end
    pipe:close()
    table.sort(words)
    return table.concat(words, "\n")
  end

  for kind in pairs(kinds) do
    for _, parallelism in ipairs { 1, 3 } do
      it(("S13, S18: ends, as a %s with %d workers"):format(kind, parallelism), function()
        local started = here:run(script(kind, parallelism, "false"))
        assert.are.equal(0, started:wait(), started.err)
        assert.are.equal(expected(math.huge), written())
      end)

      it(("S9, S18c: holds no time back, nor after a restore, as a %s with %d workers"):format(kind, parallelism), function()
        local path = script(kind, parallelism, "true")
        for _ = 1, 3 do -- also what was restored from what was restored
          local started = here:run_until_running(path)
          started:wait_until("time goes on without it", function()
            here:command("checkpoint")
            return written() == expected(199)
          end)
          local _, status, err = here:command("stop")
          assert.are.equal(0, status, err)
          assert.are.equal(0, started:wait(), started.err)
        end
        local last = here:run_until_running(path)
        local _, status, err = here:command("stop", "--drain")
        assert.are.equal(0, status, err)
        assert.are.equal(0, last:wait(), last.err)
        assert.are.equal(expected(math.huge), written())
      end)
    end
  end
end)
