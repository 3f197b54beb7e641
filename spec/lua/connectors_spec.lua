-- The constructors that are made from the engine's option tables, against the engine itself.
local author = require "support.author"
local connectors = require "moontide.connectors"
local C = require "support.engine"

local function step_of(text)
  local job = author.run("local job = mt.job('fraud')\n" .. text .. "\nreturn job")
  return job.steps[#job.steps]
end

local function source_step(source)
  return step_of("job:from(" .. source .. ")")
end

local function sink_step(sink)
  return step_of("job:from(mt.values {}):to(" .. sink .. ")")
end

describe("a connector's constructor", function()
  it("keeps what is given, sizes as bytes", function()
    local step = source_step "mt.file { path = 'a.jsonl', format = 'json', split = '1MB', follow = true }"
    assert.equal("source", step.kind)
    assert.equal("file", step.connector)
    assert.same({ path = { "a.jsonl" }, format = "json", split = 1048576, follow = true }, step.connector_options)
    assert.is_true(step.replayable)
    assert.is_true(step.has_format)
  end)

  it("takes a list where several texts may stand, and false where a size may be none", function()
    local step = source_step "mt.file { path = { 'a', 'b' }, format = 'lines', split = false }"
    assert.same({ "a", "b" }, step.connector_options.path)
    assert.equal(-1, step.connector_options.split)
  end)

  it("takes 64-bit integers", function()
    local step = source_step "mt.sequence { from = 9007199254740993LL, to = 9007199254740995LL }"
    assert.same({ { name = "from", text = "9007199254740993" }, { name = "to", text = "9007199254740995" } }, (connectors.settings(step)))
  end)

  it("needs no options where none are required", function()
    assert.equal("blackhole", sink_step("mt.blackhole {}").connector)
    assert.equal("blackhole", sink_step("mt.blackhole()").connector)
    assert.same({}, source_step("mt.sequence {}").connector_options)
  end)

  it("writes JSON where a sink's format is not given", function()
    assert.same({ format = "json" }, sink_step("mt.stdout()").connector_options)
  end)

  it("knows guarantees", function()
    assert.equal("at_least_once", sink_step("mt.stdout {}").guarantee)
    assert.equal("exactly_once", sink_step("mt.file { dir = 'out' }").guarantee)
    assert.is_false(source_step("mt.stdin { format = 'lines' }").replayable)
  end)

  it("takes on_error, which job:from and :to may replace", function()
    assert.equal("skip", source_step("mt.file { path = 'a', format = 'json', on_error = 'skip' }").on_error)
    assert.equal("fail", source_step("mt.file { path = 'a', format = 'json', on_error = 'skip' }, { on_error = 'fail' }").on_error)
    assert.is_nil(source_step("mt.file { path = 'a', format = 'json', on_error = 'skip' }").connector_options.on_error)
  end)

  it("of one name decides by its place which options it takes", function()
    assert.equal("source", source_step("mt.file { path = 'a', format = 'json' }").kind)
    local step = sink_step "mt.file { dir = 'out', format = 'csv', roll_size = '64KB', roll_interval = '5s' }"
    assert.same({ dir = "out", format = "csv", roll_size = 65536, roll_interval = 5000 }, step.connector_options)
  end)

  it("has options that the engine takes in the form that settings() gives them", function()
    local step = source_step [[mt.file { path = { 'a', 'b' }, format = 'csv', columns = { x = 'integer', a = 'string' }, header = false }]]
    local own, of_format = connectors.settings(step)
    assert.same({ { name = "path", text = "a" }, { name = "path", text = "b" } }, own)
    table.sort(of_format, function(a, b) return a.name .. (a.key or "") < b.name .. (b.key or "") end)
    assert.same({ { name = "columns", key = "a", text = "string" }, { name = "columns", key = "x", text = "integer" },
      { name = "header", text = "false" } }, of_format)

    local options = C.options_new()
    for index = 0, C.connector_count(C.CONNECTOR_SOURCE) - 1 do
      if require("ffi").string(C.connector_name(C.CONNECTOR_SOURCE, index)) == "file" then
        for _, setting in ipairs(own) do
          assert.equal(0, C.options_set(options, C.connector_options(C.CONNECTOR_SOURCE, index), setting.name, setting.key, setting.text))
        end
      end
    end
    C.options_free(options)
  end)
end)

describe("the tables of the engine", function()
  it("say something about every connector and option", function()
    local tables = connectors.tables()
    for _, kind in ipairs { "source", "sink" } do
      for name, entry in pairs(tables[kind]) do
        assert.matches("^%u.+%.$", entry.help, name)
        for _, spec in ipairs(entry.specs) do assert.is_true(#spec.help > 0, name .. "." .. spec.name) end
      end
    end
    for name, entry in pairs(tables.format) do
      for _, spec in ipairs(entry.specs) do assert.is_true(#spec.help > 0, name .. "." .. spec.name) end
    end
  end)

  it("name what jobs hold on to", function()
    local tables = connectors.tables()
    for _, name in ipairs { "sequence", "file", "stdin" } do assert.is_table(tables.source[name], name) end
    for _, name in ipairs { "stdout", "collect", "file", "blackhole" } do assert.is_table(tables.sink[name], name) end
    for _, name in ipairs { "json", "csv", "lines", "msgpack" } do assert.is_table(tables.format[name], name) end
  end)
end)

describe("a mistake in a connector's options", function()
  local cases = {
    ["mt.sequence { form = 1 }"] = "mt.sequence: unknown option 'form' (did you mean 'from'?)",
    ["mt.sequence { from = 'one' }"] = [[mt.sequence: option 'from' must be a whole number, got "one"]],
    ["mt.sequence { from = 1.5 }"] = "mt.sequence: option 'from' must be a whole number, got 1.5",
    ["mt.sequence { rate = 'fast' }"] = [[mt.sequence: option 'rate' must be a number above 0, got "fast"]],
    ["mt.sequence { rate = 0 }"] = "mt.sequence: option 'rate' must be a number above 0, got 0",
    ["mt.sequence(5)"] = "mt.sequence: options must be one table of names and values, got 5",
    ["mt.stdout { format = 'jsn' }"] = [[mt.stdout: option 'format' is no format that there is, got "jsn" (did you mean 'json'?)]],
    ["mt.stdout { format = 5 }"] = "mt.stdout: option 'format' is no format that there is, got 5 (known: csv, json, lines, msgpack)",
    ["mt.stdin {}"] = "mt.stdin: option 'format' is required (known: csv, json, lines, msgpack)",
    ["mt.stdin { format = 'json', header = true }"] = [[mt.stdin: 'header' is an option of format "csv", and the format is "json"]],
    ["mt.stdot {}"] = "moontide has no 'stdot' (did you mean 'stdout'?)",
    ["mt.jop('fraud')"] = "moontide has no 'jop' (did you mean 'job'?)",
    ["mt.file('a.csv')"] = [[mt.file: options must be one table of names and values, got "a.csv"]],
    ["mt.job('x'):from(mt.file { format = 'json' })"] = "mt.file: option 'path' is required",
    ["mt.job('x'):from(mt.file { path = 'a' })"] = "mt.file: option 'format' is required (known: csv, json, lines, msgpack)",
    ["mt.job('x'):from(mt.file { path = 5, format = 'json' })"] = "mt.file: option 'path' must be a text or a list of texts, got 5",
    ["mt.job('x'):from(mt.file { path = {}, format = 'json' })"] = "mt.file: option 'path' must be a text or a list of texts, got a table",
    ["mt.job('x'):from(mt.file { path = 'a', format = 'json', folow = true })"] = "mt.file: unknown option 'folow' (did you mean 'follow'?)",
    ["mt.job('x'):from(mt.file { path = 'a', format = 'json', follow = 1 })"] = "mt.file: option 'follow' must be true or false, got 1",
    ["mt.job('x'):from(mt.file { path = 'a', format = 'json', split = '64mb' })"] =
      [[mt.file: option 'split' must be a size above 0 (bytes, or "64KB", "256MB", "2GB"), or false, got "64mb"]],
    ["mt.job('x'):from(mt.file { path = 'a', format = 'json', split = 0 })"] =
      [[mt.file: option 'split' must be a size above 0 (bytes, or "64KB", "256MB", "2GB"), or false, got 0]],
    ["mt.job('x'):from(mt.file { path = 'a', format = 'csv', columns = { a = 'int' } })"] =
      "mt.file: column 'a' cannot be 'int': it is \"integer\", \"number\", \"string\" or \"boolean\"",
    ["mt.job('x'):from(mt.file { path = 'a', format = 'csv', delimiter = ';;' })"] =
      "mt.file: option 'delimiter' is one byte, and no quote, line end, letter, or what numbers are written with",
    ["mt.job('x'):from(mt.values { 1 }):to(mt.stdout { format = 'csv', delimiter = '\\n' })"] =
      "mt.stdout: option 'delimiter' is one byte, and no quote, line end, letter, or what numbers are written with",
    ["mt.job('x'):from(mt.file { path = 'a', format = 'csv', columns = { 'a' } })"] =
      "mt.file: option 'columns' must be a table of names and texts, got a table",
    ["mt.job('x'):from(mt.file { path = 'a', format = 'csv', header = false, names = { 'a', 'b', 'a' } })"] = "mt.file: option 'names' has 'a' twice",
    ["mt.job('x'):from(mt.file { path = 'a', format = 'csv', names = { 'a' } })"] =
      "mt.file: option 'names' is for files without a header: it needs header = false",
    ["mt.job('x'):from(mt.file { path = 'a', format = 'csv', header = true, names = { 'a' } })"] =
      "mt.file: option 'names' is for files without a header: it needs header = false",
    ["mt.job('x'):from(mt.file { path = 'a', format = 'csv', header = false, names = { 'a' }, columns = { b = 'integer' } })"] =
      "mt.file: option 'columns' has 'b', which option 'names' does not have",
    ["mt.job('x'):from(mt.values { 1 }):to(mt.file { dir = 'a', format = 'csv', columns = { a = 'integer' } })"] =
      "mt.file: option 'columns' is of a source: what a sink writes has its type already",
    ["mt.stdout { format = 'csv', names = { 'a', 'a' } }"] = "mt.stdout: option 'names' has 'a' twice",
    ["mt.stdout { format = 'csv', multiline = true }"] =
      "mt.stdout: option 'multiline' is of a source: a sink writes texts with line ends in quotes",
    ["mt.job('x'):from(mt.file { path = 'a\\0b', format = 'json' })"] = "mt.file: option 'path' must be texts without zero bytes, got \"a\\0b\"",
    ["mt.job('x'):from(mt.file { path = 'a', format = 'csv', columns = { ['a\\0'] = 'integer' } })"] =
      "mt.file: option 'columns' must be names and texts without zero bytes, got a table",
    ["mt.stdout { format = 'csv', delimiter = '\\0' }"] = "mt.stdout: option 'delimiter' must be a text without zero bytes, got \"\\0\"",
    ["mt.kafka { topic = 'a' }"] = "mt.kafka: the connector to Kafka is not available in this version",
    ["mt.value_state { ttl = '1h' }"] = "mt.value_state: option 'ttl': state with a time to live is not available in this version",
    ["mt.map_state { ttl = '1h', defualt = 1 }"] = "mt.map_state: unknown option 'defualt' (known: version, migrate)",
    ["mt.stdout { ttl = '1h' }"] = "mt.stdout: unknown option 'ttl' (known: on_error, format)",
    ["mt.job('x'):from(mt.file { dir = 'out', path = 'a', format = 'json' })"] =
      "mt.file: 'dir' is an option of the sink, and this is used as a source",
    ["mt.job('x'):from(mt.stdout {})"] = "job:from: mt.stdout is a sink, not a source",
    ["mt.job('x'):from(mt.file { path = 'a', format = 'json', on_error = 'ignore' })"] =
      [[mt.file: option 'on_error' must be "fail", "skip" or { dead_letter = sink }, got "ignore"]],
  }
  for text, message in pairs(cases) do
    it("is told at the author's line: " .. text, function()
      assert.equal("fraud.lua:2: " .. message, author.failure("\nlocal _ = " .. text))
    end)
  end

  it("is told at the line of the constructor, where that is another one", function()
    assert.equal("fraud.lua:2: mt.file: unknown option 'folow' (did you mean 'follow'?)", author.failure [[
local job = mt.job("fraud")
local input = mt.file { path = "a", format = "json", folow = true }

job:from(input)]])
  end)
end)
