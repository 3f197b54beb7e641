local mt = require "moontide"
local testing = require "moontide.testing"

local open = {}

local function harness(build, options)
  local h = testing.harness(build, options)
  open[#open + 1] = h
  return h
end

local function same(stream) return stream end

-- Output as words: a record as its value, a mark as "[barrier 1]".
local function words(h)
  local out = {}
  for _, element in ipairs(h:output()) do
    if element.value ~= nil then
      out[#out + 1] = tostring(element.value) .. (element.timestamp and "@" .. element.timestamp or "")
    else
      local mark, number = next(element)
      out[#out + 1] = ("[%s]"):format(number == true and mark or mark .. " " .. number)
    end
  end
  return table.concat(out, " ")
end

local function blocked(h)
  local out = {}
  for _, one in ipairs(h:blocked()) do out[#out + 1] = one.input .. "." .. one.channel end
  return table.concat(out, " ")
end

local function fails(fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok, "it did not fail")
  return message
end

after_each(function()
  for _, h in ipairs(open) do h:close() end
  open = {}
end)

describe("testing.harness", function()
  it("passes values of every kind and their times", function()
    local h = harness(same)
    local kinds = { 1, 1.5, -0.25, "text", "", true, false, { id = "a", n = 1 }, { 1, 2, { deep = { "x" } } }, {}, mt.null, 2LL ^ 60, { a = mt.null } }
    for i, value in ipairs(kinds) do h:push(value, i) end
    local output = h:output()
    assert.are.equal(#kinds, #output)
    for i, element in ipairs(output) do
      assert.are.equal(i, element.timestamp)
      assert.are.same(kinds[i], element.value)
    end
    h:push(7)
    assert.are.same({ { value = 7 } }, h:output())
    h:push("max", math.huge)
    h:push("min", -math.huge)
    assert.are.equal("max@inf min@-inf", words(h))
  end)

  it("drains: what was taken is gone", function()
    local h = harness(function(input) return input:map(function(n) return n * 2 end) end)
    h:push(1)
    h:push(2)
    assert.are.same({ 2, 4 }, h:values())
    assert.are.same({}, h:values())
    assert.are.same({}, h:output())
  end)

  it("runs functions in the test's Lua state", function()
    local seen = {}
    local h = harness(function(input) return input:filter(function(n) seen[#seen + 1] = n return false end) end)
    h:push(3)
    assert.are.same({ 3 }, seen)
    assert.are.same({}, h:values())
  end)

  it("S35: barriers of several inputs and channels align; what waits behind one comes after it", function()
    local h = harness(function(a, b) return a:union(b) end, { inputs = 2, channels = 2 })
    h.inputs[1].channels[2]:barrier(1)
    assert.are.equal("1.2", blocked(h))
    h.inputs[1].channels[2]:push("waits")
    h.inputs[2]:push("flows")
    assert.are.equal("flows", words(h))
    h:push("too")
    h.inputs[1].channels[1]:barrier(1)
    h.inputs[2].channels[2]:barrier(1)
    assert.are.equal("1.1 1.2 2.2", blocked(h))
    assert.are.equal("too", words(h))
    h.inputs[2].channels[1]:barrier(1)
    assert.are.equal("", blocked(h))
    assert.are.equal("[barrier 1] waits", words(h))
  end)

  it("S35: any number of records waits behind a barrier", function()
    local h = harness(same, { channels = 2 })
    h.inputs[1].channels[1]:barrier(1)
    for i = 1, 500 do h:push(i) end
    assert.are.same({}, h:output())
    h.inputs[1].channels[2]:barrier(1)
    local output = h:output()
    assert.are.equal(1, output[1].barrier)
    assert.are.equal(501, #output)
    for i = 1, 500 do assert.are.equal(i, output[i + 1].value) end
  end)

  it("S36, S37: a given-up checkpoint is announced once, before the newer barrier", function()
    local h = harness(same, { channels = 2 })
    local first, second = h.inputs[1].channels[1], h.inputs[1].channels[2]
    first:barrier(1)
    second:barrier(2)
    assert.are.equal("[cancelled 1]", words(h))
    assert.are.equal("1.2", blocked(h))
    first:barrier(2)
    assert.are.equal("[barrier 2]", words(h))
    first:barrier(3)
    second:cancel_barrier(3)
    second:cancel_barrier(3)
    second:barrier(3)
    assert.are.equal("[cancelled 3]", words(h))
    first:barrier(4)
    second:cancel_barrier(5)
    assert.are.equal("[cancelled 4] [cancelled 5]", words(h))
    assert.are.equal("", blocked(h))
  end)

  it("S38: an end counts as a barrier, and the last end ends the output", function()
    local h = harness(same, { channels = 3 })
    local channels = h.inputs[1].channels
    channels[1]:barrier(1)
    channels[2]:barrier(1)
    channels[2]:finish()
    channels[3]:finish()
    assert.are.equal("[barrier 1]", words(h))
    channels[1]:push("last")
    channels[1]:finish()
    assert.are.equal("last [watermark inf] [ended]", words(h))
  end)

  it("S39: at least once, nothing is held back", function()
    local h = harness(same, { channels = 2, mode = "at_least_once" })
    local first, second = h.inputs[1].channels[1], h.inputs[1].channels[2]
    first:barrier(1)
    assert.are.equal("", blocked(h))
    first:push("a")
    first:barrier(2)
    second:barrier(1)
    assert.are.equal("a [barrier 1]", words(h))
    second:barrier(2)
    assert.are.equal("[barrier 2]", words(h))
  end)

  it("S18c: a finished channel stays finished after a restore", function()
    local h = harness(same, { channels = 2 })
    h.inputs[1].channels[2]:finish()
    local restored = harness(same, { channels = 2, restore = h:snapshot() })
    assert.matches("finished", fails(function() restored.inputs[1].channels[2]:push(1) end))
    restored:push(2)
    restored:finish()
    assert.are.equal("2 [watermark inf] [ended]", words(restored))
    local ended = harness(same, { channels = 2, restore = restored:snapshot() })
    assert.are.equal("[watermark inf] [ended]", words(ended))
  end)

  it("S12: watermarks of the channels of all inputs become one, behind what came before it", function()
    local h = harness(function(a, b) return a:union(b) end, { inputs = 2, channels = 2 })
    h:watermark(10)
    h:push("a", 11)
    h.inputs[1].channels[2]:watermark(12)
    h.inputs[2]:watermark(9)
    assert.are.equal("a@11", words(h))
    h.inputs[2].channels[2]:watermark(20)
    assert.are.equal("[watermark 9]", words(h))
    h.inputs[2]:watermark(9)
    h.inputs[2]:watermark(-5)
    assert.are.equal("", words(h))
  end)

  it("S12: a watermark waits behind a barrier like a record", function()
    local h = harness(same, { channels = 2 })
    local first, second = h.inputs[1].channels[1], h.inputs[1].channels[2]
    first:barrier(1)
    first:watermark(5)
    second:watermark(7)
    assert.are.equal("", words(h))
    second:barrier(1)
    assert.are.equal("[barrier 1] [watermark 5]", words(h))
  end)

  it("S14, S16: idle and active; a push makes an idle channel active", function()
    local h = harness(same, { channels = 2 })
    h:watermark(5)
    h.inputs[1].channels[2]:idle()
    assert.are.equal("[watermark 5]", words(h))
    h:idle()
    h:idle()
    h:watermark(7)
    assert.are.equal("[status idle]", words(h))
    h:active()
    h:watermark(7)
    assert.are.equal("[status active] [watermark 7]", words(h))
    h:idle()
    h:push("x")
    assert.are.equal("[status idle] [status active] x", words(h))
  end)

  it("F2: the end of an idle input is heard; MAX before the end", function()
    local h = harness(same)
    h:idle()
    h:finish()
    assert.are.equal("[status idle] [status active] [watermark inf] [ended]", words(h))
  end)

  it("S9: watermarks are not state", function()
    local h = harness(same)
    h:watermark(100)
    local restored = harness(same, { restore = h:snapshot() })
    restored:watermark(50)
    assert.are.equal("[watermark 50]", words(restored))
  end)

  it("keeps what ctx:output sends, whoever reads the tag (T34)", function()
    local h = harness(function(input)
      local stream = input:process("split", function(n, ctx, out)
        out:collect("IN:" .. n)
        ctx:output("A", n)
        ctx:output("B", n .. "L", 5)
        ctx:output("read", { n = n })
      end)
      return stream:union(stream:side_output("read"):map(function(value) return "read:" .. value.n end))
    end)
    h:push(42, 17)
    assert.are.equal("IN:42@17 read:42@17", words(h))
    assert.are.same({ { value = 42, timestamp = 17 } }, h:side_output("A"))
    assert.are.same({ { value = "42L", timestamp = 5 } }, h:side_output("B"))
    assert.are.same({ { value = { n = 42 }, timestamp = 17 } }, h:side_output("read"))
    assert.are.same({}, h:side_output("A"))
    assert.are.same({}, h:side_output("absent"))
  end)

  it("T34: a missing tag is an argument error at the caller's line", function()
    local h = harness(function(input) return input:process("p", function(n, ctx) ctx:output(nil, n) end) end)
    assert.matches("testing_spec.lua:%d+", fails(h.push, h, 1))
  end)

  it("takes a snapshot that leaves no trace in the output, and goes on", function()
    local h = harness(function(input) return input:key_by("id"):count("count") end)
    h:push { id = "a" }
    h:snapshot()
    h:push { id = "a" }
    assert.are.same({ { key = "a", count = 1 }, { key = "a", count = 2 } }, h:values())
  end)

  it("restores what it remembered, and nothing that came later", function()
    local function build(input) return input:key_by("id"):count("count") end
    local h = harness(build)
    h:push { id = "a" }
    local snapshot = h:snapshot()
    h:push { id = "a" }
    local restored = harness(build, { restore = snapshot, backend = "memory" })
    restored:push { id = "a" }
    assert.are.same({ { key = "a", count = 2 } }, restored:values())
    assert.are.equal(1, restored:state_size())
  end)

  it("rescales: snapshots of two subtasks into three and back into one", function()
    local function build(input) return input:key_by(function(n) return n end):count("count") end
    local function push_own(h, parallelism, subtask)
      for n = 1, 50 do
        if testing.subtask_of(n, parallelism) == subtask then h:push(n) end
      end
    end
    local function generation(parallelism, restore)
      local snapshots, seen = {}, {}
      for subtask = 0, parallelism - 1 do
        local h = harness(build, { parallelism = parallelism, subtask = subtask, restore = restore })
        push_own(h, parallelism, subtask)
        for _, value in ipairs(h:values()) do seen[value.key] = value.count end
        snapshots[#snapshots + 1] = h:snapshot()
      end
      return snapshots, seen
    end
    local snapshots, seen = generation(2)
    snapshots, seen = generation(3, snapshots)
    for n = 1, 50 do assert.are.equal(2, seen[n]) end
    snapshots, seen = generation(1, snapshots)
    for n = 1, 50 do assert.are.equal(3, seen[n]) end
    assert.are.equal(50, harness(build, { restore = snapshots }):state_size())
  end)
end)

describe("testing.harness, misused", function()
  it("refuses keys of another subtask", function()
    local h = harness(function(input) return input:key_by("id"):count("count") end, { parallelism = 3, subtask = testing.subtask_of("a", 3) })
    h:push { id = "a" }
    local other = 0
    while testing.subtask_of(other, 3) == testing.subtask_of("a", 3) do other = other + 1 end
    assert.matches("belongs to subtask " .. testing.subtask_of(other, 3), fails(h.push, h, { id = other }))
  end)

  it("refuses a push on a finished channel, a second end, and every call after close, at the test's line", function()
    local h = harness(same)
    h:finish()
    assert.matches("testing_spec.lua:%d+: push: channel 1 of input 1 is finished", fails(function() h:push(1) end))
    assert.matches("is finished", fails(function() h:finish() end))
    h:close()
    h:close()
    for _, name in ipairs { "push", "finish", "output", "values", "snapshot", "blocked", "state_size" } do
      assert.matches("closed", fails(function() h[name](h, 1) end))
    end
  end)

  it("raises an error of user code with its report; afterwards only close is left", function()
    local h = harness(function(input) return input:map(function(row) return row.a.b end, { name = "deep" }) end)
    local report = fails(h.push, h, { id = 7 })
    assert.matches('step "deep", subtask 0: attempt to index', report)
    assert.matches("testing_spec.lua:%d+: in map\n  key ", report)
    assert.matches('record  {"id":7}', report, 1, true)
    assert.matches("only close%(%) is left", fails(h.push, h, { id = 8 }))
    assert.matches("only close%(%) is left", fails(h.output, h))
    h:close()
  end)

  it("refuses nil, functions and times that are none, and goes on", function()
    local h = harness(same)
    assert.matches("nil cannot be a record", fails(h.push, h, nil))
    assert.matches("cannot be a function", fails(h.push, h, print))
    assert.matches("whole number of milliseconds", fails(h.push, h, 1, 1.5))
    assert.matches("whole milliseconds", fails(h.watermark, h, 1.5))
    assert.matches("whole milliseconds", fails(h.watermark, h, nil))
    h:push(1)
    assert.are.same({ 1 }, h:values())
  end)

  it("names unknown options, wrong values and functions that answer no stream", function()
    assert.matches("unknown option 'channel' %(did you mean 'channels'", fails(testing.harness, same, { channel = 2 }))
    assert.matches("'subtask' must be below 'parallelism'", fails(testing.harness, same, { subtask = 1 }))
    assert.matches("must answer the stream", fails(testing.harness, function() end))
    assert.matches("must be a function", fails(testing.harness, nil))
    assert.matches("boom", fails(testing.harness, function() error("boom") end))
  end)

  it("refuses what is no snapshot, at the test's line", function()
    local h = harness(same)
    local snapshot = h:snapshot()
    for _, other in ipairs { "", "x", ("x"):rep(300), snapshot:sub(1, -2), snapshot .. "x" } do
      assert.matches("testing_spec.lua:%d+: testing.harness: snapshot 1: manifest: ", fails(function() testing.harness(same, { restore = other }) end))
    end
    assert.matches("testing_spec.lua:%d+: testing.harness: snapshot 2: manifest: ", fails(function() testing.harness(same, { restore = { snapshot, "x" } }) end))
  end)

  it("S45: max_parallelism is the snapshot's and cannot be changed", function()
    local snapshot = harness(same, { max_parallelism = 64 }):snapshot()
    assert.matches("64 in the snapshot and 128", fails(testing.harness, same, { restore = snapshot, max_parallelism = 128 }))
    assert.matches("above max_parallelism 64", fails(testing.harness, same, { restore = snapshot, parallelism = 65 }))
    harness(same, { restore = snapshot })
    harness(same, { restore = snapshot, max_parallelism = 64, parallelism = 64 })
  end)

  it("S54: refuses a snapshot of other steps, and damaged ones", function()
    local snapshot = harness(function(input) return input:key_by("id"):count("old") end):snapshot()
    assert.matches('of step "old"', fails(testing.harness, function(input) return input:key_by("id"):count("new") end, { restore = snapshot }))
    local middle = math.floor(#snapshot / 2)
    local damaged = snapshot:sub(1, middle) .. string.char((snapshot:byte(middle + 1) + 1) % 256) .. snapshot:sub(middle + 2)
    for _, bad in ipairs { "", "x", snapshot:sub(1, -2), damaged } do
      assert.matches("snapshot 1", fails(testing.harness, same, { restore = bad }))
    end
  end)

  it("moves the clock forward only", function()
    local h = harness(same, { processing_time = 100 })
    h:set_processing_time(100)
    h:set_processing_time(200)
    assert.matches("not before 200", fails(h.set_processing_time, h, 199))
    assert.are.equal(0, h:timer_count("event"))
    assert.matches("timer_count", fails(h.timer_count, h, "wall"))
  end)
end)

describe("key groups", function()
  -- For ever: a change of these numbers is a migration of all state (L4, S43).
  local frozen = {
    { "a", 104 }, { "acct-17", 59 }, { "", 120 }, { 1, 107 }, { -1, 46 }, { 1.5, 104 }, { 2 ^ 60, 3 }, { true, 37 }, { { "a", 1 }, 61 },
  }

  it("S43: the numbers of some keys never change", function()
    for _, case in ipairs(frozen) do assert.are.equal(case[2], testing.key_group(case[1], 128)) end
  end)

  it("S43: subtask = group * parallelism / max_parallelism", function()
    for n = 1, 200 do
      local group = testing.key_group(n, 128)
      assert.are.equal(math.floor(group * 7 / 128), testing.subtask_of(n, 7, 128))
      assert.are.equal(testing.subtask_of(n, 7, 128), testing.subtask_of(n, 7))
    end
  end)

  it("S43: the default number of groups, by parallelism", function()
    local keys = require "moontide.testing.keys"
    for parallelism, groups in pairs { [1] = 128, [85] = 128, [86] = 256, [170] = 256, [200] = 512, [1000] = 2048, [32768] = 32768 } do
      assert.are.equal(groups, keys.groups_by_default(parallelism))
    end
  end)

  it("S44: 128 groups on 100 subtasks: 72 have one, 28 have two", function()
    local count = {}
    for group = 0, 127 do
      local subtask = math.floor(group * 100 / 128)
      count[subtask] = (count[subtask] or 0) + 1
    end
    local one, two = 0, 0
    for _, groups in pairs(count) do
      if groups == 1 then one = one + 1 else two = two + (groups == 2 and 1 or 1000) end
    end
    assert.are.same({ 72, 28 }, { one, two })
  end)

  it("L4: keys that are equal have one group: 1 and 1.0 and 1LL, 0 and -0", function()
    assert.are.equal(testing.key_group(1, 32768), testing.key_group(1LL, 32768))
    assert.are.equal(testing.key_group(0, 32768), testing.key_group(-0, 32768))
    assert.are_not.equal(testing.key_group("1", 32768), testing.key_group(1, 32768))
    assert.are_not.equal(testing.key_group({ "a", "b" }, 32768), testing.key_group({ "b", "a" }, 32768))
  end)

  it("L4: refuses what cannot be a key, at the caller's line", function()
    for _, key in ipairs { 0 / 0, { a = 1 }, mt.null } do
      assert.matches("testing_spec.lua:%d+", fails(testing.key_group, key, 128))
    end
    assert.matches("max_parallelism", fails(testing.key_group, "a", 0))
    assert.matches("above max_parallelism", fails(testing.subtask_of, "a", 200, 128))
  end)
end)
