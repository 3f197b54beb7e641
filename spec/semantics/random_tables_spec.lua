-- Tables of any size and form through records and state, in loops that are compiled meanwhile, against plain copies.
-- The state holds what was written, whatever the function does with its table afterwards.
local draw = require "support.draw"
local mt = require "moontide"
local testing = require "moontide.testing"

local seed = tonumber(os.getenv "SEED") or os.time()
local records, keys = 2000, 7

local function scalar_of(random)
  local kinds = {
    function() return random(-1000, 1000) end,
    function() return random(1000) / 8 end,
    function() return "text" .. random(50) end,
    function() return random(2) == 1 end,
    function() return mt.null end,
    function() return 2LL ^ 60 + random(5) end,
  }
  return kinds[random(#kinds)]()
end

local makers = {}

function makers.number(random) return random(1000) end
function makers.text(random) return "text" .. random(20) end
function makers.any(random) return scalar_of(random) end
function makers.row(random) return { a = random(9), b = "x" .. random(3) } end
function makers.rows(random) return random(3) == 1 and { a = random(9) } or { b = "x", c = scalar_of(random) } end

local function list_of(random, length, element)
  local list = {}
  for i = 1, length do list[i] = element(random) end
  return list
end

function makers.numbers(random) return list_of(random, random(0, 20), makers.number) end

local function map_of(random, length, key)
  local map = {}
  for _ = 1, length do map[key(random)] = scalar_of(random) end
  return map
end

local function deep(random, levels)
  if levels == 0 then return scalar_of(random) end
  return { value = deep(random, levels - 1), n = levels }
end

-- What one record brings, each kind in a run of its own.
local tables = {
  ["lists of all lengths around 8 and 16"] = function(random) return list_of(random, random(0, 20), makers.number) end,
  ["lists of a constant length"] = function(random) return list_of(random, 50, makers.number) end,
  ["lists of texts"] = function(random) return list_of(random, random(0, 40), makers.text) end,
  ["lists of anything"] = function(random) return list_of(random, random(0, 40), makers.any) end,
  ["lists of one shape of rows"] = function(random) return list_of(random, random(0, 20), makers.row) end,
  ["lists of several shapes of rows"] = function(random) return list_of(random, random(0, 20), makers.rows) end,
  ["lists of lists"] = function(random) return list_of(random, random(0, 12), makers.numbers) end,
  ["long lists, now and then"] = function(random) return list_of(random, random(200) == 1 and random(2000, 5000) or random(3), makers.number) end,
  ["lists that become maps"] = function(random)
    local list = list_of(random, random(1, 20), makers.number)
    if random(3) == 1 then list[random(#list)] = nil end
    if random(5) == 1 then list.x = 1 end
    return list
  end,
  ["dictionaries of texts"] = function(random) return map_of(random, random(0, 30), function() return "word" .. random(500) end) end,
  ["dictionaries of few texts"] = function(random) return map_of(random, random(0, 10), function() return "word" .. random(10) end) end,
  ["dictionaries of numbers"] = function(random) return map_of(random, random(0, 30), function() return random(-500, 500) end) end,
  ["wide rows"] = function(random) return map_of(random, 300, function() return "field" .. random(40) end) end,
  ["rows too wide for a shape"] = function(random) return map_of(random, 400, function() return "field" .. random(400) end) end,
  ["tables in seven tables"] = function(random) return deep(random, 7) end,
  ["all of these"] = function(random) return makers[({ "number", "any", "row", "rows", "numbers" })[random(5)]](random) end,
}

-- Each table comes in a record and is kept; what is answered is the one before, and the record's own.
local function build(input)
  return input:map(function(record) return { id = record.id, inner = record.inner, again = { record.inner } } end)
    :key_by("id")
    :process("last", {
      state = { last = mt.value_state(), map = mt.map_state(), list = mt.list_state() },
      process_element = function(self, record, _, out)
        local last, inner = self.last:value(), record.inner
        self.last:update(inner)
        self.map:put("kept", inner)
        self.list:update { inner }
        self.list:add(inner)
        if type(inner) == "table" and inner ~= mt.null then inner[1] = "changed afterwards" end
        out:collect { last = last == nil and "none" or last, again = record.again[1], kept = self.map:get("kept"), list = self.list:get() }
      end,
    })
end

local function same(expected, got)
  if type(expected) ~= "table" or expected == mt.null then return rawequal(expected, got) or type(expected) == "cdata" and expected == got end
  if type(got) ~= "table" or got == mt.null then return false end
  for key, value in pairs(expected) do
    if not same(value, got[key]) then return false end
  end
  for key in pairs(got) do
    if expected[key] == nil then return false end
  end
  return true
end

-- So many records more, and what is to come of them.
local function draw_batch(random, make, before)
  local batch, expected = {}, {}
  for i = 1, random(100) do
    local id = random(keys)
    local inner = make(random)
    batch[i] = { id = id, inner = inner }
    expected[i] = { last = before[id] == nil and "none" or before[id], again = inner, kept = inner, list = { inner, inner } }
    before[id] = inner
  end
  return batch, expected
end

local function play(make)
  local random, h, before, count = draw.generator(seed), testing.harness(build), {}, 0
  local channel = h.inputs[1].channels[1]
  while count < records do
    local batch, expected = draw_batch(random, make, before)
    channel:push_all(batch)
    local values = h:values()
    for i = 1, #expected do
      if not same(expected[i], values[i]) then error(("SEED=%d: record %d came out as another one"):format(seed, count + i)) end
    end
    count = count + #batch
  end
  h:close()
end

describe("tables through records and state, compiled, come out as they went in:", function()
  for name, make in pairs(tables) do
    it(name, function() play(make) end)
  end

  it("and those that hold what a record cannot are skipped", function()
    local h = testing.harness(function(input)
      return input:key_by(function(n) return n % keys end):process("sometimes", {
        on_error = "skip",
        state = { last = mt.value_state() },
        process_element = function(self, n, _, out)
          local list = { n, n + 1 }
          if n % 50 == 0 then list[3] = print end
          out:collect { before = self.last:value(), list = list }
          self.last:update(list)
        end,
      })
    end)
    local numbers, count = {}, 0
    for i = 1, records do numbers[i] = i end
    for _ = 1, 5 do h.inputs[1].channels[1]:push_all(numbers) end
    for _, value in ipairs(h:values()) do
      count = count + 1
      assert(#value.list == 2 and value.list[1] % 50 ~= 0 and value.list[2] == value.list[1] + 1)
      assert(value.before == nil or #value.before == 2 and value.before[1] % 50 ~= 0)
    end
    assert.equal(5 * (records - records / 50), count)
    h:close()
  end)
end)
