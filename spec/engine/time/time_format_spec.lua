local ffi = require "ffi"
local C = require "support.engine"
local codec = require "support.codec"
local environment = require "support.environment"

local time = ffi.new "int64_t[1]"

local function iso(text) return C.time_read_iso8601(codec.exact(text), time) and tonumber(time[0]) or nil end

local function format(text)
  local out = ffi.new "struct time_format *[1]"
  local status = C.time_format_new(codec.exact(text), out)
  if status < 0 then return nil, ffi.string(C.error_message()) end
  local handle = ffi.gc(out[0], C.time_format_free)
  return function(value) return C.time_format_read(handle, codec.exact(value), time) and tonumber(time[0]) or nil end
end

local function read(of, value) return assert(format(of))(value) end

describe("ISO 8601", function()
  it("dates, times, fractions and zones", function()
    for text, expected in pairs {
      ["1970-01-01"] = 0, ["2001-01-01T00:05:00Z"] = 978307500000, ["2001-01-01 00:05"] = 978307500000, ["2001-01-01t00:05:00z"] = 978307500000,
      ["2001-01-01T00:05:00.123Z"] = 978307500123, ["2001-01-01T00:05:00,5"] = 978307500500, ["2001-01-01T00:05:00.1239999999999"] = 978307500123,
      ["2001-01-01T01:05:00+01:00"] = 978307500000, ["2001-01-01T01:05:00+0100"] = 978307500000, ["2000-12-31T16:05-08"] = 978307500000,
      ["2001-01-01T05:50:00.001+05:45"] = 978307500001, ["1969-12-31T23:59:59.9999Z"] = -1, ["1969-12-31T23:59:59.0001Z"] = -1000,
      ["2016-12-31T23:59:60Z"] = 1483228800000, ["2000-02-29"] = 951782400000, ["0001-01-01"] = -62135596800000, ["9999-12-31T23:59:59.999"] = 253402300799999,
    } do
      assert.are.equal(expected, iso(text), text)
    end
  end)

  it("refuses what is no date, and what stands behind one", function()
    for _, text in ipairs {
      "", "2001", "2001-1-1", "2001-02-29", "1900-02-29", "2001-04-31", "2001-00-01", "2001-13-01", "2001-01-00", "0000-01-01", "2001-01-01T",
      "2001-01-01T24:00:00", "2001-01-01T00:60", "2001-01-01T00:00:61", "2001-01-01T00:00:00.", "2001-01-01T00:00:00.Z", "2001-01-01T00:00Zz",
      "2001-01-01Z", "2001-01-01T00:00+1", "2001-01-01T00:00+24:00", "2001-01-01T00:00+01:", "2001-01-01T00:00+01:60", "2001-01-01T00:00 ",
      " 2001-01-01", "20010101", "-2001-01-01", "2001-01-01x00:00",
    } do
      assert.is_nil(iso(text), text)
    end
  end)
end)

