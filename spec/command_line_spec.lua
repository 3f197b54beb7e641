package.path = "scripts/?.lua;" .. package.path
local command_line = require "command_line"

describe("the command line of a script", function()
  local line = {
    usage = "scripts/some [WORD...]",
    flags = { ["--keep"] = "keep" },
    values = { ["--count"] = command_line.whole(1), ["--kind"] = command_line.one_of("a", "b"), ["--fail-at"] = command_line.text },
    word = function(given, word)
      if word == "bad" then return "bad is no word" end
      given.words = (given.words or "") .. word
    end,
  }

  it("gives flags, values and words by name", function()
    assert.are.same({ keep = true, count = 7, kind = "b", fail_at = "x", words = "onetwo" },
      command_line.read(line, { "one", "--keep", "--count", "7", "--kind", "b", "two", "--fail-at", "x" }))
    assert.are.same({}, command_line.read(line, {}))
  end)

  it("says what is wrong", function()
    local function complaint(...) return select(2, command_line.read(line, { ... })) end
    assert.are.equal("--count takes a whole number of at least 1", complaint("--count", "0"))
    assert.are.equal("--count takes a whole number of at least 1", complaint("--count", "1.5"))
    assert.are.equal("--count takes a whole number of at least 1", complaint("--count"))
    assert.are.equal("--kind takes a or b", complaint("--kind", "c"))
    assert.are.equal("--fail-at takes a value", complaint("--fail-at"))
    assert.are.equal("unknown option '--other'", complaint("--other"))
    assert.are.equal("bad is no word", complaint("bad"))
    assert.are.equal("unknown option 'word'", select(2, command_line.read({ usage = "x" }, { "word" })))
  end)

  for _, script in ipairs { "scripts/chaos", "scripts/mutate" } do
    it("is shown by " .. script .. " --help, and where it is wrong", function()
      local function run(words)
        local pipe = io.popen(("luajit %s %s 2>&1; echo \" status $?\""):format(script, words))
        local text = pipe:read("*a")
        pipe:close()
        return text
      end
      assert.matches("^usage: " .. script .. " .* status 0\n$", run "--help")
      assert.matches("^" .. script .. ": unknown option '%-%-wrong'\nusage: " .. script .. " .* status 2\n$", run "--wrong")
    end)
  end
end)
