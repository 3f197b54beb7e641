local units = require "moontide.units"

describe("units", function()
  it("reads durations as milliseconds", function()
    for text, ms in pairs { ["250ms"] = 250, ["5s"] = 5000, ["10m"] = 600000, ["2h"] = 7200000, ["1d"] = 86400000, ["-5s"] = -5000,
      ["1.5s"] = 1500, ["1.001s"] = 1001, ["0ms"] = 0 } do
      assert.equal(ms, units.duration(text), text)
    end
    assert.equal(42, units.duration(42))
    assert.equal(-1, units.duration(-1))
  end)

  it("reads sizes in powers of 1024", function()
    assert.equal(65536, units.size("64KB"))
    assert.equal(268435456, units.size("256MB"))
    assert.equal(2147483648, units.size("2GB"))
    assert.equal(1000, units.size(1000))
  end)

  it("refuses what is none", function()
    for _, value in ipairs { "", "5", "s", "5sec", "5 s", "5S", "1e3s", "0.5ms", "s5", "5s ", "9007199254740993s", "0x10s", 0.5, math.huge, -math.huge,
      0 / 0, 2 ^ 60, {}, true } do
      assert.is_nil(units.duration(value), tostring(value))
    end
    assert.is_nil(units.duration(nil))
    for _, value in ipairs { "64kb", "64", "1TB", "KB", 0.5, 1 / 0 } do assert.is_nil(units.size(value), tostring(value)) end
  end)

  it("writes them as people do, and reads what it wrote", function()
    for _, text in ipairs { "250ms", "5s", "10m", "2h", "1d", "90s", "0ms" } do
      assert.equal(text, units.duration_text(units.duration(text)))
    end
    assert.equal("64KB", units.size_text(65536))
    assert.equal("1GB", units.size_text(2 ^ 30))
    assert.equal("1000 bytes", units.size_text(1000))
  end)
end)
