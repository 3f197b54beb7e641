local author = require "support.author"
local explain = require "moontide.explain"

local script = [[
local job = mt.job("fraud", { parallelism = 4, data = "fraud.data" })
local clicks = job:from(mt.values { 1, 2 }, { name = "clicks" })
clicks:map(function(value) return value end)
  :key_by { "account", "day" }
  :process("detector", {
    on_error = { dead_letter = mt.sink { write = print }, name = "bad" },
    state = { small = mt.value_state { default = 0 }, seen = mt.map_state { version = 2 } },
    process_element = print,
  })
  :side_output("late"):to(mt.sink { write = print }, { name = "out", parallelism = 1 })
clicks:key_by(function(value) return value end):count("counts"):union(clicks):rebalance():to(mt.sink { write = print })
return job
]]

local keyed_steps_json = [==[
[
    {
      "connector": "values",
      "id": 1,
      "inputs": [],
      "keyed": false,
      "kind": "source",
      "name": "source-1",
      "named": false,
      "options": {
        "values": 0
      },
      "replayable": true,
      "states": [],
      "where": "fraud.lua:2"
    },
    {
      "id": 2,
      "inputs": [
        {
          "exchange": "forward",
          "name": "source-1",
          "step": 1
        }
      ],
      "key": {
        "fields": [
          "a"
        ],
        "single": true
      },
      "keyed": false,
      "kind": "key_by",
      "name": "key_by-1",
      "named": false,
      "states": [],
      "where": "fraud.lua:2"
    },
    {
      "id": 3,
      "inputs": [
        {
          "exchange": "by key",
          "name": "key_by-1",
          "step": 2
        }
      ],
      "keyed": true,
      "kind": "process",
      "name": "p",
      "named": true,
      "states": [
        {
          "default": [
            "x\n\"y\"",
            1.5
          ],
          "kind": "value",
          "name": "s",
          "version": 1
        }
      ],
      "where": "fraud.lua:2"
    }
  ]]==]

describe("the plan as text", function()
  it("shows options, steps, edges, states and places in columns", function()
    assert.equal([[
job "fraud", fraud.lua:1

  parallelism      4
  max_parallelism  by the parallelism
  data             fraud.data
  checkpoint       every 10s, exactly_once, timeout 10m, retain 3
  state            rocksdb, 256MB
  restart          exponential_delay, initial 100ms, max 1m
  on_error         fail
  watchdog         30s

   1  clicks       source values                                values=2                                                                             fraud.lua:2
   2  map-1        map            from clicks                                                                                                        fraud.lua:3
   3  key_by-1     key_by         from map-1                    key { account, day }                                                                 fraud.lua:4
   4  bad          sink lua       dead letters                                                                                                       fraud.lua:5
   5  detector     process        from key_by-1 (by key)        state seen: map (version 2), small: value (default 0)  on_error=dead letters to bad  fraud.lua:5
   6  out          sink lua       from detector["late"]         parallelism=1                                                                        fraud.lua:10
   7  key_by-2     key_by         from clicks                   key by the function at fraud.lua:11                                                  fraud.lua:11
   8  counts       process count  from key_by-2 (by key)        state count: value (default 0)                                                       fraud.lua:11
   9  union-1      union          from counts, clicks                                                                                                fraud.lua:11
  10  rebalance-1  rebalance      from union-1                                                                                                       fraud.lua:11
  11  sink-1       sink lua       from rebalance-1 (rebalance)                                                                                       fraud.lua:11
]], explain(author.run(script)))
  end)

  it("leaves out a column that is empty in every line", function()
    local text = explain(author.run [[
      local job = mt.job("fraud", { restart = "none", checkpoint = { interval = false }, watchdog = false })
      job:from(mt.source { poll = print }):to(mt.sink { write = print })
      return job]])
    assert.matches("\n   1  source%-1  source lua                 fraud.lua:2\n   2  sink%-1    sink lua    from source%-1  fraud.lua:2\n$", text)
    assert.matches("\n  checkpoint       only at the end\n", text)
    assert.matches("\n  restart          none\n", text)
    assert.matches("\n  watchdog         off\n", text)
  end)

  it("counts characters, not bytes, for its columns", function()
    local text = explain(author.run [[
      local job = mt.job("fraud")
      job:from(mt.values {}, { name = "Änderung" }):to(mt.sink { write = print }, { name = "Ausgabe1" })
      return job]])
    assert.matches("Änderung  source", text)
    assert.matches("Ausgabe1  sink", text)
  end)

  it("shows a join's keys as its author gave them", function()
    local text = explain(author.run [[
      local job = mt.job("pairs")
      local function user(value) return value.user end
      local a, b = job:from(mt.values {}), job:from(mt.values {})
      a:join(b, { left = "id", right = user }):window(mt.tumbling { size = "1s" }):apply("pairs", print)
      return job]], "text")
    assert.matches("\n[^\n]*key_by%-1[^\n]*  key id  ", text)
    assert.matches("\n[^\n]*key_by%-2[^\n]*  key by the function at [%w_]+%.lua:2  ", text)
  end)
end)

