-- Proves the "lines" format.
local codec = require "support.codec"
local formats = require "support.formats"

local function decode(text) return formats.decode("lines", text) end

describe("the lines format", function()
  it("has a string for each line, without LF or CRLF", function()
    assert.same({ '"a"', '""', '"b"', '"c\\rd"', '""', '"e"' }, (decode "a\n\nb\r\nc\rd\n\r\ne"))
    assert.same({ '"last"' }, (decode "last\n"))
    assert.same({}, (decode ""))
    assert.same({ '"\\r"' }, (decode "\r\r\n"))
  end)

  it("passes any bytes through", function()
    local records, errors = decode "\255\254\0x\n"
    assert.same({ "msgpack:\164\255\254\0x" }, records)
    assert.same({}, errors)
  end)

  it("reads the same in pieces of any size", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    local random = codec.random(seed)
    for _ = 1, 30 do
      local parts = {}
      for i = 1, 300 do parts[i] = ({ "a", "bc", "\n", "\r\n", "\r", "\0", ("x"):rep(100) })[random:below(7) + 1] end
      local text = table.concat(parts)
      assert.same((decode(text)), (formats.decode_torn("lines", text, random)), "seed " .. seed)
    end
  end)

  it("goes over many batches", function()
    local lines = {}
    for i = 1, 20000 do lines[i] = ("line %d"):format(i) end
    local records = decode(table.concat(lines, "\n"))
    assert.equal(20000, #records)
    assert.equal('"line 20000"', records[20000])
  end)

  it("refuses a line beyond 64 MB and goes on behind it", function()
    local records, errors = decode("a\n" .. ("x"):rep(64 * 1024 * 1024 + 1) .. "\nb\n")
    assert.same({ '"a"', '"b"' }, records)
    assert.equal(2, errors[1].line)
  end)

  it("writes strings as they are and scalars as their text", function()
    assert.equal("a\n12\n0.5\ntrue\nnull\n", (formats.encode("lines", formats.batch { '"a"', "12", "0.5", "true", "null" })))
    local text, message, failed = formats.encode("lines", formats.batch { '"a"', '{"a":1}' })
    assert.equal("a\n", text)
    assert.equal(1, failed)
    assert.truthy(message:find("not tables", 1, true))
  end)
end)
