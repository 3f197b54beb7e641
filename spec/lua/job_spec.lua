local author = require "support.author"

local function job_failure(options)
  return author.failure("\n\nlocal job = mt.job('fraud', " .. options .. ")")
end

describe("mt.job", function()
  it("fills in the defaults", function()
    local job = author.run "local job = mt.job('fraud') return job"
    assert.equal("fraud", job.name)
    assert.same({
      checkpoint = { interval = 10000, mode = "exactly_once", timeout = 600000, min_pause = 0, retain = 3, tolerable_failures = 0 },
      state = { backend = "rocksdb", memory = 268435456 },
      restart = { strategy = "exponential_delay", initial = 100, max = 60000 },
      on_error = "fail",
      watchdog = 30000,
    }, job.options)
    assert.same({ file = "fraud.lua", line = 1 }, job.where)
    assert.same({}, job.steps)
  end)

  it("keeps what is given, durations as milliseconds and sizes as bytes", function()
    local job = author.run [[
      local job = mt.job("fraud", {
        parallelism = 4, max_parallelism = 128, data = "fraud.data",
        checkpoint = { interval = "50ms", records = 1000, mode = "at_least_once", timeout = "1m", min_pause = "1s", retain = 1,
                       tolerable_failures = 2, storage = "s3" },
        state = { backend = "memory", memory = "64KB" },
        restart = { strategy = "failure_rate", failures = 3, within = "5m", delay = "10s" },
        on_error = "skip",
        watchdog = "1m",
      })
      return job]]
    assert.same({
      parallelism = 4, max_parallelism = 128, data = "fraud.data",
      checkpoint = { interval = 50, records = 1000, mode = "at_least_once", timeout = 60000, min_pause = 1000, retain = 1,
        tolerable_failures = 2, storage = "s3" },
      state = { backend = "memory", memory = 65536 },
      restart = { strategy = "failure_rate", failures = 3, within = 300000, delay = 10000 },
      on_error = "skip",
      watchdog = 60000,
    }, job.options)
  end)

  it("switches checkpoints and the watchdog off by false", function()
    local job = author.run "local job = mt.job('fraud', { checkpoint = { interval = false }, watchdog = false }) return job"
    assert.is_false(job.options.checkpoint.interval)
    assert.equal(0, job.options.watchdog)
  end)

  it("takes a restart strategy by its name alone, with its own defaults", function()
    local function restart_of(text) return author.run("local job = mt.job('fraud', { restart = " .. text .. " }) return job").options.restart end
    assert.same({ strategy = "none" }, restart_of "'none'")
    assert.same({ strategy = "none" }, restart_of "{ strategy = 'none' }")
    assert.same({ strategy = "fixed_delay", attempts = 1, delay = 1000 }, restart_of "'fixed_delay'")
    assert.same({ strategy = "fixed_delay", attempts = 5, delay = 0 }, restart_of "{ strategy = 'fixed_delay', attempts = 5, delay = 0 }")
    assert.same({ strategy = "exponential_delay", initial = 10, max = 60000, attempts = 7 }, restart_of "{ initial = 10, attempts = 7 }")
  end)

  it("leaves the author's tables as they were", function()
    local given = author.run "given = { checkpoint = { interval = '5s' } } local job = mt.job('fraud', given) return given"
    assert.same({ checkpoint = { interval = "5s" } }, given)
  end)
end)