describe("the plan as JSON", function()
  it("holds the same, keys in order", function()
    local text = explain(author.run [[
      local job = mt.job("fraud")
      job:from(mt.values {}):key_by("a"):process("p", { state = { s = mt.value_state { default = { "x\n\"y\"", 1.5 } } }, process_element = print })
      return job]], "json")
    local steps = text:match('"steps": (%b[])')
    assert.equal(keyed_steps_json, steps)
  end)

  it("is the same for the same script", function()
    assert.equal(explain(author.run(script), "json"), explain(author.run(script), "json"))
  end)
end)

describe("the plan as a graph", function()
  it("has a node for each step and an edge for each input", function()
    local text = explain(author.run(script), "dot")
    assert.matches('^digraph "fraud" {\n', text)
    assert.matches('\n  5 %[label="detector\\nprocess\\nseen: map\\nsmall: value\\nfraud.lua:5", shape=box3d%];\n', text)
    assert.matches('\n  1 %-> 2;\n', text)
    assert.matches('\n  3 %-> 5 %[label="by key", penwidth=2%];\n', text)
    assert.matches('\n  5 %-> 6 %[label="late"%];\n', text)
    assert.matches('\n  5 %-> 4 %[style=dashed, label="dead letters"%];\n', text)
    assert.matches("\n}\n$", text)
    assert.equal(11, select(2, text:gsub("\n  %d+ %[", "")))
  end)

  it("escapes names", function()
    local text = explain(author.run [[
      local job = mt.job('a "b" \\')
      return job]], "dot")
    assert.equal('digraph "a \\"b\\" \\\\" {', text:match("^[^\n]+"))
  end)
end)

local timed_script = [[
local job = mt.job("hours", {})
local clicks = job:from(mt.values {}, { name = "clicks" })
  :assign_timestamps { field = "at", unit = "s", max_out_of_orderness = "5s", idle_timeout = "1m", name = "of_clicks" }
local rules = job:from(mt.values {}, { name = "rules" })
clicks:key_by("user"):window(mt.tumbling { size = "1h" }):count("hourly"):to(mt.blackhole {})
clicks:key_by("user"):connect(rules:broadcast { rules = mt.map_state() }):process("checked", {
  process_element = print, process_broadcast_element = print, on_timer = print,
}):to(mt.blackhole {})
rules:key_by("id"):window(mt.session { gap = "1m" }):count("sessions"):to(mt.blackhole {})
clicks:key_by("user"):window(mt.tumbling { size = "1h", time = "processing" }):count("by_clock"):to(mt.blackhole {})
return job
]]

describe("event time in a plan", function()
  it("text: names where time comes from, and warns where it comes from nowhere", function()
    local text = explain(author.run(timed_script))
    assert.matches("of_clicks +assign_timestamps +from clicks +time at %(s%)  max_out_of_orderness=5s  idle_timeout=1m", text)
    assert.matches("hourly +window count [^\n]* time from of_clicks", text)
    assert.is_nil(text:match("by_clock[^\n]*time from"))
    assert.equal([[

  warning: step 'checked', fraud.lua:6: timers, but the stream of 'rules' has no assign_timestamps: those of event time fire at the end only
  warning: step 'sessions', fraud.lua:9: windows of event time, but no assign_timestamps upstream: they fire at the end only
]], text:match("\n\n  warning.*$"):sub(2))
  end)

  it("JSON: the same", function()
    local text = explain(author.run(timed_script), "json")
    assert.matches('"name": "hourly".-"time": {%s+"from": %[%s+"of_clicks"%s+%],%s+"without": %[%]%s+}', text)
    assert.matches('"timestamps": {%s+"field": "at",%s+"idle_timeout": 60000,%s+"max_out_of_orderness": 5000,%s+"unit": "s"%s+}', text)
    assert.matches('"warning": "windows of event time, but no assign_timestamps upstream: they fire at the end only"', text)
  end)

  it("graph: an edge of its own from the step that makes the time", function()
    local text = explain(author.run(timed_script), "dot")
    assert.matches('\n  2 %-> %d+ %[style=dotted, label="time", constraint=false%];\n', text)
    assert.matches('sessions[^\n]*color=red, tooltip="windows of event time, but no assign', text)
  end)
end)

describe("an unknown format of a plan", function()
  it("is refused with the nearest", function()
    assert.has_error(function() explain(author.run(script), "jsn") end, "there is no format \"jsn\" for a plan (did you mean 'json'?)")
  end)
end)
