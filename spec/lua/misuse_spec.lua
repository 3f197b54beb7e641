-- Whatever a script passes to whatever function: it works, or fails at the script's line and not inside the library.
local author = require "support.author"

local calls = {
  "mt.job(%s)", "mt.job('j', %s)", "mt.job('j', { checkpoint = %s })", "mt.job('j', { restart = %s })", "mt.job('j', { on_error = %s })",
  "mt.job('j', { watchdog = %s, data = %s, parallelism = %s, max_parallelism = %s })", "mt.job('j', { state = %s })",
  "mt.job('j', { restart = { strategy = %s, delay = %s } })", "mt.job('j', { on_error = { dead_letter = %s, name = %s } })",
  "mt.values(%s)", "mt.values { %s, %s }", "mt.generator(%s)", "mt.generator { fn = print, count = %s, rate = %s, seed = %s }",
  "mt.source(%s)", "mt.source { poll = %s, open = %s }", "mt.sink(%s)", "mt.sink { write = %s, prepare = %s }",
  "mt.value_state(%s)", "mt.value_state { default = %s, version = %s, migrate = %s }", "mt.list_state(%s)", "mt.map_state(%s)",
  "job:from(%s)", "job:from(mt.values {}, %s)", "job:from(mt.values {}, { name = %s, parallelism = %s, on_error = %s })",
  "stream:map(%s)", "stream:map(print, %s)", "stream:filter(%s, %s)", "stream:flat_map(%s, { name = %s })",
  "stream:union(%s)", "stream:union(stream, %s)",
  "stream:key_by(%s)", "stream:key_by(%s, %s)", "stream:key_by { %s, %s }", "stream:rebalance(%s)", "stream:global(%s)", "stream:broadcast(%s)",
  "stream:process(%s, %s)", "stream:process('p', %s)", "keyed:process('p', { process_element = %s, state = %s })",
  "keyed:process('p', { process_element = print, state = { s = %s }, on_error = %s })",
  "keyed:process('p', { process_element = print, state = { [1] = %s } })",
  "keyed:process('p', print):side_output(%s)", "stream:side_output(%s)", "stream:to(%s)", "stream:to(mt.sink { write = print }, %s)",
  "keyed:reduce(%s, %s)", "keyed:aggregate(%s, %s)", "keyed:aggregate('a', { create = %s, add = %s, result = %s })", "keyed:count(%s, %s)",
  "keyed:sum(%s, %s)", "keyed:min('m', %s)", "keyed:max('m', 'f', %s)",
  "stream:broadcast { r = %s }", "keyed:connect(%s)", "keyed:connect(keyed):process(%s, %s)", "keyed:connect(keyed):process('p', { state = %s })",
  "stream:connect(stream:broadcast { r = mt.map_state() }):process('p', { process_element = %s, process_broadcast_element = %s, state = { s = %s } })",
  "keyed:interval_join(%s, { lower = %s, upper = %s })", "keyed:interval_join(keyed, { lower = 0, upper = 1, late_left = %s }):process('p', %s, %s)",
  "stream:join(%s, { left = %s, right = %s })", "stream:co_group(stream, { left = 'a', right = 'a' }):window(%s)",
  "stream:join(stream, { left = 'a', right = 'a' }):window(mt.tumbling { size = 1 }):apply(%s, %s, %s)",
  "mt.tumbling(%s)", "mt.tumbling { size = %s, offset = %s, time = %s, stagger = %s }", "mt.sliding { size = %s, slide = %s, offset = %s }",
  "mt.session { gap = %s, time = %s }", "mt.global_window(%s)", "mt.count_window { size = %s, slide = %s }", "keyed:window(%s)", "stream:window(%s)",
  "keyed:window(mt.tumbling { size = %s, slide = %s })", "keyed:window(mt.session { gap = 1 }):trigger(%s)",
  "keyed:window(mt.tumbling { size = 1 }):trigger(%s, %s)",
  "keyed:window(mt.tumbling { size = 1 }):evictor(%s)", "keyed:window(mt.tumbling { size = 1 }):evictor { before = %s, after = %s }",
  "keyed:window(mt.tumbling { size = 1 }):trigger { state = %s, on_element = %s, on_merge = %s }",
  "keyed:window(mt.tumbling { size = 1 }):allowed_lateness(%s)", "keyed:window(mt.tumbling { size = 1 }):side_output_late(%s)",
  "keyed:window(mt.tumbling { size = 1 }):reduce(%s, %s, %s)", "keyed:window(mt.tumbling { size = 1 }):aggregate('a', %s, %s)",
  "keyed:window(mt.tumbling { size = 1 }):process('p', %s, %s)",
  "keyed:window(mt.session { gap = 1 }):process('p', { process = %s, state = %s, window_state = %s })",
  "keyed:window(mt.tumbling { size = 1 }):count(%s, %s)", "keyed:window(mt.tumbling { size = 1 }):sum('s', %s, %s)", "keyed:window(mt.tumbling { size = 1 })[%s]",
  "mt.trigger.count(%s)", "mt.trigger.continuous_event_time(%s)", "mt.trigger.delta(%s, %s)", "mt.trigger.purging(%s)", "mt.trigger.event_time(%s)",
  "mt.trigger[%s]",
  "mt.evictor.count(%s, %s)", "mt.evictor.time(%s, %s)", "mt.evictor.delta(%s, %s, %s)", "mt.evictor[%s]",
  "mt.reducing_state(%s)", "mt.reducing_state { reduce = %s, version = %s }", "mt.aggregating_state(%s)",
  "mt.aggregating_state { create = %s, add = %s, result = %s, merge = %s }",
  "mt.value_state { ttl = %s }", "mt.list_state { version = %s, migrate = %s }", "mt.map_state { migrate = %s, version = %s }",
  "stream:assign_timestamps(%s)", "stream:assign_timestamps { field = %s, unit = %s, max_out_of_orderness = %s }", "stream:assign_timestamps { fn = %s, emit = %s }",
  "stream:assign_timestamps { field = 'a', format = %s, idle_timeout = %s, max_drift = %s }", "keyed:assign_timestamps { field = 'a', [%s] = %s }",
  "mt.log[%s]", "mt.job('j', { checkpoint = { interval = %s, records = %s, retain = %s, timeout = %s, min_pause = %s, tolerable_failures = %s, mode = %s } })",
  "mt.job('j', { state = { backend = %s, memory = %s } })", "mt.job('j', { restart = { strategy = 'failure_rate', failures = %s, within = %s, delay = %s } })",
  "mt.operator_list_state(%s)", "stream:process('p', { process_element = print, state = { s = mt.union_list_state { version = %s } } })",
  "mt.file(%s)", "mt.sequence { from = %s, to = %s, rate = %s }", "mt.stdout { format = %s }", "mt.collect { name = %s }", "mt.stdin(%s)",
  "job:from(mt.file { path = %s, format = %s })", "job:from(mt.file { path = 'a', format = 'csv', header = %s, columns = %s })",
  "job:from(mt.file { path = 'a', format = 'json', split = %s, follow = %s, on_error = %s })",
  "stream:to(mt.file { dir = %s, roll_size = %s, roll_interval = %s })", "mt[%s]", "keyed[%s]", "stream[%s]", "job[%s]",
}