describe("a time format", function()
  it("reads every directive", function()
    for _, case in ipairs {
      { "%Y/%m/%d %H:%M", "2001/01/01 00:05", 978307500000 }, { "%Y%m%d%H%M%S%f", "20010101000500123", 978307500123 },
      { "%d/%b/%Y:%H:%M:%S %z", "01/Jan/2001:01:05:00 +0100", 978307500000 },
      { "%A, %d %B %Y %T %Z", "MONDAY, 1 january 2001 00:05:00 GMT", 978307500000 }, { "%a %b %e %T %Y", "Mon Jan  1 00:05:00 2001", 978307500000 },
      { "%F %I:%M %p", "2001-01-01 12:05 AM", 978307500000 }, { "%F %I:%M %p", "2001-01-01 12:05 pm", 978350700000 },
      { "%F %I %p", "2001-01-01 11 PM", 978390000000 }, { "%D %R", "01/01/01 00:05", 978307500000 }, { "%y-%j", "99-365", 946598400000 },
      { "%y", "68", 3092601600000 }, { "%y", "69", -31536000000 }, { "%Y-%j", "2000-366", 978220800000 }, { "%Y-%m", "2001-01", 978307200000 },
      { "%s", "978307500", 978307500000 }, { "%s.%f", "978307500.1239", 978307500123 }, { "%s.%f", "-1.5", -1500 }, { "%s.%f", "-0.0005", -1 },
      { "%s", "9007199254740", 9007199254740000 }, { "100%% %F%T%z", "100%2001-01-0100:05:00Z", 978307500000 },
      { "%F  %T", "2001-01-01\t 00:05:00", 978307500000 }, { "%dth of %h %Y", "1th of Jan 2001", 978307200000 },
    } do
      assert.are.equal(case[3], read(case[1], case[2]), case[1] .. " of " .. case[2])
    end
  end)

  it("refuses other texts", function()
    for _, case in ipairs {
      { "%Y/%m/%d", "2001-01-01" }, { "%Y", "201" }, { "%Y", "20011" }, { "%F", "2001-02-29" }, { "%Y-%j", "2001-366" }, { "%Y-%j", "2001-000" },
      { "%F %I%p", "2001-01-01 0AM" }, { "%F %I%p", "2001-01-01 13AM" }, { "%F %p%I", "2001-01-01 xm1" }, { "%b %Y", "Jax 2001" },
      { "%F %Z", "2001-01-01 CET" }, { "%s", "" }, { "%s", "-" }, { "%s", "9007199254741" }, { "%s", "99999999999999999999" },
      { "%F %a", "2001-01-01 Mo" }, { "%F %f", "2001-01-01 " },
    } do
      assert.is_nil(read(case[1], case[2]), case[1] .. " of " .. case[2])
    end
  end)

  it("is refused where it makes no sense", function()
    for text, message in pairs {
      ["%Q %Y"] = "%%Q.* not known", ["%Y %"] = "single %%", ["%H:%M"] = "no year", ["%Y %Y"] = "%%Y.* already", ["%F %m"] = "%%m.* already",
      ["%Y %j %d"] = "%%j", ["%F %I"] = "%%I and %%p",
      ["%F %p"] = "%%I and %%p", ["%F %H %I %p"] = "%%H and %%I", ["%s %Y"] = "%%s", [("x"):rep(200) .. "%Y"] = "more than", [""] = "no year",
    } do
      local made, why = format(text)
      assert.is_nil(made, text)
      assert.matches(message, why)
    end
  end)
end)

describe("times as texts, at random", function()
  it("are read as they were written, whatever TZ is", function()
    local seed = os.time()
    math.randomseed(seed)
    pcall(ffi.cdef, "void tzset(void);")
    local restore = environment.set("TZ", "America/New_York")
    ffi.C.tzset()
    local by_day, by_name = assert(format "%Y %j %H:%M:%S"), assert(format "%d %B %y, %I:%M:%S %p")
    for _ = 1, 3000 do
      local second = math.random(-2 ^ 31, 2 ^ 32)
      local message = ("%d, seed %d"):format(second, seed)
      assert.are.equal(second * 1000, iso(os.date("!%Y-%m-%dT%H:%M:%S", second)), message)
      assert.are.equal(second * 1000, by_day(os.date("!%Y %j %H:%M:%S", second)), message)
      local year = tonumber(os.date("!%Y", second))
      if year >= 1969 and year < 2069 then assert.are.equal(second * 1000, by_name(os.date("!%d %B %y, %I:%M:%S %p", second)), message) end
    end
    restore()
    ffi.C.tzset()
  end)

  it("are never read behind their end", function()
    local seed = os.time()
    local random = codec.random(seed)
    local any = assert(format "%a %b %e %T.%f %Y %z")
    for _ = 1, 3000 do
      iso(random:flip "2001-01-01T00:05:00.123+01:00")
      any(random:flip "Mon Jan  1 00:05:00.5 2001 +01:00")
      format(random:flip "%Y/%m/%d %H:%M")
    end
    for bytes = 0, 28 do assert.is_true((iso(("2001-01-01T00:05:00.123+01:00"):sub(1, bytes)) or 0) < 2 ^ 53) end
  end)
end)
