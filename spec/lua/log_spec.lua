local mt = require "moontide"
local run = require "support.run"

describe("mt.log", function()
  local lines, before, was_on

  before_each(function()
    lines, before, was_on = {}, mt.log.write, mt.log.is_on
    mt.log.is_on = function() return true end
    mt.log.write = function(level, text) lines[#lines + 1] = level .. " " .. text end
  end)

  after_each(function() mt.log.write, mt.log.is_on = before, was_on end)

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

  it("makes no line of a level that is off", function()
    mt.log.is_on = function(level) return level == "error" end
    local made = setmetatable({}, { __tostring = function() error("it is made") end })
    mt.log.warn("%s", made)
    mt.log.debug(made)
    mt.log.error("e")
    assert.same({ "error e" }, lines)
  end)

  it("does not fail over a format that does not fit", function()
    mt.log.info("%d items", "many")
    mt.log.info({}, 6)
    assert.equal("info %d items many", lines[1])
    assert.matches("^info table: 0x%x+ 6$", lines[2])
  end)

  it("names step and subtask in a job, also of steps that are fused", function()
    local here = run.new()
    finally(function() here:destroy() end)
    local started = here:run(here:job("{ parallelism = 1 }", [[
  :map(function(n) mt.log.warn("one") return n end)
  :map(function(n) mt.log.warn("two") return n end)
  :process("p", { open = function() mt.log.warn("three") end, process_element = function() mt.log.warn("four") end }):to(mt.blackhole {})
mt.log.warn("five")]], "mt.sequence { from = 1, to = 1 }"))
    assert.equal(0, started:wait(), started.err)
    for place, text in pairs { ["map-1"] = "one", ["map-2"] = "two", p = "three" } do
      assert.is_truthy(started.err:find(('warn  step "%s", subtask 0: %s\n'):format(place, text), 1, true), started.err)
    end
    assert.is_truthy(started.err:find('warn  step "p", subtask 0: four\n', 1, true), started.err)
    assert.is_truthy(started.err:find("warn  five\n", 1, true), started.err)
  end)
end)