local values = {
  "nil", "true", "false", "0", "-1", "1.5", "0/0", "math.huge", "2^53", "5LL", "''", "'x'", "'5s'", "'a\\0b'", "('x'):rep(300)", "'%s%d%'",
  "{}", "{ 1 }",
  "{ 'a' }", "{ [2] = 'a' }", "{ a = 1 }", "{ name = 'n' }", "{ {} }", "print", "function() end", "mt", "mt.null", "mt.value_state()", "mt.value_state",
  "mt.values {}", "mt.sink { write = print }", "job", "stream", "keyed", "coroutine.create(print)", "io.stdout", "setmetatable({}, { __index = error })",
}

local prelude = "local job = mt.job('fraud') local stream = job:from(mt.values {}) local keyed = stream:key_by('k')\n"

describe("misuse", function()
  local seed = tonumber(os.getenv("SEED")) or os.time()

  for _, call in ipairs(calls) do
    it(("of %s fails at the script's line (SEED=%d)"):format(call, seed), function()
      math.randomseed(seed)
      for _, first in ipairs(values) do
        local is_first = true
        local text = prelude .. "local _ = " .. call:gsub("%%s", function()
          if not is_first then return values[math.random(#values)] end
          is_first = false
          return first
        end)
        local ok, message = pcall(author.run, text)
        if not ok then
          assert.is_string(message, text)
          assert.equal("fraud.lua:2: ", message:sub(1, 13), text .. "\n" .. tostring(message))
        end
      end
    end)
  end
end)
