-- What callbacks get, used in the wrong way or after they have returned: an error that names what was meant, never a crash.
local mt = require "moontide"
local testing = require "moontide.testing"

local states = {
  v = mt.value_state(), l = mt.list_state(), m = mt.map_state(),
  r = mt.reducing_state { reduce = function(a) return a end },
  a = mt.aggregating_state { create = function() return 0 end, add = function(a) return a end, result = function(a) return a end },
}

local opened

-- What a step answers for one record at time 1 and a watermark; nil: it went well.
local function failure(build)
  opened = nil
  local ok, message = pcall(function()
    opened = testing.harness(build, { backend = "memory" })
    opened:push({ k = "a" }, 1)
    opened:watermark(5)
  end)
  return not ok and message or nil
end

local function process(definition)
  return function(input) return input:key_by("k"):process("p", definition) end
end

local function close()
  if opened then opened:close() end
  opened = nil
end

describe("in a callback", function()
  after_each(close)

  local misspelt = {
    { "out has no 'colect' (did you mean 'collect'?)", function(_, _, out) out:colect(1) end },
    { "ctx has no 'timestmp' (did you mean 'timestamp'?)", function(_, ctx) ctx:timestmp() end },
    { "ctx has no 'nothing' (known: current_key, output, parallelism, request_checkpoint, subtask, timers, timestamp)", function(_, ctx) ctx:nothing() end },
    { "a value state has no 'valu' (did you mean 'value'?)", function(self) self.v:valu() end },
    { "a list state has no 'ad' (did you mean 'add'?)", function(self) self.l:ad(1) end },
    { "a map state has no 'entires' (did you mean 'entries'?)", function(self) self.m:entires() end },
    { "a reducing state has no 'value' (known: add, clear, get)", function(self) self.r:value() end },
    { "an aggregating state has no 'ged' (did you mean 'get'?)", function(self) self.a:ged() end },
    { "mt.log has no 'infoo' (did you mean 'info'?)", function() mt.log.infoo("x") end },
    { "mt.log has no 'print' (known: debug, info, warn, error)", function() mt.log.print("x") end },
  }
  for _, case in ipairs(misspelt) do
    it("names what was meant: " .. case[1], function()
      local message = failure(process { state = states, process_element = function(self, _, ctx, out) case[2](self, ctx, out) end })
      assert.is_truthy(message:find(case[1], 1, true), message)
      assert.is_truthy(message:find("callback_misuse_spec.lua:%d+: in"), message)
    end)
  end

  it("names what was meant in open, and in states without keys", function()
    local message = failure(process { open = function(_, ctx) ctx:timers() end, process_element = function() end })
    assert.is_truthy(message:find("ctx of open has no 'timers' (known: parallelism, request_checkpoint, subtask)", 1, true), message)
    close()
    message = failure(function(input)
      return input:process("p", { state = { l = mt.operator_list_state {} }, process_element = function(self) self.l:got() end })
    end)
    assert.is_truthy(message:find("a list state has no 'got' (did you mean 'get'?)", 1, true), message)
    for _, side in ipairs { "process_element", "process_broadcast_element" } do
      close()
      local definition = { process_element = function() end, process_broadcast_element = function() end }
      definition[side] = function(self) self.rules:gett(1) end
      message = failure(function(input) return input:key_by("k"):connect(input:broadcast { rules = mt.map_state() }):process("p", definition) end)
      assert.is_truthy(message:find("a map state has no 'gett' (did you mean 'get'?)", 1, true), message)
    end
  end)
end)

-- Steps that hand what they get to `keep`, and then emit a record, for which the next step runs.
local keepers = {
  ["a process function"] = function(keep) return process { state = states, process_element = function(self, v, ctx, out) keep(self, ctx, out) out:collect(v) end } end,
  ["one without keys"] = function(keep)
    return function(input) return input:process("p", function(v, ctx, out) keep({}, ctx, out) out:collect(v) end) end
  end,
  ["a timer's callback"] = function(keep)
    return process {
      state = states,
      process_element = function(_, _, ctx) ctx:timers():register_event_time_timer(3) end,
      on_timer = function(self, _, ctx, out) keep(self, ctx, out) out:collect(1) end,
    }
  end,
  ["a window function"] = function(keep)
    return function(input)
      return input:key_by("k"):window(mt.tumbling { size = 2 }):process("p", {
        state = states, process = function(self, _, _, _, ctx, out) keep(self, ctx, out) out:collect(1) end,
      })
    end
  end,
  ["a window function with states of the window"] = function(keep)
    return function(input)
      return input:key_by("k"):window(mt.tumbling { size = 2 }):process("p", {
        window_state = states, process = function(self, _, _, _, ctx, out) keep(self, ctx, out) out:collect(1) end,
      })
    end
  end,
  ["a trigger"] = function(keep)
    return function(input)
      return input:key_by("k"):window(mt.tumbling { size = 2 }):trigger { state = states, on_element = function(self, _, _, _, ctx)
        keep(self, ctx)
        return "fire"
      end }:process("p", function(_, _, _, _, out) out:collect(1) end)
    end
  end,
  ["an interval join"] = function(keep)
    return function(input)
      local keyed = input:key_by("k")
      return keyed:interval_join(keyed, { lower = 0, upper = 1 }):process("p", function(_, _, ctx, out) keep({}, ctx, out) out:collect(1) end)
    end
  end,
  ["a visit of all keys"] = function(keep)
    return function(input)
      return input:key_by("k"):connect(input:broadcast { rules = mt.map_state() }):process("p", {
        state = states,
        process_element = function(self) self.v:update(1) end,
        process_broadcast_element = function(_, _, ctx, out)
          ctx:apply_to_keyed_state("v", function(_, state) keep({ v = state }, nil, out) end)
          out:collect(1)
        end,
      })
    end
  end,
}

