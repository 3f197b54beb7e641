local process = require "support.process"
local run = require "support.run"

describe("the command line", function()
  local here

  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  local function complains(pattern, ...)
    local out, status, err = process.run { ... }
    assert.are.equal(2, status, err)
    assert.are.equal("", out)
    assert.is_truthy(err:match(pattern), err)
  end

  it("prints its version", function()
    local out, status = process.run { "version" }
    assert.are.equal(0, status)
    assert.is_truthy(out:match("^moontide %d+%.%d+%.%d+\n$"), out)
    assert.are.equal(out, (process.run { "--version" }))
  end)

  it("has help for everything, in three ways", function()
    local overview, status = process.run { "help" }
    assert.are.equal(0, status)
    assert.are.equal(overview, (process.run { "--help" }))
    assert.are.equal(overview, (process.run { "-h" }))
    local commands = 0
    for name in overview:gmatch("\n  (%l+) ") do
      commands = commands + 1
      local help, help_status = process.run { "help", name }
      assert.are.equal(0, help_status)
      assert.is_truthy(help:match("^usage: moontide " .. name), help)
      assert.are.equal(help, (process.run { name, "--help" }))
      assert.are.equal(help, (process.run { name, "-h" }))
    end
    assert.are.equal(10, commands)
  end)

  it("names the nearest command and option", function()
    complains("unknown command 'stats'; did you mean status%?", "stats", "x")
    complains("unknown command 'zzzzzz'\n", "zzzzzz")
    complains("unknown command 'stats'; did you mean status%?", "help", "stats")
    complains("unknown option %-%-paralelism; did you mean %-%-parallelism%?", "run", "job.lua", "--paralelism", "2")
    complains("unknown option %-%-format=?", "stop", "x", "--format", "json")
    complains("unknown option %-p", "run", "job.lua", "-p", "2")
  end)

  it("wants what a command needs, and no more", function()
    complains("which command")
    complains("moontide run JOB.lua", "run")
    complains("'b' is one word too many", "stop", "a", "b")
    complains("%-%-data needs a value", "run", "job.lua", "--data")
    complains("%-%-data is given twice", "run", "job.lua", "--data", "a", "--data", "b")
    complains("%-%-fresh takes no value", "run", "job.lua", "--fresh=1")
  end)

  it("checks the values of options", function()
    complains("%-%-parallelism is a whole number from 1 to 32768, not '0'", "run", "job.lua", "--parallelism", "0")
    complains("not '2x'", "run", "job.lua", "--parallelism", "2x")
    complains("not '%-1'", "run", "job.lua", "--parallelism=-1")
    complains("not '99999999999999999999'", "run", "job.lua", "--parallelism", "99999999999999999999")
    complains("%-%-set takes KEY=VALUE, not 'x'", "run", "job.lua", "--set", "x")
    complains("%-%-log%-level is debug, info, warn or error, not 'loud'", "run", "job.lua", "--log-level", "loud")
    complains("%-%-format 'xml' is not one of text, json, dot", "check", "job.lua", "--format", "xml")
    complains("%-%-fresh and %-%-restore exclude each other", "run", "job.lua", "--fresh", "--restore", "3")
  end)

  it("says that savepoints and commands of later versions are not there yet", function()
    complains("moontide: repl: the prompt is not available in this version\n", "repl")
    complains("moontide: state: a look into state is not available in this version\n", "state", "x")
    complains("moontide: reload: the reload of a running job is not available in this version\n", "reload", "x")
    complains("%-%-savepoint: .*not available in this version", "stop", "x", "--savepoint", "y")
  end)

  it("says that no job runs in a directory", function()
    for _, command in ipairs { "status", "why", "stop", "cancel", "checkpoint" } do
      for _, directory in ipairs { here.directory, here.directory .. "/absent", here.directory .. "/" .. ("x"):rep(150) } do
        local out, status, err = process.run { command, directory }
        assert.are.equal(1, status)
        assert.are.equal("", out)
        local why = directory == here.directory and "" or ": there is no such directory"
        assert.are.equal("moontide: no job runs in " .. directory .. why .. "\n", err)
      end
    end
  end)

  it("takes options behind = and words behind --", function()
    local script = here:job()
    local out, status = process.run { "check", "--format=json", "--", script }
    assert.are.equal(0, status)
    assert.are.equal("{", out:sub(1, 1))
  end)

  it("check: prints the plan in three formats", function()
    local script = here:job('{ parallelism = 3 }', '  :key_by(function(n) return n % 2 end):count("parity"):to(mt.blackhole {})')
    local text, status = process.run { "check", script, "--set", "a=b" }
    assert.are.equal(0, status)
    assert.is_truthy(text:match('job "tide"') and text:match("parity"), text)
    assert.is_truthy((process.run { "check", script, "--format", "json" }):match('"parity"'))
    assert.is_truthy((process.run { "check", script, "--format", "dot" }):match("digraph"))
  end)

  it("check and run: 2 for a script that does not load, with its line", function()
    local script = here:write("job.lua", "local mt = require 'moontide'\nlocal x = nil + 1\n")
    for _, command in ipairs { "check", "run" } do
      local out, status, err = process.run { command, script }
      assert.are.equal(2, status)
      assert.are.equal("", out)
      assert.is_truthy(err:match("job%.lua:2:"), err)
    end
    for _, command in ipairs { "check", "run" } do
      local _, status, err = process.run { command, here.directory .. "/absent.lua" }
      assert.are.equal(2, status)
      assert.is_truthy(err:match("absent%.lua.*No such file"), err)
    end
  end)

  it("check and run: shows an error that is no text", function()
    local script = here:write("job.lua", "error { code = 5 }")
    for _, command in ipairs { "check", "run" } do
      local _, status, err = process.run { command, script }
      assert.are.equal(2, status)
      assert.are.equal(("moontide: %s: {\"code\":5}\n"):format(script), err)
    end
  end)

  it("names the script where a call in tail position leaves no line", function()
    for text, complaint in pairs {
      ["mt.job('x')"] = "job 'x' has no source: begin with job:from",
      ["mt.job('x', { paralelism = 3 })"] = "mt.job: unknown option 'paralelism'",
    } do
      local script = here:write("job.lua", "local mt = require 'moontide'\nreturn " .. text)
      for _, command in ipairs { "check", "run" } do
        local _, status, err = process.run { command, script }
        assert.are.equal(2, status)
        assert.are.equal(("moontide: %s: %s"):format(script, complaint), err:sub(1, #script + #complaint + 12))
      end
    end
  end)

  it("does not call a result good that could not be written", function()
    local script = here:job()
    local status = os.execute(("'%s' check '%s' >/dev/full 2>/dev/null"):format(os.getenv("MOONTIDE_EXECUTABLE") or "build/moontide", script))
    assert.are_not.equal(0, status)
  end)
end)