describe("a mistake in mt.job", function()
  local duration = '(milliseconds, or "250ms", "5s", "10m", "2h", "1d")'
  local cases = {
    ["{ paralelism = 4 }"] = "unknown option 'paralelism' (did you mean 'parallelism'?)",
    ["{ zzz = 4 }"] = "unknown option 'zzz' (known: parallelism, max_parallelism, data, checkpoint, state, restart, on_error, watchdog)",
    ["{ checkpoint = { intervall = 1 } }"] = "unknown option 'checkpoint.intervall' (did you mean 'interval'?)",
    ["{ 4 }"] = "options are given by name, got the value 4 at place 1 (known: parallelism, max_parallelism, data, checkpoint, state, restart, "
      .. "on_error, watchdog)",
    ["'four'"] = 'options must be one table of names and values, got "four"',
    ["mt.value_state()"] = "options must be one table of names and values, got a state descriptor",
    ["{ parallelism = 'four' }"] = "option 'parallelism' must be a whole number from 1 to 32768, got \"four\"",
    ["{ parallelism = 0 }"] = "option 'parallelism' must be a whole number from 1 to 32768, got 0",
    ["{ parallelism = 1.5 }"] = "option 'parallelism' must be a whole number from 1 to 32768, got 1.5",
    ["{ parallelism = 0/0 }"] = "option 'parallelism' must be a whole number from 1 to 32768, got " .. tostring(0 / 0),
    ["{ max_parallelism = 32769 }"] = "option 'max_parallelism' must be a whole number from 1 to 32768, got 32769",
    ["{ parallelism = 8, max_parallelism = 4 }"] = "option 'parallelism' must not be above 'max_parallelism', got 8 and 4",
    ["{ data = '' }"] = "option 'data' must be a text that is not empty, got \"\"",
    ["{ data = false }"] = "option 'data' must be a text that is not empty, got false",
    ["{ checkpoint = false }"] = "option 'checkpoint' must be one table of names and values, got false",
    ["{ checkpoint = { interval = '10' } }"] = "option 'checkpoint.interval' must be a duration above 0 " .. duration .. ', or false, got "10"',
    ["{ checkpoint = { interval = 0 } }"] = "option 'checkpoint.interval' must be a duration above 0 " .. duration .. ", or false, got 0",
    ["{ checkpoint = { min_pause = -1 } }"] = "option 'checkpoint.min_pause' must be a duration, not below 0 " .. duration .. ", got -1",
    ["{ checkpoint = { timeout = false } }"] = "option 'checkpoint.timeout' must be a duration above 0 " .. duration .. ", got false",
    ["{ checkpoint = { mode = 'exactly-once' } }"] =
      [[option 'checkpoint.mode' must be "exactly_once" or "at_least_once", got "exactly-once" (did you mean "exactly_once"?)]],
    ["{ checkpoint = { records = 0 } }"] = "option 'checkpoint.records' must be a whole number above 0, got 0",
    ["{ checkpoint = { retain = 0 } }"] = "option 'checkpoint.retain' must be a whole number above 0, got 0",
    ["{ state = { backend = 'rocks' } }"] = [[option 'state.backend' must be "rocksdb" or "memory", got "rocks"]],
    ["{ state = { memory = '256mb' } }"] = [[option 'state.memory' must be a size above 0 (bytes, or "64KB", "256MB", "2GB"), got "256mb"]],
    ["{ restart = 'fixed' }"] =
      [[option 'restart.strategy' must be "exponential_delay", "fixed_delay", "failure_rate" or "none", got "fixed"]],
    ["{ restart = 5 }"] = "option 'restart' must be one table of names and values, got 5",
    ["{ restart = { strategy = 'none', delay = 5 } }"] = "unknown option 'restart.delay' (known: strategy)",
    ["{ restart = { initial = '2m' } }"] = "option 'restart.max' must not be below 'restart.initial', got 60000 and 120000",
    ["{ on_error = 'ignore' }"] = [[option 'on_error' must be "fail", "skip" or { dead_letter = sink }, got "ignore"]],
    ["{ on_error = { dead_letter = 'x' } }"] = [[option 'on_error.dead_letter' must be a sink such as mt.stdout { format = "json" }, got "x"]],
    ["{ on_error = {} }"] = "option 'on_error.dead_letter' is required",
    ["{ on_error = { dead_letter = mt.stdout {}, nam = 'letters' } }"] = "unknown option 'on_error.nam' (did you mean 'name'?)",
    ["{ data = 'a\\0b' }"] = "option 'data' must be a text without zero bytes, got \"a\\0b\"",
    ["{ watchdog = 'off' }"] = "option 'watchdog' must be a duration, not below 0 " .. duration .. ', or false, got "off"',
  }
  for options, message in pairs(cases) do
    it("is told at the author's line: " .. options, function()
      assert.equal("fraud.lua:3: mt.job: " .. message, job_failure(options))
    end)
  end

  it("is a missing or impossible name", function()
    for given, shown in pairs { [""] = "nothing", ["{}"] = "a table", ["''"] = '""', ["'a\\nb'"] = '"a\\10b"' } do
      assert.equal('fraud.lua:2: mt.job: needs a name first, as in mt.job("fraud"), got ' .. shown,
        author.failure("\nlocal job = mt.job(" .. given .. ")"))
    end
  end)

  it("is a misspelt name of the library or the job", function()
    assert.equal("fraud.lua:1: job 'fraud' has no 'form' (did you mean 'from'?)", author.failure "local job = mt.job('fraud') job:form(1)")
  end)
end)
