-- S57 against comparing all pairs: interval joins of drawn bounds, with hot keys, rows of all
-- lengths, equal, early and late times, functions that fail, and restores at 1 to 3 subtasks.
local moved = require "support.moved"

local records = tonumber(os.getenv("RECORDS")) or 700
local seed = tonumber(os.getenv("SEED")) or os.time()

local Reference = {}
Reference.__index = Reference

local function new_reference(lower, upper, skips)
  return setmetatable({ lower = lower, upper = upper, skips = skips, sides = { {}, {} }, watermark = -math.huge }, Reference)
end

local function is_bad(left, right) return (left.id + right.id) % 17 == 0 end

function Reference:meets(left, right)
  local apart = right.at - left.at
  return left.key == right.key and apart >= self.lower and apart <= self.upper
end

--- The words of the pairs that a row makes; nil if it is late.
function Reference:push(input, row)
  if row.at < self.watermark then return nil end
  local met, words = {}, {}
  for _, other in ipairs(self.sides[3 - input]) do
    local left, right = input == 1 and row or other, input == 1 and other or row
    if self:meets(left, right) then met[#met + 1] = { left = left, right = right, other = other, place = #met } end
  end
  table.sort(met, function(a, b) return a.other.at < b.other.at or (a.other.at == b.other.at and a.place < b.place) end)
  for _, pair in ipairs(met) do
    if self.skips and is_bad(pair.left, pair.right) then return {} end -- it was never there
    words[#words + 1] = ("%d-%d@%d"):format(pair.left.id, pair.right.id, math.max(pair.left.at, pair.right.at))
  end
  table.insert(self.sides[input], row)
  return words
end

function Reference:advance(watermark)
  self.watermark = watermark
  for input, keep in ipairs { math.max(self.upper, 0), math.max(-self.lower, 0) } do
    local kept = {}
    for _, row in ipairs(self.sides[input]) do
      if row.at + keep > watermark then kept[#kept + 1] = row end
    end
    self.sides[input] = kept
  end
end

local function build(lower, upper)
  return function(left, right)
    return left:key_by("key"):interval_join(right:key_by("key"), { lower = lower, upper = upper, late_left = "late", late_right = "late" })
      :process("pairs", function(l, r, ctx, out)
        if l.fails and is_bad(l, r) then error("bad") end
        assert(#l.pad == l.id % 5 * 60 and #r.pad == r.id % 5 * 60)
        out:collect(("%d-%d@%d"):format(l.id, r.id, ctx:timestamp()))
      end)
  end
end

local function play(backend, memory, what)
  local lower = math.random(-60, 60)
  local upper, skips = lower + math.random(0, 3) * math.random(0, 40), math.random(2) == 1
  what = ("%s, SEED=%d, %d to %d%s"):format(what, seed, lower, upper, skips and ", skips" or "")
  local h = moved.new(build(lower, upper), {
    backend = backend, memory = memory, sides = { "late" }, key = function(row) return row.key end,
    harness = { inputs = 2, on_error = skips and "skip" or nil }, what = what,
  })
  local reference, time, met, late = new_reference(lower, upper, skips), 0, 0, 0
  for id = 1, records do
    local input = math.random(2)
    local row = { id = id, key = math.random(2) == 1 and 1 or math.random(2, 7), at = time + math.random(-6, 40), pad = ("x"):rep(id % 5 * 60), fails = skips }
    local expected = reference:push(input, row)
    h.inputs[input]:push(row, row.at)
    local got = {}
    for _, element in ipairs(h:output()) do
      got[#got + 1] = element.value ~= nil and element.value or nil
    end
    assert.same(expected or {}, got, what .. ", record " .. id)
    local said = h:side_output("late")
    assert.equal(expected and 0 or 1, #said, what .. ", record " .. id)
    met, late = met + #got, late + #said
    if math.random(6) == 1 then
      time = time + math.random(30)
      h:watermarks(time)
      h:output()
      reference:advance(time)
      assert.equal(#reference.sides[1] + #reference.sides[2], h:state_size(), what .. ", watermark " .. time)
    end
    if math.random(50) == 1 then
      h:snap(math.random(3))
      reference:advance(reference.watermark) -- it is told again: what came at its very time goes
    end
  end
  h:watermarks(math.random(2) == 1 and time + 1000 or math.huge)
  assert.equal(0, h:state_size(), what)
  assert.equal(0, h:timer_count("event"), what)
  h:close()
  return met, late
end

describe("interval joins, as comparing all pairs", function()
  for _, way in ipairs { { "rocksdb" }, { "rocksdb", 1 }, { "memory" } } do
    local backend, memory = way[1], way[2]
    local name = backend .. (memory and " without memory" or "")
    it("on " .. name, function()
      print("random_interval_join_spec: SEED=" .. seed)
      math.randomseed(seed)
      local met, late = 0, 0
      for round = 1, 5 do
        local more_met, more_late = play(backend, memory, ("%s, play %d"):format(name, round))
        met, late = met + more_met, late + more_late
      end
      assert.is_true(met > 100 and late > 20, ("%d pairs, %d late"):format(met, late))
    end)
  end
end)
