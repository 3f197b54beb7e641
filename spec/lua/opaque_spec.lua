-- Tables that a compiled loop keeps from one round to the next, where they differ in their fields.
local case = require "support.case"
local mt = require "moontide"
local process = require "support.process"
local run = require "support.run"

local count = 300

local function entry(i, every)
  if i % every == 0 then return { n = i, x = i } end
  return { filler = "t" .. i, n = i }
end

local function sum_of(last, every)
  local sum = 0
  for i = every, last, every do sum = sum + i end
  return sum
end

-- What a step over a map of `count` entries, of which each `every`-th has a field x, answers to "sum".
local function sums(every, sum)
  local h = case.new(function(input)
    return input:key_by(function() return 1 end):process("sums", {
      state = { map = mt.map_state() },
      process_element = function(self, value, _, out)
        if value == "sum" then out:collect(sum(self)) else self.map:put(value.n, value) end
      end,
    })
  end)
  for i = 1, count do h:push(entry(i, every)) end
  for _ = 1, 5 do h:push("sum") end
  return h:values()
end

local walks = {
  ["the entries of a map"] = function(self)
    local sum = 0
    for _, value in self.map:entries() do
      if value.x then sum = sum + value.x end
    end
    return sum
  end,
  ["the values of a map"] = function(self)
    local sum = 0
    for value in self.map:values() do
      if not value.filler then sum = sum + value.x elseif #value.filler == 0 then error("no filler") end
    end
    return sum
  end,
  ["what is got from a map"] = function(self)
    local sum, last = 0, nil
    for i = 1, count + 1 do
      if last and last.x then sum = sum + last.x end
      last = self.map:get(i)
    end
    return sum
  end,
}

describe("a table of one of several shapes, in a compiled loop", function()
  after_each(case.close)

  for name, walk in pairs(walks) do
    it("is what it is: " .. name, function()
      for every = 2, 7 do
        local sum = sum_of(count, every)
        assert.same({ sum, sum, sum, sum, sum }, sums(every, walk), "each " .. every)
      end
    end)
  end

  local before = [[
:process("before", { process_element = function(self, record, _, out)
  local last = self.last
  if last and last.x then self.sum = (self.sum or 0) + last.x end
  self.last = record
  if record.n == 20001 then out:collect(self.sum) end
end }):to(mt.stdout { format = "json" })]]

  it("is what it is: the record before", function()
    local here = run.new()
    for every = 2, 7 do
      local input = here:write("input" .. every, "")
      local file = assert(io.open(input, "w"))
      for i = 1, 20001 do
        file:write((i % every == 0 and '{"n":%d,"x":%d}\n' or '{"n":%d,"filler":"t%d"}\n'):format(i, i))
      end
      file:close()
      local script = here:job('{ parallelism = 1, restart = "none", checkpoint = { interval = false } }', before,
        ("mt.file { path = '%s', format = 'json' }"):format(input))
      local out, status, err = process.run { "run", script, "--no-progress" }
      assert.equal(0, status, err)
      assert.equal(("%d\n"):format(sum_of(20000, every)), out, "each " .. every)
    end
    here:destroy()
  end)
end)
