local ffi = require "ffi"
local C = require "support.engine"
local codec = require "support.codec"
local batch_of = require("support.formats").batch

local max = 0x7fffffffffffffffLL
local units = { ms = 1, s = 2, us = 3, ns = 4, iso8601 = 5, format = 6 }

local function timestamps(unit, format, field)
  local out, texts = ffi.new "struct timestamps *[1]", { field or "ts", format or "" }
  local config = ffi.new("struct timestamps_config", { field = codec.slice(texts[1]), unit = units[unit], format = codec.slice(texts[2]) })
  if C.timestamps_new(config, out) < 0 then return nil, ffi.string(C.error_message()) end
  return ffi.gc(out[0], C.timestamps_free)
end

--- The times of records, or the error of the first that has none and its index.
local function read(of, batch, from)
  local failed = ffi.new "int32_t[1]"
  if C.timestamps_read(of, batch, from or 0, failed) < 0 then return nil, ffi.string(C.error_message()), failed[0] end
  local list = {}
  for i = from or 0, batch.count - 1 do list[#list + 1] = batch.times[i] == max and math.huge or tonumber(batch.times[i]) end
  return list
end

--- One record { ts = cell }.
local function of_cell(unit, cell, format)
  local batch = batch_of { '{"ts":0}' }
  ffi.cast("struct cell *", batch.arena.bytes + batch.values[0].offset)[0] = cell
  local list, message = read(assert(timestamps(unit, format)), batch)
  return list and list[1], message
end

local function of_json(unit, text, format)
  local list, message = read(assert(timestamps(unit, format)), batch_of { '{"a":1,"ts":' .. text .. "}" })
  return list and list[1], message
end

describe("times from numbers", function()
  it("L2: milliseconds are whole, within 2^53", function()
    for _, time in ipairs { 0, 1, -1, 978307500000, 2 ^ 53, -2 ^ 53 } do assert.are.equal(time, of_cell("ms", codec.number(time))) end
    for _, wrong in ipairs { 1.5, -0.5, 2 ^ 53 + 2, -2 ^ 53 - 2, 2 ^ 63, 1e300, -math.huge, 0 / 0 } do
      local time, message = of_cell("ms", codec.number(wrong))
      assert.is_nil(time)
      assert.matches("field 'ts' is .*, which is not a whole number of milliseconds within 2%^53", message)
    end
    assert.matches("field 'ts' is 1.5,", (select(2, of_json("ms", "1.5"))))
    assert.matches("field 'ts' is nan,", (select(2, of_cell("ms", codec.number(0 / 0)))):gsub("%-nan", "nan"))
  end)

  it("L2: infinity is the end of time", function()
    assert.are.equal(math.huge, of_cell("ms", codec.number(math.huge)))
    assert.are.equal(math.huge, of_cell("s", codec.number(math.huge)))
  end)

  it("seconds mean the decimal that is nearest, and are rounded down", function()
    for text, time in pairs { ["1"] = 1000, ["1.001"] = 1001, ["1.0019"] = 1001, ["-1.001"] = -1001, ["-1.0001"] = -1001, ["978307500.123"] = 978307500123,
      ["0.0009"] = 0, ["-0.0001"] = -1 } do
      assert.are.equal(time, of_json("s", text), text)
    end
    local seed = os.time()
    math.randomseed(seed)
    for _ = 1, 5000 do
      local ms = math.random(-2 ^ 31, 2 ^ 31) * 1000 + math.random(0, 999)
      assert.are.equal(ms, of_json("s", ("%s%d.%03d"):format(ms < 0 and "-" or "", math.floor(math.abs(ms) / 1000), math.abs(ms) % 1000)), ms .. ", seed " .. seed)
    end
    assert.is_nil(of_json("s", "9007199254741"))
    assert.is_nil(of_json("s", "9007199254740.996"))
    assert.are.equal(9007199254740000, of_json("s", "9007199254740"))
  end)

  it("microseconds and nanoseconds are rounded down, also before 1970", function()
    for text, time in pairs { ["1999"] = 1, ["2000"] = 2, ["-1"] = -1, ["-1000"] = -1, ["-1001"] = -2, ["978307500123999"] = 978307500123, ["-0.5"] = -1 } do
      assert.are.equal(time, of_json("us", text), text)
    end
    for text, time in pairs { ["999999"] = 0, ["1000000"] = 1, ["-1"] = -1, ["978307500123456789"] = 978307500123, ["18446744073709551615"] = 18446744073709,
      ["1e21"] = 1e15 } do
      assert.are.equal(time, of_json("ns", text), text)
    end
    assert.is_nil(of_json("ns", "1e22"))
  end)

  it("64-bit integers are numbers too", function()
    assert.are.equal(9223372036854, of_cell("ns", codec.int64(9223372036854775807LL)))
    assert.are.equal(-9223372036855, of_cell("ns", codec.int64(-9223372036854775807LL)))
    assert.are.equal(18446744073709, of_cell("ns", codec.uint64(18446744073709551615ULL)))
    local time, message = of_cell("ms", codec.int64(9007199254740993LL))
    assert.is_nil(time)
    assert.matches("9007199254740993", message)
    assert.is_nil(of_cell("us", codec.uint64(18446744073709551615ULL)))
    assert.is_nil(of_cell("s", codec.int64(9223372036854775807LL)))
  end)
end)

describe("times from texts", function()
  it("ISO 8601, and a format of one's own", function()
    assert.are.equal(978307500000, of_json("iso8601", '"2001-01-01T00:05:00Z"'))
    assert.are.equal(978307500000, of_json("format", '"2001/01/01 00:05"', "%Y/%m/%d %H:%M"))
    local time, message = of_json("iso8601", '"yesterday"')
    assert.is_nil(time)
    assert.are.equal([[field 'ts' is "yesterday", which is not a time in ISO 8601]], message)
    assert.matches([[is 5, which is not a time in the given format]], (select(2, of_json("format", "5", "%Y"))))
    assert.matches('"x+%.%.%."', (select(2, of_json("iso8601", '"' .. ("x"):rep(500) .. '"'))))
    assert.is_nil(timestamps("format", "%Q"))
  end)
end)

describe("the field of a record", function()
  it("is an error where it is missing or of another kind, with the record's index", function()
    for text, said in pairs { ["null"] = "null", ["true"] = "true", ['"5"'] = '"5"', ["[1]"] = "a table" } do
      assert.matches("field 'ts' is " .. said:gsub("%p", "%%%0") .. ", which", (select(2, of_json("ms", text))))
    end
    local of = timestamps "ms"
    local batch = batch_of { '{"ts":1}', '{"ts":2,"a":1}', '{"a":1}', "7", '{"ts":3}', "[1]" }
    local _, message, index = read(of, batch)
    assert.are.equal(2, index)
    assert.are.equal("the record has no field 'ts' to take its time from", message)
    _, message, index = read(of, batch, 3)
    assert.are.equal(3, index)
    assert.matches("^the record is not a table", message)
    _, message, index = read(of, batch, 4)
    assert.are.equal(5, index)
    assert.matches("has no field 'ts'", message)
    assert.are.equal(1, tonumber(batch.times[0]))
    assert.are.equal(2, tonumber(batch.times[1]))
    assert.are.equal(3, tonumber(batch.times[4]))
  end)

  it("is found in records of any shapes, also of more fields than a row has", function()
    local wide = {}
    for i = 1, 300 do wide[i] = ('"f%d":[%d]'):format(i, i) end
    local documents, expected = {}, {}
    for i = 1, 40 do
      documents[i] = ({ '{"ts":%d}', '{"ts":%d,"z":1}', '{"a":"x","ts":%d}', "{" .. table.concat(wide, ",") .. ',"ts":%d}' })[i % 4 + 1]:format(i)
      expected[i] = i
    end
    assert.are.same(expected, read(timestamps "ms", batch_of(documents)))
    assert.are.same({ 978307500000 }, read(timestamps "iso8601", batch_of { "{" .. table.concat(wide, ",") .. ',"ts":"2001-01-01T00:05:00"}' }))
    assert.matches("no field 'nix'", (select(2, read(timestamps("ms", nil, "nix"), batch_of { documents[3] }))))
  end)
end)