describe("what is kept of a callback that has returned", function()
  after_each(close)

  -- What `use` ends with in the step behind.
  local function used_later(keeper, use)
    local kept
    local build = keeper(function(self, ctx, out) kept = kept or { self, ctx, out } end)
    local ran = false
    local message = failure(function(input)
      return build(input):map(function(value)
        if kept then
          ran = true
          use(kept[1], kept[2], kept[3])
        end
        return value
      end)
    end)
    assert.is_true(ran)
    return message
  end

  local uses = {
    { "out: the callback that it was given to has returned", function(_, _, out) return out and function() out:collect(1) end end },
    { "out: the callback that it was given to has returned", function(_, ctx) return ctx and ctx.output and function() ctx:output("t", 1) end end },
    { "no key is set: keyed state is reached only in process_element and on_timer", function(self) return self.v and function() self.v:value() end end },
    { "no key is set: keyed state is reached only in process_element and on_timer", function(self) return self.v and function() self.v:update(1) end end },
    { "no key is set: keyed state is reached only in process_element and on_timer", function(self) return self.l and function() self.l:add(1) end end },
    { "no key is set: keyed state is reached only in process_element and on_timer", function(self) return self.m and function() self.m:put(1, 1) end end },
    { "timers belong to a", function(_, ctx)
      local timers = ctx and (ctx.timers and ctx:timers() or ctx.register_event_time_timer and ctx)
      return timers and function() timers:register_event_time_timer(50) end
    end },
  }

  -- A context tells by an error what it has not.
  local function having(ctx)
    return ctx and setmetatable({}, { __index = function(_, name)
      local ok, method = pcall(function() return ctx[name] end)
      return ok and function(_, ...) return method(ctx, ...) end or nil
    end })
  end

  for name, keeper in pairs(keepers) do
    it("is of no use any more: " .. name, function()
      local tried = 0
      for _, use in ipairs(uses) do
        local message, has = nil, true
        message = used_later(keeper, function(self, ctx, out)
          local run = use[2](self, having(ctx), out)
          has = run and true or false
          if run then run() end
        end)
        if has then
          tried = tried + 1
          assert.is_truthy(message and message:find(use[1], 1, true) or (message or ""):find("timers: this stream has none", 1, true)
            or (message or ""):find("the step has no 'on_timer'", 1, true) or (message or ""):find("these timers belong to a window", 1, true),
            tostring(message))
        end
        close()
      end
      assert.is_true(tried > 1)
      assert.is_nil(used_later(keeper, function(_, ctx)
        local context = having(ctx)
        if context and context.timestamp and not context.left_timestamp then assert.is_nil(context:timestamp()) end
        if context and context.current_key then assert.is_nil(context:current_key()) end
      end))
    end)
  end

  -- Their names, while their class is still to be seen.
  local function methods_of(object)
    local names = {}
    for name, method in pairs(getmetatable(object)) do
      if type(method) == "function" then names[#names + 1] = name end
    end
    return names
  end

  for name, keeper in pairs(keepers) do
    it("and says so once the harness is closed: " .. name, function()
      local objects = {}
      local function keep(object)
        if object then objects[object] = methods_of(object) end
      end
      assert.is_nil(failure(keeper(function(self, ctx, out)
        keep(ctx)
        keep(out)
        if ctx and rawget(getmetatable(ctx), "timers") then keep(ctx:timers()) end
        for state in pairs(states) do
          if self[state] then keep(self[state]) end
        end
      end)))
      close()
      local tried = 0
      for object, names in pairs(objects) do
        for _, method in ipairs(names) do
          local ok, message = pcall(function() return object[method](object, 1, 1) end)
          assert.is_false(ok, method)
          assert.is_truthy(message:find("callback_misuse_spec.lua:%d+: the harness is closed$"), message)
          tried = tried + 1
        end
      end
      assert.is_true(tried > 1)
    end)
  end

  it("as does the ctx of open", function()
    local kept
    failure(process { open = function(_, ctx) kept = ctx end, process_element = function() end })
    close()
    local _, message = pcall(function() kept:request_checkpoint() end)
    assert.is_truthy(message:find("callback_misuse_spec.lua:%d+: the harness is closed$"), message)
  end)

  it("nor in close, nor outside of all callbacks", function()
    local kept
    local function build(input)
      return input:key_by("k"):process("p", {
        process_element = function(_, v, _, out) kept = out out:collect(v) end,
        close = function()
          opened = nil
          kept:collect(1)
        end,
      })
    end
    assert.is_nil(failure(build))
    assert.has_error(function() kept:collect(1) end)
    local ok, message = pcall(close)
    assert.is_false(ok)
    assert.is_truthy(message:find("out: the callback that it was given to has returned", 1, true), message)
  end)
end)
