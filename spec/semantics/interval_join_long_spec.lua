-- Interval joins whose buffers are long: of one key, in thousands of chunks (engine/state/timed_chunks.h).
local testing = require "moontide.testing"

local seed = tonumber(os.getenv "SEED") or os.time()

local function joined(lower, upper)
  return testing.harness(function(left, right)
    return left:key_by("key"):interval_join(right:key_by("key"), { lower = lower, upper = upper })
      :process("pairs", function(l, r, _, out) out:collect(l.id .. "," .. r.id) end)
  end, { inputs = 2 })
end

-- Two rows of a thousand bytes do not fit into one chunk.
local function push(h, input, row, bytes)
  h.inputs[input]:push({ key = "k", id = row.id, text = ("x"):rep(bytes) }, row.at)
end

describe("an interval join of a key with many rows", function()
  local h
  after_each(function() h:close() end)

  it("finds the same pairs as one that looks at all rows, whatever their order", function()
    math.randomseed(seed)
    h = joined(-20, 20)
    local rows, expected, watermark = { {}, {} }, {}, 0
    for id = 1, 3000 do
      local input, row = math.random(2), { id = id, at = watermark + math.random(1, 400) }
      for _, other in ipairs(rows[3 - input]) do
        local meet = math.abs(row.at - other.at) <= 20
        if meet then expected[#expected + 1] = input == 1 and id .. "," .. other.id or other.id .. "," .. id end
      end
      table.insert(rows[input], row)
      push(h, input, row, math.random(0, 900))
      if id % 50 == 0 then
        watermark = watermark + math.random(0, 40)
        for i = 1, 2 do h.inputs[i]:watermark(watermark) end
      end
    end
    local found = h:values()
    table.sort(found)
    table.sort(expected)
    assert.are.equal(table.concat(expected, " "), table.concat(found, " "), "SEED=" .. seed)
    for i = 1, 2 do h.inputs[i]:watermark(watermark + 1000) end
    assert.are.equal(0, h:state_size())
  end)

  it("finds no slower in many chunks than in a few", function()
    h = joined(0, 0)
    -- Processor time of looks at the beginning, in the middle and at the end of the first `rows` rows, none of which meet any.
    local function looks(rows)
      local before = os.clock()
      for i = 1, 3000 do push(h, 2, { id = 0, at = 2 * math.floor(rows * (i % 3) / 2) + 1 }, 0) end
      return os.clock() - before
    end
    local function fill(from, to)
      for i = from, to do push(h, 1, { id = i, at = 2 * i }, 1000) end
    end
    fill(1, 100)
    looks(100)
    local few = looks(100)
    fill(101, 40000)
    local many = looks(40000)
    assert.are.same({}, h:values())
    assert.is_true(many < 3 * few, ("%.3f s of %.3f s"):format(many, few))
  end)
end)
