-- Records with more sets of field names than shapes are kept for (engine/codec/shape.h), or
-- with more fields than a shape has: whoever reads a field of a record in C finds it there too.
local testing = require "moontide.testing"

local function by_key(rows)
  table.sort(rows, function(a, b) return tostring(a.key) < tostring(b.key) end)
  return rows
end

describe("records that no shape fits", function()
  it("are keyed by a field, timed by one and summed like all others, however many sets of names there are", function()
    local result = testing.run(function()
      local mt = require "moontide"
      local job = mt.job("shapes", { checkpoint = { interval = false } })
      job:from(mt.sequence { from = 0, to = 19999 })
        :map(function(n) return { user = n % 2, at = n, amount = 1, ["field " .. n] = n } end)
        :assign_timestamps { field = "at" }
        :key_by("user")
        :window(mt.tumbling { size = "1h" }):sum("total", "amount")
        :to(mt.collect { name = "results" })
      return job
    end, { parallelism = 2 })
    local rows = by_key(result.sinks.results)
    assert.are.equal(2, #rows)
    for i, row in ipairs(rows) do assert.are.same({ i - 1, 10000 }, { row.key, row.sum }) end
  end)

  local function run_wide(key)
    return testing.run(function()
      local mt = require "moontide"
      local key = mt.args.key == "list" and { "name", "f9" } or mt.args.key
      local job = mt.job("wide", { checkpoint = { interval = false }, on_error = mt.args.on_error, restart = { strategy = "none" } })
      job:from(mt.sequence { from = 1, to = 6 })
        :map(function(n)
          local wide = { name = "n" .. n % 2 }
          for i = 1, 300 do wide["f" .. i] = i end
          return n <= 4 and wide or { 1, 2, n }
        end)
        :key_by(key):count("count")
        :to(mt.collect { name = "results" })
      return job
    end, { args = { key = key, on_error = "skip" } })
  end

  it("have keys of texts, and of several fields", function()
    local counts = {}
    for _, row in ipairs(run_wide("name").sinks.results) do counts[row.key] = row.count end
    assert.are.same({ n0 = 2, n1 = 2 }, counts)
    counts = {}
    for _, row in ipairs(run_wide("list").sinks.results) do counts[table.concat(row.key, " ")] = row.count end
    assert.are.same({ ["n0 9"] = 2, ["n1 9"] = 2 }, counts)
  end)

  it("fail like others where they lack the field", function()
    assert.are.same({}, run_wide("nowhere").sinks.results)
  end)
end)
