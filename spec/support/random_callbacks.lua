-- What an author may write for windows: triggers, evictors and functions that do as the numbers of records and the ends of
-- windows say, so that the engine and a reference may both call them (random_panes.lua).
local copy = require "support.copy"
local mt = require "moontide"
local pane_reference = require "support.pane_reference"

local M = {}

local HUGE = math.huge

-- ---- Records ----

local function record_of(value) return value.left or value.right or value end
M.record_of = record_of

--- The number of a record, seen by its side or not.
function M.number_of(value) return record_of(value).v end

local function record_text(record)
  return ("%s%d@%s%s%s"):format(record.k, record.v, tostring(record.t), #record.pad > 0 and "+" .. #record.pad or "", record.n and "n" .. #record.n or "")
end

--- A record as text.
function M.text(value)
  if type(value) ~= "table" then return tostring(value) end
  return (value.left and "L" or value.right and "R" or "") .. record_text(record_of(value))
end

-- ---- Triggers ----

local function fails_at(program, place, number)
  if program.fails == place and number then pane_reference.raise() end
end

--- As mt.trigger.count.
function M.count_trigger(trigger)
  return {
    on_element = function(self)
      self.seen:add(1)
      if #self.seen:get() < trigger.n then return "continue" end
      self.seen:clear()
      return trigger.purging and "fire_and_purge" or "fire"
    end,
    on_merge = function() end,
    clear = function(self) self.seen:clear() end,
  }
end

local answers_of_time = { [0] = "fire", "fire", "continue", "continue", "fire", "continue", "purge", "fire_and_purge" }

--- One that does this and that.
function M.trigger(program)
  local function timer_fired(place, kind)
    return function(_, time, window, ctx)
      local h = (time * 5 + (window.start or 0)) % 8
      fails_at(program, place, h == 3)
      if h == 1 then ctx["register_" .. kind .. "_timer"](ctx, time + 3) end
      return answers_of_time[h]
    end
  end
  return {
    state = { seen = mt.list_state() },
    on_element = function(self, value, timestamp, window, ctx)
      local v = M.number_of(value)
      local h = (v * 7 + (window.start or 0)) % 16
      self.seen:add(v)
      if h < 4 then ctx:register_event_time_timer(timestamp + v % 7) end
      if h < 2 then ctx:register_processing_time_timer(ctx:current_processing_time() + 1 + v % 7) end
      if h > 4 and window.max_timestamp then ctx:register_event_time_timer(window.max_timestamp) end
      if h == 8 and window.max_timestamp then
        ctx["delete_" .. program.window.time .. "_time_timer"](ctx, window.max_timestamp + program.lateness)
      end
      fails_at(program, "on_element", h == 5)
      if #self.seen:get() >= program.trigger.n then
        self.seen:clear()
        return program.trigger.purging and "fire_and_purge" or "fire"
      end
      return h == 9 and "purge" or h == 10 and "fire" or "continue"
    end,
    on_event_time = timer_fired("on_event_time", "event_time"),
    on_processing_time = timer_fired("on_processing_time", "processing_time"),
    on_merge = function(self, window, ctx)
      fails_at(program, "on_merge", window.start % 5 == 2)
      if window.max_timestamp > ctx:current_watermark() then ctx:register_event_time_timer(window.max_timestamp) end
      if #self.seen:get() > 3 then self.seen:clear() end
    end,
    clear = function(self, window, ctx)
      fails_at(program, "clear", window["end"] and window["end"] % 5 == 2)
      if window.max_timestamp then ctx:delete_event_time_timer(window.max_timestamp) end
      assert(#self.seen:get() <= 5)
      self.seen:clear()
    end,
  }
end

-- ---- Evictors ----

local function kept(elements, keeps)
  local list = {}
  for i, element in ipairs(elements) do
    if keeps(element, i) then list[#list + 1] = element end
  end
  return list
end

local transforms = {
  all = function(elements) return elements end,
  even = function(elements) return kept(elements, function(element) return (element.timestamp or 0) % 2 == 0 end) end,
  tail = function(elements, window) return kept(elements, function(_, i) return i > (window.start or 1) % 3 end) end,
  reversed = function(elements)
    return kept(elements, function(_, i)
      local other = #elements + 1 - i
      if i < other then elements[i], elements[other] = elements[other], elements[i] end
      return true
    end)
  end,
  doubled = function(elements)
    if #elements > 0 and #elements < 6 then elements[#elements + 1] = elements[1] end
    return elements
  end,
  changed = function(elements)
    if elements[1] then record_of(elements[1].value).v = (M.number_of(elements[1].value) + 1) % 41 end
    return elements
  end,
  new = function(elements, _, ctx)
    if #elements == 0 or #elements > 6 then return elements end
    local list, value = { elements[#elements] }, copy(elements[1].value)
    record_of(value).v, record_of(value).pad = 7, ""
    list[2] = { value = value, timestamp = ctx:current_watermark() > 25 and elements[1].timestamp or nil }
    return list
  end,
  other_side = function(elements)
    local value = elements[1] and elements[1].value
    if value and (value.left or value.right) then value.left, value.right = value.right, value.left end
    return elements
  end,
  popped = function(elements)
    table.remove(elements)
    return elements
  end,
  none = function(elements) return #elements % 3 == 0 and {} or elements end,
}
M.transforms = {}
for name in pairs(transforms) do table.insert(M.transforms, name) end
table.sort(M.transforms)

--- The distance of two elements, for delta evictors.
function M.delta(program)
  return function(element, last)
    local a, b = M.number_of(element), M.number_of(last)
    fails_at(program, "delta", a == 13)
    return math.abs(a - b)
  end
end

local plain = {
  count = function(evictor, elements) return kept(elements, function(_, i) return i > #elements - evictor.n end) end,
  time = function(evictor, elements)
    if #elements == 0 or elements[1].timestamp == nil then return elements end
    local latest = -HUGE
    for _, element in ipairs(elements) do latest = math.max(latest, element.timestamp) end
    return kept(elements, function(element) return element.timestamp > latest - evictor.duration end)
  end,
  delta = function(evictor, elements, program)
    local delta, last = M.delta(program), elements[#elements]
    return kept(elements, function(element) return not (delta(element.value, last.value) >= evictor.threshold) end)
  end,
}

local function own_evictor(program)
  local evictor, made = program.evictor, {}
  local function calls(place, name)
    return function(elements, window, ctx)
      fails_at(program, place, #elements > 0 and M.number_of(elements[#elements].value) % 7 == 3)
      return transforms[name](elements, window, ctx)
    end
  end
  if evictor.n < 4 then made[evictor.when] = calls(evictor.when, evictor.first) end
  if evictor.n > 2 then
    local other = evictor.when == "before" and "after" or "before"
    made[other] = calls(other, evictor.last)
  end
  return made
end

--- An evictor as an author would write it.
function M.evictor(program)
  local evictor = program.evictor
  if evictor.kind == "own" then return own_evictor(program) end
  return { [evictor.when] = function(elements) return plain[evictor.kind](evictor, elements, program) end }
end

-- ---- Functions of windows ----

local function texts(list)
  local words = {}
  for i, value in ipairs(list) do words[i] = M.text(value) end
  return table.concat(words, ",")
end

-- What is changed here is changed nowhere else.
local function change(program, list)
  if not program.changes then return end
  if list[1] then list[1].v, list[1].changed = -1, true end
  table.remove(list)
end

local function total_of(list)
  local total = 0
  for _, value in ipairs(list) do total = total + M.number_of(value) end
  return total
end

local calls = {}

function calls.co_group(program)
  return function(key, lefts, rights, out)
    fails_at(program, "fn", (total_of(lefts) + total_of(rights)) % 5 == 3)
    out:collect(("%s|%s|%s"):format(key, texts(lefts), texts(rights)))
    change(program, lefts)
    change(program, rights)
  end
end

function calls.join(program)
  return function(left, right)
    fails_at(program, "fn", left.v * right.v % 13 == 1)
    if (left.v + right.v) % 5 ~= 0 then return M.text(left) .. "-" .. M.text(right) end
  end
end

function calls.process(program)
  return function(_, key, window, elements, ctx, out)
    fails_at(program, "fn", total_of(elements) % 5 == 3)
    out:collect(("%s|%s|%s|%s|%s"):format(key, tostring(window.start), tostring(window.max_timestamp), texts(elements), tostring(ctx:current_watermark())))
    change(program, elements)
  end
end

function calls.reduce(program)
  return function(a, b)
    fails_at(program, "fn", a.v * b.v % 13 == 1)
    return { k = a.k, v = (a.v + b.v) % 97, t = b.t, pad = "" }
  end
end

local function apply_of(program, fn)
  local method = program.method
  if program.sides then return function(windowed) return windowed:apply("w", fn) end end
  if method == "reduce" then return function(windowed) return windowed:reduce("w", fn) end end
  if method == "count" then return function(windowed) return windowed:count("w") end end
  if method == "aggregate" then
    return function(windowed)
      return windowed:aggregate("w", { create = function() return { n = 0, v = 0 } end,
        add = function(acc, record)
          fails_at(program, "fn", record.v % 13 == 1)
          return { n = acc.n + 1, v = acc.v + record.v }
        end,
        merge = function(a, b) return { n = a.n + b.n, v = a.v + b.v } end,
        result = function(acc) return acc.n .. "/" .. acc.v end })
    end
  end
  return function(windowed)
    return windowed:process("w", { process = fn, clear = function(_, _, window) fails_at(program, "forgotten", window["end"] and window["end"] % 5 == 4) end })
  end
end

-- The same of the elements of a window, by a reference.
local emits = {}

function emits.co_group(program, fn)
  return function(pane, elements, emit)
    local lefts, rights = {}, {}
    for _, element in ipairs(elements) do
      local value = element.value
      table.insert(value.left and lefts or rights, record_of(value))
    end
    if program.method == "co_group" then return fn(pane.key, lefts, rights, { collect = function(_, text) emit(text) end }) end
    for _, left in ipairs(lefts) do
      for _, right in ipairs(rights) do
        local result = fn(left, right)
        if result then emit(result) end
      end
    end
  end
end
emits.join = emits.co_group

local function values_of(elements)
  local values = {}
  for i, element in ipairs(elements) do values[i] = element.value end
  return values
end

function emits.process(program, fn)
  return function(pane, elements, emit)
    local ctx = { current_watermark = function() return program.reference.watermark end }
    fn(nil, pane.key, pane_reference.window_of(pane), values_of(elements), ctx, { collect = function(_, text) emit(text) end })
  end
end

function emits.reduce(_, fn)
  return function(_, elements, emit)
    local folded
    for i, element in ipairs(elements) do folded = i == 1 and element.value or fn(folded, element.value) end
    if folded then emit(M.text(folded)) end
  end
end

function emits.count()
  return function(pane, elements, emit)
    local window = pane_reference.window_of(pane)
    emit(("%s|%s|%s|%d"):format(pane.key, tostring(window.start), tostring(window["end"]), #elements))
  end
end

function emits.aggregate(program)
  return function(_, elements, emit)
    local total = 0
    for _, element in ipairs(elements) do
      fails_at(program, "fn", element.value.v % 13 == 1)
      total = total + element.value.v
    end
    emit(#elements .. "/" .. total)
  end
end

--- What a program does with its windows: in the engine (`apply`) and in a reference (`emit`, `seen`, `forgotten`).
function M.functions(program)
  local fn = calls[program.method] and calls[program.method](program)
  return {
    apply = apply_of(program, fn), emit = emits[program.method](program, fn),
    seen = function(input, record)
      local copied = copy(record)
      if not program.sides then return copied end
      return input == 1 and { left = copied } or { right = copied }
    end,
    forgotten = function(pane)
      if program.method == "process" then fails_at(program, "forgotten", pane.stop ~= HUGE and pane.stop % 5 == 4) end
    end,
    result_text = function(value)
      if type(value) ~= "table" then return tostring(value) end
      if value.count then return ("%s|%s|%s|%d"):format(value.key, tostring(value.window_start), tostring(value.window_end), value.count) end
      return M.text(value)
    end,
  }
end

return M
