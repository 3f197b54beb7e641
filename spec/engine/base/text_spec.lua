local ffi = require "ffi"
local C = require "support.engine"

local function text_of(append, number)
  local buffer = ffi.new("struct buffer")
  append(buffer, number)
  local text = ffi.string(buffer.data, buffer.bytes)
  ffi.C.free(buffer.data)
  return text
end

pcall(ffi.cdef, "void free(void *);")

describe("text", function()
  it("groups the digits of counts", function()
    local shown = { [0] = "0", [999] = "999", [1000] = "1,000", [123456] = "123,456", [1234567] = "1,234,567" }
    for number, text in pairs(shown) do assert.are.equal(text, text_of(C.text_append_count, number)) end
    assert.are.equal("18,446,744,073,709,551,615", text_of(C.text_append_count, 0xffffffffffffffffULL))
  end)

  it("writes durations in the unit that fits", function()
    local shown = { [0] = "0 ms", [999] = "999 ms", [1000] = "1.0 s", [59999] = "59.9 s", [60000] = "1 m 0 s", [3599999] = "59 m 59 s",
      [3600000] = "1 h 0 m", [86399999] = "23 h 59 m", [86400000] = "1 d 0 h", [356400000] = "4 d 3 h" }
    for number, text in pairs(shown) do assert.are.equal(text, text_of(C.text_append_duration, number)) end
  end)

  it("writes sizes in powers of 1024", function()
    local shown = { [0] = "0 B", [1023] = "1023 B", [1024] = "1.0 KB", [1536] = "1.5 KB", [1048575] = "1.0 MB", [1048576] = "1.0 MB",
      [20 * 1048576] = "20.0 MB" }
    for number, text in pairs(shown) do assert.are.equal(text, text_of(C.text_append_size, number)) end
    assert.are.equal("16.0 EB", text_of(C.text_append_size, 0xffffffffffffffffULL))
  end)

  it("shows times as ISO 8601, also before 1970 and in leap years", function()
    local shown = {
      [0] = "1970-01-01T00:00:00.000Z", [-1] = "1969-12-31T23:59:59.999Z", [978307500123] = "2001-01-01T00:05:00.123Z",
      [951782400000] = "2000-02-29T00:00:00.000Z", [4107542399999] = "2100-02-28T23:59:59.999Z", [4107542400000] = "2100-03-01T00:00:00.000Z",
    }
    for time, text in pairs(shown) do assert.are.equal(text, text_of(C.text_append_time, time)) end
  end)

  it("shows times as the C library does", function()
    local seed = os.time()
    math.randomseed(seed)
    for _ = 1, 1000 do
      local seconds = math.random(-30610224000, 253402300799) -- the years of four digits
      assert.are.equal(os.date("!%Y-%m-%dT%H:%M:%S.000Z", seconds), text_of(C.text_append_time, seconds * 1000), "seed " .. seed)
    end
  end)

  it("shows what is no character to be read as the number of its byte", function()
    local function shown(text)
      local buffer, slice = ffi.new("struct buffer"), ffi.new("struct slice", text, #text)
      C.text_append_printable(buffer, slice)
      local printed = ffi.string(buffer.data, buffer.bytes)
      ffi.C.free(buffer.data)
      return printed
    end
    for _, text in ipairs { "plain\ttext\n", "\195\164\226\130\172\240\159\140\138", "\\x1b", "\194\160", "\237\159\191", "\244\143\191\191" } do
      assert.are.equal(text, shown(text))
    end
    local escaped = { ["\27]0;x\7"] = "\\x1b]0;x\\x07", ["\0a\127\r"] = "\\x00a\\x7f\\x0d", ["\194\155[2J"] = "\\xc2\\x9b[2J",
      ["\255\192\175"] = "\\xff\\xc0\\xaf",
      ["\226\130"] = "\\xe2\\x82", ["\237\160\128"] = "\\xed\\xa0\\x80", ["\224\128\128"] = "\\xe0\\x80\\x80",
      ["\244\144\128\128"] = "\\xf4\\x90\\x80\\x80", ["\195"] = "\\xc3" }
    for text, printed in pairs(escaped) do assert.are.equal(printed, shown(text)) end
  end)
end)
