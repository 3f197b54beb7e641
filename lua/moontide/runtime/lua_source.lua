--- Sources in Lua: a list, a generator, or the author's own. A list and an
--- author's source are read by subtask 0; a generator's indexes are dealt out.
local ffi = require "ffi"
local collector = require "moontide.runtime.collector"
local generator = require "moontide.runtime.generator"
local made_fields = require "moontide.runtime.made_fields"
local saved = require "moontide.runtime.saved"
local times = require "moontide.runtime.times"

local more, idle, ended = 1, 2, 3

-- out:collect takes a missing time from call.times[call.index]: a source has none.
local function times_of_source(call)
  local none = ffi.new("int64_t[1]", times.none)
  call.times, call.index = none, 0
  return none
end

-- A reader has poll, snapshot and has_ended; it begins with restore, or with start if there is nothing to restore.
local function values_reader(operator)
  local list, next_index = operator.step.definition.values, 1
  return {
    restore = function(position) next_index = position end,
    has_ended = function() return next_index > #list end,
    snapshot = function() return next_index end,
    poll = function(out, count)
      local last = math.min(#list, next_index + count - 1)
      for i = next_index, last do out:collect(list[i]) end
      next_index = last + 1
      return next_index > #list and ended or more
    end,
  }
end

local answers = { [true] = more, [false] = idle, ["end"] = ended }

-- That it has ended is part of its position: its author's code does not run again after a restore (S18c).
local function own_reader(operator)
  local definition, self, at_end, opened = operator.step.definition, {}, false, false
  local function open()
    opened = true
    if definition.open then definition.open(self) end
  end
  return {
    restore = function(saved_position)
      at_end = saved_position.at_end
      if at_end then return end
      open()
      if definition.restore then definition.restore(self, saved_position.position) end
    end,
    start = open,
    has_ended = function() return at_end end,
    snapshot = function()
      local position
      if not at_end and definition.snapshot then position = definition.snapshot(self) end
      if at_end or position ~= nil then return { at_end = at_end, position = position } end
    end,
    poll = function(out)
      local answer = answers[definition.poll(self, out)]
      if not answer then error("poll of a source must answer true (more), false (nothing now) or \"end\"", 0) end
      at_end = answer == ended
      return answer
    end,
    close = function() if opened and definition.close then definition.close(self) end end,
  }
end

local function nobody() end

-- The state that subtask 0 saved goes to subtask 0, whatever the parallelism.
local function single(call, reader, out)
  local active = call.subtask == 0
  local none
  return {
    [2] = function()
      call.times, call.index = none, 0
      call.wait_ms = 10
      call.status = reader.poll(out, call.count)
    end,
    [3] = function()
      none = times_of_source(call)
      if not active then
        call.status = ended
        return
      end
      local position = saved.restored(call)[1]
      if position then reader.restore(position) elseif reader.start then reader.start() end
      if reader.has_ended() then call.status = ended end -- known before the first record of any source (S9)
    end,
    [4] = active and reader.close or nobody,
    [5] = function() if active then saved.save(call, reader.snapshot()) end end,
    [6] = nobody,
  }
end

return function(call, operator)
  local connector, definition = operator.step.connector, operator.step.definition
  if connector == "generator" then
    return generator(call, operator, collector(call, 0, made_fields.answered(definition.fn)), times_of_source)
  end
  local out = collector(call, 0)
  return single(call, connector == "values" and values_reader(operator) or own_reader(operator), out)
end
