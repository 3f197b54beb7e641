--- The loop over the records of a window step, generated for each of them: add to
--- the contents of each window, ask the trigger, fire, see that the window is
--- forgotten one day. What the window's own trigger would do is done in place.
local bit = require "bit"
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"
local generate = require "moontide.runtime.generate"
local renewal = require "moontide.runtime.renewal"
local times = require "moontide.runtime.times"
local used_fields = require "moontide.runtime.used_fields"
local values = require "moontide.runtime.values"

local M = {}

local head = [[
local call, C, check, decode, from_engine, b, guarded, band, bor = ...
local windows = call.windows
local panes, first, late, ends = windows.panes, windows.first, windows.late, windows.windows
local kept, start, add, on_element, act, fire, skipped = b.kept, b.start, b.add, b.on_element, b.act, b.fire, b.skipped
local trigger, trigger_ctx, window_of, place, gap_of, merge = b.trigger, b.trigger_ctx, b.window_of, b.place, b.gap_of, b.merge
]]

local adds = {
  fold = [[
      local content = kept:value()
      local is_new = content == nil
      if is_new then content = start(value) else content = add(content, value) end
      kept:update(content)
]],
  -- As it came, whoever has looked at it.
  list = [[
      local contents = panes.entries[pane]
      local is_new = contents.slots[0].tag == 0
      local added = C.list_state_add(panes.state, contents, 0, call.values + i, 1, call.bytes)
      if added < 0 then check(added) end
]],
  sides = [[
      local contents = panes.entries[pane]
      local is_new = contents.slots[0].tag == 0 and contents.slots[1].tag == 0
      local added = C.list_state_add(panes.state, contents, call.input, call.values + i, 1, call.bytes)
      if added < 0 then check(added) end
]],
  evicting = [[
      local contents = panes.entries[pane]
      local is_new = contents.slots[0].tag == 0
      local added = C.window_list_add(panes.state, contents, 0, call.values + i, call.bytes, call.times[i], call.input)
      if added < 0 then check(added) end
]],
}

local asked = [[
      place[0] = pane
      local answer = on_element(trigger, value, from_engine(call.times[i]), window_of(pane), trigger_ctx)
      if answer ~= "continue" then act(answer, pane, "on_element") end
]]

-- A merge deletes the timers that clean up, and a trigger may delete one, since timers of one window and time are one (S4).
local keep = [[
      if is_new or windows.is_unkept then
        local status = C.call_window_keep(call, pane)
        if status < 0 then check(status) end
      end
]]

-- A window that fired before a restore fires again with a new element, since watermarks are no state (S9): what
-- tells that its timers are registered is therefore a mark of this attempt, and not that it has contents. A failing
-- record takes its timers back, and not the mark: where that may be they are registered again and again.
local unless_timed = {
  [false] = [[
      local entry = panes.entries[pane]
      if band(entry.flags, 64) == 0 then
        entry.flags = bor(entry.flags, 64)
]],
  [true] = "      do\n",
}

-- The trigger of event time, and the timer that cleans up; they are one where no lateness is allowed.
local own_event = [[
      UNLESS_TIMED
        local last = C.call_window_max_timestamp(call, pane)
        if last > call.watermark then
          local status = C.call_window_register(call, pane, 0, last)
          if status < 0 then check(status) end
        end
        KEEP
      end
]]
local own_event_late = [[
      if C.call_window_max_timestamp(call, pane) <= call.watermark then fire(pane) end
]]
local own_processing = [[
      UNLESS_TIMED
        local status = C.call_window_register(call, pane, 1, C.call_window_max_timestamp(call, pane))
        if status < 0 then check(status) end
      end
]]

local function own_source(step, guarded)
  local unless = unless_timed[guarded]
  if step.window.time == "processing" then return (own_processing:gsub("UNLESS_TIMED", unless)) end
  local is_late_possible = step.lateness > 0
  local kept = is_late_possible and "local status = C.call_window_keep(call, pane)\n        if status < 0 then check(status) end" or ""
  return own_event:gsub("UNLESS_TIMED", unless):gsub("KEEP", kept) .. (is_late_possible and own_event_late or "")
end

--- Is the trigger the window's own, so that nothing of it needs a call?
---@param step Step
---@return boolean
function M.is_direct(step)
  return step.trigger and step.trigger.default and not step.window.merging or false
end

local function element_source(step, guarded)
  local kind = step.evictor and "evicting" or step.contents.kind
  if M.is_direct(step) then return adds[kind] .. own_source(step, guarded) end
  return adds[kind] .. (step.trigger and step.trigger.on_element and asked or "") .. keep
end

-- What comes by one of two inputs is seen with its side.
local decoded = "      local value = decode(call.values[i], call.bytes)\n"
local decoded_side = decoded .. "      if call.input == 0 then value = { left = value } else value = { right = value } end\n"

-- One window at most, several, or a session, which a merge may have made another.
local shapes = {
  one = "    local pane = first[i]\n    if pane == first[i + 1] then\n      skipped(i)\n    else\nDECODED"
    .. "      panes.index = pane\nELEMENT    end\n",
  several = "    local behind = first[i + 1]\n    if first[i] == behind then\n      skipped(i)\n    else\nDECODED"
    .. "      for pane = first[i], behind - 1 do\n      panes.index = pane\nELEMENT      end\n    end\n",
  session = "    do\nDECODED" .. [[
      local added = C.call_session_add(call, i, gap_of(value))
      if added == 0 then
        skipped(i)
      else
      if added < 0 then check(added) end
      local pane = 0
      if added == 2 then merge() end
ELEMENT      end
    end
]],
}
local shape_of = { tumbling = "one", global = "one", sliding = "several", session = "session" }

-- Does anything look at the records? A list takes them unseen, as does what only counts them.
local function looks(step)
  local trigger, contents = step.trigger or {}, step.contents
  local by_contents = contents.kind == "fold" and contents.reads ~= "nothing" and not step.evictor
  return by_contents or step.window.gap or trigger.on_element and not trigger.default
end

local function decoded_source(step)
  if not looks(step) then return "      local value\n" end
  return step.contents.kind == "sides" and decoded_side or decoded
end

local function loop_source(step, guarded)
  local parts = { ELEMENT = element_source(step, guarded), DECODED = decoded_source(step) }
  return table.concat {
    head, "return function()\n  for i = call.index, call.count - 1 do\n    call.index = i\n", guarded and "    C.call_mark(call)\n" or "",
    (shapes[shape_of[step.window.kind]]:gsub("%u%u%u+", parts)),
    guarded and "    if call.view.undo_count > 0 then C.keyed_state_commit_record(call.state) end\n" or "", "  end\nend",
  }
end

--- The function that handles the records [call.index, call.count) of the batch in `call`.
---@param call ffi.cdata* struct call
---@param operator Operator
---@param bound table what the handler has bound
---@return function
function M.make(call, operator, bound)
  local step = operator.step
  local text, decode = loop_source(step, bound.guarded), values.decoder(M.is_direct(step) and used_fields.of_contents(step.contents) or nil)
  return renewal(call, function()
    return generate(text, "=loop of " .. operator.name, call, C, check, decode, times.from_engine, bound, bound.guarded, bit.band, bit.bor)
  end)
end

return M
