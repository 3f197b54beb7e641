local drive = require "engine.connectors.drive"
local real_data = require "support.real_data"
local temporary = require "support.temporary"

local small = "examples/data/flights.csv"

local function sum_up(reader, sum)
  while true do
    local status, values = reader:poll()
    if status < 0 then error(drive.message(), 2) end
    for _, row in ipairs(values) do
      sum.count, sum.delay = sum.count + 1, sum.delay + row.delay
      sum.origins[row.origin] = (sum.origins[row.origin] or 0) + 1
    end
    if status == drive.END or sum.count >= (sum.stop or math.huge) then return status end
  end
end

local function new_sum(stop)
  return { count = 0, delay = 0, origins = {}, stop = stop }
end

describe("flights", function()
  it("are all there, also from a position in the middle of the compressed file", function()
    local full, why_not = real_data.find "flights-2001q1.csv.gz" -- a million flights, compressed
    if not full then
      print("SKIPPED: " .. why_not)
      return pending(why_not)
    end
    local sum = new_sum(400000)
    local source = drive.source("file", { path = full, format = "csv" })
    local reader = source:reader(full .. "#0")
    assert.equal(drive.MORE, sum_up(reader, sum))
    local position = reader:position()
    reader:close()
    sum.stop = nil
    reader = source:reader(full .. "#0", position)
    sum_up(reader, sum)
    reader:close()
    source:close()
    assert.same({ 1000000, 7638823 }, { sum.count, sum.delay })
    assert.same({ 54597, 52662, 41738 }, { sum.origins.ORD, sum.origins.DFW, sum.origins.ATL })
  end)

  it("are the same plain, in splits, and compressed both ways", function()
    local dir = temporary.folder()
    os.execute(("cp %s '%s/flights.csv' && cd '%s' && gzip -k flights.csv && zstd -q flights.csv"):format(small, dir, dir))
    local function total(options)
      options.format = "csv"
      local source, sum = drive.source("file", options), new_sum()
      for _, split in ipairs((source:splits())) do
        local reader = source:reader(split)
        sum_up(reader, sum)
        reader:close()
      end
      source:close()
      return sum
    end
    local whole = total { path = dir .. "/flights.csv" }
    assert.is_true(whole.count > 30000)
    assert.same(whole, total { path = dir .. "/flights.csv", split = 65536 })
    assert.same(whole, total { path = dir .. "/flights.csv", split = 99 })
    assert.same(whole, total { path = dir .. "/flights.csv.gz" })
    assert.same(whole, total { path = dir .. "/flights.csv.zst" })
    temporary.remove(dir)
  end)
end)
