local author = require "support.author"

local prelude = [[
local job = mt.job("fraud")
local stream = job:from(mt.values {})
local keyed = stream:key_by("a")
]]

local function step_of(text)
  local job = author.run(prelude .. text .. "\nreturn job")
  return job.steps[#job.steps]
end

describe("a process step", function()
  it("keeps its definition, its states by name, and what belongs to any step", function()
    local step = step_of [[
      keyed:process("detector", {
        state = { small = mt.value_state { default = 0 }, seen = mt.map_state(), all = mt.list_state() },
        parallelism = 2, on_error = "skip",
        open = function(self, ctx) end, close = function(self) end,
        process_element = function(self, value, ctx, out) end,
        on_timer = function(self, timestamp, ctx, out) end,
      })]]
    assert.equal("process", step.kind)
    assert.equal("detector", step.name)
    assert.is_true(step.named)
    assert.is_true(step.keyed)
    assert.equal(2, step.parallelism)
    assert.equal("skip", step.on_error)
    assert.same({ "all", "seen", "small" }, step.state_names)
    assert.equal("value", step.definition.state.small.kind)
    assert.equal("list", step.definition.state.all.kind)
    assert.equal("map", step.definition.state.seen.kind)
    for _, callback in ipairs { "open", "close", "process_element", "on_timer" } do assert.is_function(step.definition[callback]) end
    assert.is_nil(step.definition.parallelism)
    assert.is_nil(step.definition.on_error)
  end)

  it("does not follow later changes of the author's table", function()
    local step = step_of [[
      local definition = { state = {}, process_element = print }
      keyed:process("p", definition)
      definition.process_element = nil
      definition.state.late = mt.value_state()]]
    assert.is_function(step.definition.process_element)
    assert.same({}, step.definition.state)
  end)

  it("in its short form is a function of (value, ctx, out), without self", function()
    local step = step_of [[keyed:process("p", function(value, ctx, out, ...) out(value, ctx, select("#", ...)) end)]]
    local seen
    step.definition.process_element({}, "value", "ctx", function(...) seen = { ... } end)
    assert.same({ "value", "ctx", 0 }, seen)
  end)
end)

describe("a mistake in a process step", function()
  local cases = {
    ["keyed:process()"] = ':process: needs a name first, the address of its state: :process("name", ...), got nothing',
    ["keyed:process { process_element = print }"] =
      ':process: needs a name first, the address of its state: :process("name", ...), got a table',
    ["keyed:process('', print)"] = [[:process: a step's name must be a text of 1 to 255 bytes without control characters, got ""]],
    ["keyed:process('p')"] = ':process("p"): needs a definition { process_element = function(self, value, ctx, out) end } '
      .. "or a function(value, ctx, out), got nothing",
    ["keyed:process('p', {})"] = [[:process("p"): option 'process_element' is required]],
    ["keyed:process('p', { process_elment = print })"] = [[:process("p"): unknown option 'process_elment' (did you mean 'process_element'?)]],
    ["keyed:process('p', { process_element = print, on_timr = print })"] = [[:process("p"): unknown option 'on_timr' (did you mean 'on_timer'?)]],
    ["keyed:process('p', { process_element = 5 })"] = [[:process("p"): option 'process_element' must be a function, got 5]],
    ["keyed:process('p', { process_element = print, on_error = 1 })"] =
      [[:process("p"): option 'on_error' must be "fail", "skip" or { dead_letter = sink }, got 1]],
    ["keyed:process('p', { process_element = print, state = mt.value_state() })"] =
      [[:process("p"): option 'state' must be a table of names and states, such as { seen = mt.value_state() }, got a state descriptor]],
    ["keyed:process('p', { process_element = print, state = { a = mt.value_state } })"] =
      [[:process("p"): state 'a' must be mt.value_state, mt.list_state or mt.map_state, got a function (call it: mt.value_state())]],
    ["keyed:process('p', { process_element = print, state = { a = 0 } })"] =
      [[:process("p"): state 'a' must be mt.value_state, mt.list_state or mt.map_state, got 0]],
    ["keyed:process('p', { process_element = print, state = { mt.value_state() } })"] =
      [[:process("p"): a state's name must be letters, digits and '_', not beginning with a digit, got 1]],
    ["keyed:process('p', { process_element = print, state = { ['a b'] = mt.value_state() } })"] =
      [[:process("p"): a state's name must be letters, digits and '_', not beginning with a digit, got "a b"]],
    ["keyed:process('p', { process_element = print, state = { open = mt.value_state() } })"] =
      [[:process("p"): a state cannot be named 'open': callbacks are]],
    ["stream:process('p', { process_element = print, state = { a = mt.value_state() } })"] =
      [[:process("p"): state 'a' belongs to a key and this stream has none: call :key_by first]],
    ["stream:process('p', { process_element = print, on_timer = print })"] =
      [[:process("p"): 'on_timer': timers belong to a key and this stream has none: call :key_by first]],
    ["keyed:process('p', print):process('p', print)"] =
      [[:process: the name "p" is taken by the step at fraud.lua:4; names are unique in a job]],
  }
  for text, message in pairs(cases) do
    it("is told at the author's line: " .. text, function()
      assert.equal("fraud.lua:4: " .. message, author.failure(prelude .. "local _ = " .. text))
    end)
  end
end)

describe("state", function()
  it("has a version, and may convert values of older ones", function()
    local mt = require "moontide"
    local migrate = function(old) return old end
    local state = mt.value_state { version = 3, migrate = migrate }
    assert.equal(3, state.version)
    assert.equal(migrate, state.migrate)
    assert.equal(1, mt.map_state().version)
    assert.equal(1, mt.list_state {}.version)
    assert.is_nil(mt.value_state().default)
    assert.is_false(mt.value_state { default = false }.default)
    assert.equal(mt.null, mt.value_state { default = mt.null }.default)
  end)

  local cases = {
    ["mt.value_state { defualt = 1 }"] = "mt.value_state: unknown option 'defualt' (did you mean 'default'?)",
    ["mt.value_state(0)"] = "mt.value_state: options must be one table of names and values, got 0",
    ["mt.value_state { default = print }"] = "mt.value_state: option 'default' must be a value that a record may have, got a function",
    ["mt.list_state { default = {} }"] = "mt.list_state: unknown option 'default' (known: version, migrate)",
    ["mt.map_state { version = 0 }"] = "mt.map_state: option 'version' must be a whole number from 1 to 65535, got 0",
    ["mt.map_state { migrate = 5 }"] = "mt.map_state: option 'migrate' must be a function, got 5",
    ["mt.value_state():value()"] =
      "this describes a value state and holds no value: inside the callbacks call self.<name of the state>:value()",
    ["mt.map_state():put(1, 2)"] =
      "this describes a map state and holds no value: inside the callbacks call self.<name of the state>:put()",
  }
  for text, message in pairs(cases) do
    it("that is misused is told at the author's line: " .. text, function()
      assert.equal("fraud.lua:2: " .. message, author.failure("\nlocal _ = " .. text))
    end)
  end
end)
