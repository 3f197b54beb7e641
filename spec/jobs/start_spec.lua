-- How jobs begin on several workers: time is known before the first record.
local run = require "support.run"
local testing = require "moontide.testing"

local job = [[
local mt = require "moontide"
local job = mt.job("begins", { checkpoint = { interval = false, records = 2000 }, restart = "none" })
local function late(name, stream)
  stream:assign_timestamps { field = "t", max_out_of_orderness = 100, emit = 10 }:key_by("k"):process(name, {
    state = { seen = mt.value_state { default = 0 } },
    process_element = function(self, value, ctx, out)
      self.seen:update(self.seen:value() + 1)
      local is_late = ctx:timestamp() <= ctx:timers():current_watermark()
      out:collect(("%s %d %d %s"):format(value.k, value.t, self.seen:value(), is_late and "late" or "in time"))
    end,
  }):to(mt.collect { name = name })
end
late("file", job:from(mt.file { path = mt.args.path, format = "json" }))
late("list", job:from(mt.source {
  open = function(self)
    self.lines, self.next = {}, 1
    for line in io.lines(mt.args.path) do
      self.lines[#self.lines + 1] = { t = tonumber(line:match('"t":(%d+)')), k = line:match('"k":"(%w+)"') }
    end
  end,
  poll = function(self, out)
    for i = self.next, math.min(self.next + 99, #self.lines) do out:collect(self.lines[i]) end
    self.next = self.next + 100
    return self.next > #self.lines and "end" or true
  end,
  snapshot = function(self) return self.next end,
  restore = function(self, position) self.next = position end,
}))
return job
]]

describe("a job that begins", function()
  local here, script, path
  local seed = os.time()

  setup(function()
    print("seed " .. seed)
    math.randomseed(seed)
    here = run.new()
    script = here:write("job.lua", job)
    local lines = {}
    for i = 1, 20000 do lines[i] = ('{"t":%d,"k":"k%d"}\n'):format(1000 + i - math.random(0, 200), i % 30) end
    path = here:write("records.jsonl", table.concat(lines))
  end)
  teardown(function() here:destroy() end)

  local function told(options)
    options.args = { path = path }
    local sinks = testing.run(script, options).sinks
    for _, name in ipairs { "file", "list" } do table.sort(sinks[name]) end
    return sinks
  end

  local function assert_same(expected, sinks)
    for name, list in pairs(expected) do
      assert.are.equal(#list, #sinks[name])
      for i, row in ipairs(list) do assert.are.equal(row, sinks[name][i], name) end
    end
  end

  it("S9, S18c: has a source that has ended hold back nothing, not even the first record of another", function()
    local script = [[
local mt = require "moontide"
local job = mt.job("beside", { checkpoint = { interval = false } })
local function told(name, stream)
  stream:key_by("k"):process(name, function(value, ctx, out)
    out:collect(("%%s %%d %%s"):format(value.k, value.t, ctx:timestamp() <= ctx:timers():current_watermark() and "late" or "in time"))
  end):to(mt.collect { name = name })
end
local function records(name)
  return job:from(mt.values { { t = 9, k = "a" }, { t = 5, k = "a" }, { t = 12, k = "a" }, { t = 11, k = "a" } }, { name = name .. " records" })
    :assign_timestamps { field = "t", emit = 1 }
end
local none = %s
told("alone", records "alone")
told("beside", job:from(none, { name = "none" }):assign_timestamps { fn = function(value) return value end }:union(records "beside"))
return job
]]
    for _, none in ipairs { "mt.generator { count = 0, fn = function(i) return i end }", "mt.values {}" } do
      for _, parallelism in ipairs { 1, 2 } do
        local sinks = testing.run(here:write("beside.lua", script:format(none)), { parallelism = parallelism }).sinks
        assert.are.same({ "a 9 in time", "a 5 late", "a 12 in time", "a 11 late" }, sinks.alone)
        assert.are.same(sinks.alone, sinks.beside)
      end
    end
  end)

  it("S9, S13: on several workers has the same records late that it has on one, whole and killed", function()
    local expected = told { parallelism = 1 }
    assert.are.equal(20000, #expected.file)
    local late = 0
    for _, row in ipairs(expected.file) do late = late + (row:find("late", 1, true) and 1 or 0) end
    assert.is_true(late > 5000 and late < 15000)
    for _, parallelism in ipairs { 2, 4 } do
      assert_same(expected, told { parallelism = parallelism })
      assert_same(expected, told { parallelism = parallelism, kill_after = { checkpoints = 2, times = 3 } })
    end
  end)
end)
