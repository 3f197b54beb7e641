local mt = require "moontide"

describe("mt.log", function()
  local lines, before

  before_each(function()
    lines, before = {}, mt.log.write
    mt.log.write = function(level, text) lines[#lines + 1] = level .. " " .. text end
  end)

  after_each(function() mt.log.write = before end)

  it("writes a line of each level through the hook", function()
    mt.log.debug("a")
    mt.log.info("b %d", 5)
    mt.log.warn("c %s", "x")
    mt.log.error("d")
    assert.same({ "debug a", "info b 5", "warn c x", "error d" }, lines)
  end)

  it("takes a lone text as it is, and any other value as text", function()
    mt.log.info("100% sure")
    mt.log.info(42)
    mt.log.info(nil)
    mt.log.info(mt.null)
    assert.same({ "info 100% sure", "info 42", "info nil", "info null" }, lines)
  end)

  it("does not fail over a format that does not fit", function()
    mt.log.info("%d items", "many")
    mt.log.info({}, 6)
    assert.equal("info %d items many", lines[1])
    assert.matches("^info table: 0x%x+ 6$", lines[2])
  end)
end)
