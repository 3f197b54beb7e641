local C = require "support.engine"
local drive = require "engine.connectors.drive"
local ffi = require "ffi"

local function keys_of(count, exponent, seed)
  return ffi.gc(C.random_keys_new(count, exponent, seed), C.random_keys_free)
end

local function fill(generator, first, step, count)
  local out = ffi.new("double[?]", count)
  C.random_keys_fill(generator, first, step, out, count)
  return out
end

--- Pearson's statistic of `count` draws against probabilities of keys 1..n, rare keys put together.
local function chi_square(generator, probability, n, count)
  local out = fill(generator, 12345, 1, count)
  local seen = {}
  for k = 1, n do seen[k] = 0 end
  for i = 0, count - 1 do seen[out[i]] = seen[out[i]] + 1 end
  local statistic, cells, expected, observed = 0, 0, 0, 0
  for k = 1, n do
    expected, observed = expected + probability(k) * count, observed + seen[k]
    if expected >= 50 or k == n then
      statistic = statistic + (observed - expected) ^ 2 / math.max(expected, 1e-9)
      cells, expected, observed = cells + 1, 0, 0
    end
  end
  -- Of a normal distribution, for that many cells: deviations from the mean.
  return (statistic - (cells - 1)) / math.sqrt(2 * (cells - 1))
end

describe("random keys", function()
  it("depend on seed and number only", function()
    for _, exponent in ipairs { 0, 1, 1.3 } do
      local generator = keys_of(100000, exponent, 7)
      local all = fill(generator, 0, 1, 3000)
      local odd = fill(generator, 1, 2, 1500)
      local tail = fill(keys_of(100000, exponent, 7), 2990, 1, 10)
      local other = fill(keys_of(100000, exponent, 8), 0, 1, 3000)
      local same = 0
      for i = 0, 1499 do assert.equal(all[i * 2 + 1], odd[i]) end
      for i = 0, 9 do assert.equal(all[2990 + i], tail[i]) end
      for i = 0, 2999 do
        if all[i] == other[i] then same = same + 1 end
        assert.is_true(all[i] >= 1 and all[i] <= 100000 and all[i] % 1 == 0)
      end
      assert.is_true(same < 1500)
    end
  end)

  it("are uniform", function()
    for _, n in ipairs { 1, 2, 10, 1000, 4096 } do
      local deviation = chi_square(keys_of(n, 0, 3), function() return 1 / n end, n, 1000000)
      assert.is_true(n == 1 or math.abs(deviation) < 5, n .. " keys: " .. deviation)
    end
  end)

  it("follow Zipf for every exponent and number of keys", function()
    for _, n in ipairs { 2, 63, 64, 65, 130, 1000, 100000 } do
      for _, s in ipairs { 0.2, 0.99, 1, 1.5, 4 } do
        local total = 0
        for k = 1, n do total = total + k ^ -s end
        local deviation = chi_square(keys_of(n, s, 11), function(k) return k ^ -s / total end, n, 1000000)
        assert.is_true(math.abs(deviation) < 5, ("%d keys, s = %g: %g"):format(n, s, deviation))
      end
    end
  end)

  it("reach the last of 2^32 keys", function()
    local most = 0
    local out = fill(keys_of(4294967296, 0, 1), 0, 1, 100000)
    for i = 0, 99999 do most = math.max(most, out[i]) end
    assert.is_true(most > 4294000000 and most <= 4294967296)
  end)
end)

describe("source random_keys", function()
  local function read(options, parallelism)
    local source = drive.source("random_keys", options, parallelism)
    local all = source:read_all()
    source:close()
    return all
  end

  it("makes numbers, rows and rows with text keys of the same keys", function()
    local numbers = read { count = 5000, keys = 1000 }
    local rows = read { count = 5000, keys = 1000, shape = "row" }
    local texts = read { count = 5000, keys = 1000, shape = "string", prefix = "user " }
    assert.same({ 5000, 5000, 5000 }, { #numbers, #rows, #texts })
    local out = fill(keys_of(1000, 0, 1), 0, 1, 5000)
    for i = 1, 5000 do
      assert.equal(out[i - 1], numbers[i])
      assert.same({ key = numbers[i], value = i - 1 }, rows[i])
      assert.same({ key = "user " .. numbers[i], value = i - 1 }, texts[i])
    end
  end)

  it("gives rows further fields, also when a batch is full by bytes", function()
    local rows = read { count = 3000, keys = 10, shape = "row", fields = 64 }
    assert.equal(3000, #rows)
    for i = 1, 3000 do
      assert.equal(i - 1, rows[i].value)
      assert.equal("number", type(rows[i].field_01))
      assert.equal("number", type(rows[i].field_64))
      assert.is_nil(rows[i].field_65)
    end
  end)

  it("makes the same records at any parallelism", function()
    local one = read { count = 10001, keys = 500, shape = "row", distribution = "zipf", s = 1.1 }
    local four = read({ count = 10001, keys = 500, shape = "row", distribution = "zipf", s = 1.1 }, 4)
    table.sort(four, function(a, b) return a.value < b.value end)
    assert.same(one, four)
  end)

  it("S42b: goes on at any position", function()
    local seed = os.time()
    print("seed " .. seed)
    math.randomseed(seed)
    local options = { count = 20000, shape = "row", fields = 40, keys = 77 }
    local whole, all, position, finished = read(options), {}, "", false
    while not finished do
      local source = drive.source("random_keys", options)
      local reader = source:reader("0/1", position)
      for _ = 1, math.random(1, 20) do
        local status, values = reader:poll()
        for _, value in ipairs(values) do all[#all + 1] = value end
        finished = status == drive.END
        if finished then break end
      end
      position = reader:position()
      reader:close()
      source:close()
    end
    assert.same(whole, all)
  end)

  it("gives times where asked", function()
    local source = drive.source("random_keys", { count = 1000, timestamps = true, rate_per_ms = 10 }, 2)
    local reader = source:reader "1/2"
    local _, _, times = reader:poll()
    assert.equal(500, #times)
    for i = 1, 500 do assert.equal(math.floor((i * 2 - 1) / 10), tonumber(times[i])) end
    reader:close()
    source:close()
  end)

  it("refuses options out of range, by name", function()
    for name, value in pairs { keys = 0, count = -1, distribution = "gauss", shape = "table", fields = 65, rate_per_ms = 0,
                               prefix = ("x"):rep(129), rate = -1 } do
      local ok, message = pcall(drive.source, "random_keys", { [name] = value })
      assert.is_false(ok)
      assert.truthy(message:find(name, 1, true), message)
    end
    assert.has_error(function() drive.source("random_keys", { distribution = "zipf", s = 0 }) end)
    assert.has_error(function() drive.source("random_keys", { distribution = "zipf", s = 9 }) end)
  end)
end)
