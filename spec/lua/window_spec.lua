local author = require "support.author"
local explain = require "moontide.explain"

local prelude = [[
local job = mt.job("fraud")
local stream = job:from(mt.values {}, { name = "clicks" })
local keyed = stream:key_by("a")
local tumbling, session = mt.tumbling { size = "1h" }, mt.session { gap = "30m" }
]]

local function step_of(text)
  local job = author.run(prelude .. text .. "\nreturn job")
  return job.steps[#job.steps]
end

describe("a window step", function()
  it("keeps what its author said", function()
    local step = step_of [[
      keyed:window(mt.sliding { size = "1h", slide = "5m", offset = "1m", stagger = "random" })
        :allowed_lateness("500ms"):side_output_late("late"):evictor(mt.evictor.count(3)):trigger(mt.trigger.count(4))
        :process("last", {
          state = { total = mt.value_state() }, window_state = { fired = mt.reducing_state { reduce = math.max } },
          parallelism = 2, on_error = "skip",
          open = function(self, ctx) end, close = function(self) end,
          process = function(self, key, window, elements, ctx, out) end, clear = function(self, key, window) end,
        })]]
    assert.equal("window", step.kind)
    assert.equal("process", step.operator)
    assert.equal("last", step.name)
    assert.is_true(step.keyed)
    assert.same({ "sliding", 3600000, 300000, 60000, "random", "event" },
      { step.window.kind, step.window.size, step.window.slide, step.window.offset, step.window.stagger, step.window.time })
    assert.equal(500, step.lateness)
    assert.equal("late", step.late)
    assert.equal(2, step.parallelism)
    assert.equal("skip", step.on_error)
    assert.same({ "total" }, step.state_names)
    local states = {}
    for i, state in ipairs(step.pane_states) do states[i] = state.name .. " " .. state.descriptor.kind end
    assert.same({ "window-elements list", "trigger.count reducing", "window.fired reducing" }, states)
  end)

  it("is made by every method that names one", function()
    for method, text in pairs {
      reduce = 'keyed:window(tumbling):reduce("s", math.max)', aggregate = 'keyed:window(tumbling):aggregate("s", { create = print, add = print, result = print })',
      process = 'keyed:window(tumbling):process("s", print)', count = 'keyed:window(session):count("s", { parallelism = 3 })',
      sum = 'keyed:window(mt.count_window { size = 3 }):sum("s", "v")', min = 'keyed:window(mt.global_window {}):min("s", "v")',
      max = 'keyed:window(mt.tumbling { size = 5, time = "processing" }):max("s", "v")',
    } do
      local step = step_of(text)
      assert.same({ "window", method, "s" }, { step.kind, step.operator, step.name })
    end
  end)

  it("has the trigger of its window, and any other in its place", function()
    assert.equal("event_time()", step_of('keyed:window(tumbling):count("s")').trigger.shown)
    assert.equal("processing_time()", step_of('keyed:window(mt.session { gap = 1, time = "processing" }):count("s")').trigger.shown)
    assert.is_nil(step_of('keyed:window(mt.global_window()):count("s")').trigger)
    assert.equal("purging(count(5))", step_of('keyed:window(mt.count_window { size = 5 }):count("s")').trigger.shown)
    local sliding = step_of('keyed:window(mt.count_window { size = 5, slide = 2 }):count("s")')
    assert.equal("count(2)", sliding.trigger.shown)
    assert.equal("count(5, before)", sliding.evictor.shown)
    assert.equal("delta(2)", step_of('keyed:window(tumbling):trigger(mt.trigger.delta(2, print)):count("s")').trigger.shown)
  end)

  it("leaves the windowed stream as it was, so that it may be used twice", function()
    local step = step_of [[
      local windowed = keyed:window(tumbling)
      windowed:trigger(mt.trigger.count(2)):allowed_lateness(5):count("a")
      windowed:count("b")]]
    assert.equal("event_time()", step.trigger.shown)
    assert.equal(0, step.lateness)
  end)

  it("takes an aggregate with merge for sessions, and without one where an evictor keeps the elements", function()
    local aggregate = "{ create = print, add = print, result = print, merge = print }"
    assert.equal("window", step_of('keyed:window(session):aggregate("s", ' .. aggregate .. ')').kind)
    assert.equal("window", step_of('keyed:window(session):evictor(mt.evictor.count(2)):aggregate("s", { create = print, add = print, result = print })').kind)
  end)

  it("has side outputs, and may be the end of a stream", function()
    local job = author.run(prelude .. [[
      local late = keyed:window(tumbling):side_output_late("late"):count("hourly"):side_output("late")
      late:to(mt.sink { write = print })
      return job]])
    assert.same({ step = 3, tag = "late" }, job.steps[4].inputs[1])
    assert.equal(job, require("moontide.plan").check(job))
  end)

  it("is shown in the plan", function()
    local job = author.run(prelude .. [[
      keyed:window(tumbling):allowed_lateness("5m"):side_output_late("late"):count("hourly"):to(mt.sink { write = print })
      keyed:window(mt.session { gap = function() return 5 end, time = "processing" }):evictor(mt.evictor.time("1m", "after"))
        :process("visits", { state = { seen = mt.value_state() }, process = print }):to(mt.sink { write = print })
      return job]])
    local text = explain(job)
    assert.matches('hourly    window count    from key_by-1 (by key)  tumbling 1h  trigger event_time()  lateness 5m  late to ["late"]', text, 1, true)
    assert.matches('session, gap by the function at fraud.lua:6, processing time  trigger processing_time()  evictor time(1m, after)  state seen: value',
      text, 1, true)
    assert.matches('"windows": "tumbling 1h"', explain(job, "json"), 1, true)
    assert.matches("tumbling 1h", explain(job, "dot"), 1, true)
  end)
end)

describe("a mistake in a window", function()
  local cases = {
    ["stream:window(tumbling)"] = ":window needs a keyed stream: call :key_by first",
    ["keyed:window()"] = ':window: needs a window such as mt.tumbling { size = "1h" }, got nothing',
    ["keyed:window(mt.tumbling)"] = ':window: needs a window such as mt.tumbling { size = "1h" }, got a function: call it with its options',
    ["keyed:window { size = 5 }"] = ':window: needs a window such as mt.tumbling { size = "1h" }, got a table',
    ["mt.tumbling {}"] = "mt.tumbling: option 'size' is required",
    ["mt.tumbling { size = 0 }"] = "mt.tumbling: option 'size' must be a duration above 0",
    ["mt.tumbling { size = '1x' }"] = "mt.tumbling: option 'size' must be a duration",
    ["mt.tumbling { size = 5, slide = 1 }"] = "mt.tumbling: unknown option 'slide' (known: size, offset, ",
    ["mt.tumbling { size = 5, offset = 5 }"] = "mt.tumbling: option 'offset' must be less than the size of 5ms either way, got 5ms",
    ["mt.tumbling { size = '1s', offset = '-1s' }"] = "mt.tumbling: option 'offset' must be less than the size of 1s either way, got -1s",
    ["mt.tumbling { size = 5, time = 'even' }"] = "mt.tumbling: option 'time' must be \"event\" or \"processing\", got \"even\" (did you mean \"event\"?)",
    ["mt.tumbling { size = 5, stagger = true }"] = 'mt.tumbling: option \'stagger\' must be "aligned", "natural" or "random", got true',
    ["mt.sliding { size = 5 }"] = "mt.sliding: option 'slide' is required",
    ["mt.sliding { size = 5, slide = -1 }"] = "mt.sliding: option 'slide' must be a duration above 0",
    ["mt.sliding { size = 50, slide = 5, offset = 5 }"] = "mt.sliding: option 'offset' must be less than the slide of 5ms either way, got 5ms",
    ["mt.session {}"] = "mt.session: option 'gap' is required",
    ["mt.session { gap = 0 }"] = "mt.session: option 'gap' must be a duration above 0",
    ["mt.global_window { size = 5 }"] = "mt.global_window: unknown option 'size'",
    ["mt.count_window {}"] = "mt.count_window: option 'size' is required",
    ["mt.count_window { size = 1.5 }"] = "mt.count_window: option 'size' must be a whole number above 0, got 1.5",
    ["mt.count_window { size = 3, slide = 0 }"] = "mt.count_window: option 'slide' must be a whole number above 0, got 0",
    ["mt.trigger.counts(3)"] = "mt.trigger has no 'counts' (did you mean 'count'?)",
    ["mt.trigger.count(0)"] = "mt.trigger.count: needs a whole number above 0, got 0",
    ["mt.trigger.count()"] = "mt.trigger.count: needs a whole number above 0, got nothing",
    ["mt.trigger.continuous_event_time(0)"] = 'mt.trigger.continuous_event_time: needs a duration above 0 such as "3s", got 0',
    ["mt.trigger.delta('x', print)"] = 'mt.trigger.delta: needs a number first, got "x"',
    ["mt.trigger.delta(1)"] = "mt.trigger.delta: the second argument must be a function, got nothing",
    ["mt.trigger.purging()"] = "mt.trigger.purging: needs a trigger such as mt.trigger.count(4), or a table { on_element = fn, ... }, got nothing",
    ["mt.evictor.size(3)"] = "mt.evictor has no 'size'",
    ["mt.evictor.count(-1)"] = "mt.evictor.count: needs a whole number, not below 0, got -1",
    ["mt.evictor.count(1, 'later')"] = 'mt.evictor.count: the last argument is "before" or "after" the function, got "later"',
    ["mt.evictor.time('x')"] = 'mt.evictor.time: needs a duration such as "2s", got "x"',
    ["mt.evictor.delta(1, 2)"] = "mt.evictor.delta: the second argument must be a function, got 2",
    ["keyed:window(tumbling):trigger()"] = ":trigger: needs a trigger such as mt.trigger.count(4), or a table { on_element = fn, ... }, got nothing",
    ["keyed:window(tumbling):trigger(mt.trigger.count)"] = ":trigger: needs a trigger such as mt.trigger.count(4)",
    ["keyed:window(tumbling):trigger { on_elements = print }"] = ":trigger: unknown option 'on_elements' (did you mean 'on_element'?)",
    ["keyed:window(tumbling):trigger { state = { clear = mt.value_state() } }"] = ":trigger: a state cannot be named 'clear': callbacks are",
    ["keyed:window(tumbling):trigger { state = { a = 1 } }"] = ":trigger: state 'a' must be mt.value_state",
    ["keyed:window(session):trigger { on_element = print }"] = ":trigger: a trigger of windows that merge must be mergeable, but it has no 'on_merge'",
    ["keyed:window(session):trigger(mt.trigger.delta(1, print))"] = ":trigger: a trigger of windows that merge must be mergeable, but it has no 'on_merge'",
    ["keyed:window(session):trigger { on_merge = print, state = { last = mt.value_state() } }"] =
      ":trigger: a trigger of windows that merge must be mergeable, but its state 'last' is a value state, which cannot be merged",
    ["keyed:window(session):trigger { on_merge = print, state = { a = mt.aggregating_state { create = print, add = print, result = print } } }"] =
      ":trigger: a trigger of windows that merge must be mergeable, but its state 'a' has no 'merge'",
    ["keyed:window(tumbling):evictor {}"] = ":evictor: an evictor needs 'before' or 'after'",
    ["keyed:window(tumbling):evictor(mt.trigger.count(1))"] =
      ":evictor: needs an evictor such as mt.evictor.count(4), or a table { before = fn, after = fn }, got a trigger",
    ["keyed:window(tumbling):allowed_lateness(-1)"] = ':allowed_lateness: needs a duration such as "500ms", got -1',
    ["keyed:window(tumbling):side_output_late()"] = ":side_output_late: needs the tag of the output, got nothing",
    ["keyed:window(tumbling):map(print)"] = "a windowed stream has no method 'map' (did you mean 'max'?)",
    ["keyed:window(tumbling):count()"] = ':count: needs a name first, the address of its state: :count("name", ...), got nothing',
    ["keyed:window(tumbling):sum('s')"] = ':sum: needs a field after the name, as in :sum("name", "amount"), got nothing',
    ["keyed:window(tumbling):reduce('s')"] = ":reduce: fn must be a function, got nothing",
    ["keyed:window(tumbling):reduce('s', print, 5)"] = ':reduce("s"): needs a definition { process = function(self, key, window, content, ctx, out) end }',
    ["keyed:window(tumbling):aggregate('s', {})"] = ":aggregate: option 'create' is required",
    ["keyed:window(session):aggregate('s', { create = print, add = print, result = print })"] =
      ":aggregate(\"s\"): sessions merge, so the aggregate needs 'merge = function(a, b) end'",
    ["keyed:window(tumbling):process('s')"] = ':process("s"): needs a definition { process = function(self, key, window, content, ctx, out) end } or a function',
    ["keyed:window(tumbling):process('s', {})"] = ":process(\"s\"): option 'process' is required",
    ["keyed:window(tumbling):process('s', { process_element = print })"] = ":process(\"s\"): unknown option 'process_element'",
    ["keyed:window(session):process('s', { window_state = { a = mt.value_state() }, process = print })"] =
      ":process(\"s\"): option 'window_state': per-window state is not allowed when using merging windows",
    ["keyed:window(tumbling):process('s', { state = { a = mt.value_state() }, window_state = { a = mt.value_state() }, process = print })"] =
      ":process(\"s\"): 'a' is in 'state' and in 'window_state'",
    ["keyed:window(tumbling):count('s', { paralelism = 2 })"] = ":count: unknown option 'paralelism' (did you mean 'parallelism'?)",
    ["mt.reducing_state {}"] = "mt.reducing_state: option 'reduce' is required",
    ["mt.aggregating_state { create = print }"] = "mt.aggregating_state: option 'add' is required",
  }
  for text, message in pairs(cases) do
    it("is an error at the author's line: " .. text, function()
      local failure = author.failure(prelude .. text)
      assert.equal("fraud.lua:5: ", failure:sub(1, 13))
      assert.equal(message, failure:sub(14, 13 + #message))
    end)
  end
end)
