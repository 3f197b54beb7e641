-- A subtask whose inputs had all finished when the snapshot was taken.
local case = require "support.case"
local mt = require "moontide"

local function itself(value) return value end

-- Steps of every kind that has an open and a close, and what they were asked for in `log`.
local function builds(log)
  local function note(what)
    return function() log[#log + 1] = what end
  end
  local function definition(more)
    more.open, more.close = note "open", note "close"
    return more
  end
  local process = definition { state = { kept = mt.value_state() }, process_element = note "element", on_timer = note "timer" }
  return {
    function(input) return input:process("p", definition { process_element = note "element" }) end,
    function(input) return input:key_by(itself):process("p", process) end,
    function(input) return input:key_by(itself):window(mt.tumbling { size = 10 }):process("w", definition { process = note "window" }) end,
    function(one, two)
      return one:key_by(itself):connect((two or one:map(itself)):key_by(itself)):process("p", definition {
        process_element1 = note "element", process_element2 = note "element", on_timer = note "timer",
      })
    end,
  }, process
end

local function asked(log)
  local text = table.concat(log, " ")
  for i in ipairs(log) do log[i] = nil end
  return text
end

describe("S18c: a subtask that had finished", function()
  after_each(case.close)

  case.each_backend(function(backend)
    it("runs no code of its author after a restore, and tells MAX and the end, on " .. backend, function()
      local log = {}
      for _, build in ipairs((builds(log))) do
        local h = case.new(build, { backend = backend })
        h:finish()
        h:words()
        assert.equal("open", asked(log))
        for _ = 1, 3 do -- also what was restored from what was restored
          h:snap()
          asked(log)
          assert.equal("W(MAX) END", h:words())
          h:set_processing_time(1000)
          assert.equal("", asked(log) .. h:words())
        end
        h:close()
        assert.equal("", asked(log))
      end
    end)
  end)

  it("is none while one of its inputs goes on", function()
    local log = {}
    local h = case.new((builds(log))[4], { inputs = 2 })
    h:finish()
    h:snap()
    assert.equal("open close open", asked(log))
    h.inputs[2]:push(1)
    assert.equal("element", asked(log))
  end)

  it("is none where one of those that it was made of had not", function()
    local log = {}
    local build = (builds(log))[2]
    local first = case.new(build, { parallelism = 2, subtask = 0 })
    local second = case.new(build, { parallelism = 2, subtask = 1 })
    first:finish()
    local restore = { first:snapshot(), second:snapshot() }
    asked(log)
    local h = case.new(build, { restore = restore })
    h:push(1)
    assert.equal("open element", asked(log))
  end)

  it("leaves the author's definition as it is", function()
    local log = {}
    local made, process = builds(log)
    local h = case.new(made[2])
    h:finish()
    h:snap()
    assert.is_function(process.open)
    assert.is_function(process.close)
  end)

  it("S42: still commits what its sink had prepared", function()
    local committed = {}
    local h = case.new(function(input)
      input:to(mt.sink {
        open = function(self) self.list, self.opened = {}, (#committed + 1) end,
        write = function(self, value) self.list[#self.list + 1] = value end,
        prepare = function(self) return self.list end,
        commit = function(self, list) committed[#committed + 1] = ("%s by %d"):format(table.concat(list), self.opened) end,
      }, { name = "out" })
      return input
    end)
    h:push("a")
    h:finish()
    local restore = h:snapshot()
    local before = #committed
    case.new(h.build, { restore = restore })
    assert.equal(before + 1, #committed)
    assert.equal(("a by %d"):format(before + 1), committed[#committed])
  end)
end)
