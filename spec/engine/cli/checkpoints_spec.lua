local process = require "support.process"
local run = require "support.run"

describe("moontide checkpoints", function()
  local here

  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  --- So many finished runs, each of which leaves a checkpoint.
  local function take(count)
    local script = here:job("{ parallelism = 1 }", ':key_by(function(n) return n % 10 end):count("numbers"):to(mt.blackhole {})')
    for _ = 1, count do assert.are.equal(0, here:run(script):wait()) end
  end

  local function checkpoints(...)
    return process.run { "checkpoints", here.data, ... }
  end

  local function fails(pattern, ...)
    local out, status, err = checkpoints(...)
    assert.are.equal(1, status)
    assert.are.equal("", out)
    assert.is_truthy(err:match(pattern), err)
  end

  it("says that there are none, and makes nothing", function()
    fails("there are no checkpoints in")
    assert.is_nil(io.open(here.data))
  end)

  it("lists them as a table and as JSON", function()
    take(2)
    local text, status = checkpoints()
    assert.are.equal(0, status)
    assert.is_truthy(text:match("^id  parent +time +age +size +files +tags +restorable +reason\n1   %- "), text)
    assert.is_truthy(text:match("\n2   1       %d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ  .* true "), text)
    local json = here:ask("checkpoints")
    assert.is_truthy(json:match('^%[{"id":1,"parent":null,"time":"[%dT:.-]+Z","age_ms":%d+,"size_bytes":%d+,"files":%d+,"tags":%[%],'
      .. '"restorable":true,"reason":null},{"id":2,"parent":1,.*%]\n$'), json)
  end)

  it("show: the files, states and parts of one", function()
    take(1)
    local text, status = checkpoints("show", "1")
    assert.are.equal(0, status)
    assert.is_truthy(text:match("\njob +tide\n") and text:match("\nfiles\nname ") and text:match("\nstates\nstep .*numbers "), text)
    local json = checkpoints("show", "1", "--format", "json")
    assert.is_truthy(json:match('^{"id":1,"job":"tide","parent":null,.*"files":%[{"name":".*"parts":%[{.*}%]}\n$'), json)
    fails("7", "show", "7")
  end)

  it("tag: gives a name, which finds the checkpoint again", function()
    take(2)
    local out, status = checkpoints("tag", "1", "before-the-flood")
    assert.are.equal(0, status)
    assert.are.equal("checkpoint 1 is tagged before-the-flood\n", out)
    assert.is_truthy(checkpoints():match("\n1 .* before%-the%-flood "))
    assert.is_truthy(checkpoints("show", "before-the-flood"):match("^id +1\n"))
    fails("before%-the%-flood", "tag", "2", "before-the-flood")
  end)

  it("verify: finds a file that was changed", function()
    take(1)
    assert.are.equal("checkpoint 1 is in order\n", (checkpoints("verify", "1")))
    local pipe = io.popen("ls '" .. here.data .. "'/checkpoints/shared/*")
    local path = pipe:read("*l")
    pipe:close()
    local file = assert(io.open(path, "r+b"))
    file:seek("set", 100)
    local byte = file:read(1):byte()
    file:seek("set", 100)
    file:write(string.char((byte + 1) % 256))
    file:close()
    fails("checkpoint 1", "verify", "1")
  end)

  it("delete: one, and the others stay", function()
    take(2)
    assert.are.equal("checkpoint 1 is deleted\n", (checkpoints("delete", "1")))
    assert.is_nil(here:ask("checkpoints"):match('"id":1,'))
    assert.are.equal("checkpoint 2 is in order\n", (checkpoints("verify", "2")))
    fails("1", "delete", "1")
  end)

  it("changes nothing while a job runs, but shows", function()
    here:run_until_running(here:job("{ checkpoint = { interval = false } }", nil, run.endless))
    assert.are.equal("checkpoint 1\n", (here:command("checkpoint")))
    fails("another process %(pid %d+%) runs this data directory", "delete", "1")
    fails("another process %(pid %d+%) runs this data directory", "tag", "1", "x")
    assert.are.equal("checkpoint 1 is in order\n", (checkpoints("verify", "1")))
  end)

  it("shows what is damaged, and why it cannot be restored", function()
    take(2)
    local file = assert(io.open(here.data .. "/checkpoints/chk-1/manifest", "wb"))
    file:write("rubbish")
    file:close()
    local json = here:ask("checkpoints")
    assert.is_truthy(json:match('^%[{"id":1,"parent":null,"time":null,.*"restorable":false,"reason":"[^"]+"},{"id":2,.*"restorable":true'), json)
    fails("1", "show", "1")
  end)

  it("wants actions that there are, as they are written", function()
    take(1)
    for words, pattern in pairs { sho = "unknown action 'sho'; did you mean show", tag = "tag is written: moontide checkpoints DATA tag ID NAME" } do
      local _, status, err = checkpoints(words, words == "tag" and "1" or nil)
      assert.are.equal(2, status)
      assert.is_truthy(err:match(pattern), err)
    end
  end)
end)
