--- The step of a window: everything that its author said, checked and in one form.
local describe = require "moontide.describe"
local on_error = require "moontide.on_error"
local options = require "moontide.options"
local process = require "moontide.process"
local state_table = require "moontide.state_table"
local trigger = require "moontide.trigger"
local where = require "moontide.where"

local M = {}

---@alias WindowFunction fun(key: any, window: Window, content: any, ctx: WindowContext, out: Collector)

---@class WindowDefinition
---@field state? States of the key, by the name that `self` has it under
---@field window_state? States of the key and the window, dropped after `clear`
---@field parallelism? integer
---@field on_error? OnError
---@field open? fun(self: Process, ctx: OpenContext)
---@field close? fun(self: Process)
---@field process fun(self: Process, key: any, window: Window, content: any, ctx: WindowContext, out: Collector)
---@field clear? fun(self: Process, key: any, window: Window) as the window is forgotten

---@class WindowSettings
---@field window WindowAssigner
---@field trigger? Trigger nil: it never fires
---@field evictor? Evictor
---@field lateness number
---@field late? string the tag of late records

local definition_specs = {
  state_table.spec "state",
  state_table.spec "window_state",
  process.parallelism_spec,
  on_error.spec,
  { name = "open", type = "function" },
  { name = "close", type = "function" },
  { name = "process", type = "function", required = true },
  { name = "clear", type = "function" },
}

local reserved = { open = true, close = true, process = true, clear = true }

-- The short form is a function of (key, window, content, ctx, out), without self: it has no state to find there.
local function normalise(what, definition)
  if type(definition) == "function" then
    return { process = function(_, key, window, content, ctx, out) return definition(key, window, content, ctx, out) end }, definition
  end
  if type(definition) ~= "table" then
    where.raise("%s: needs a definition { process = function(self, key, window, content, ctx, out) end } or a function(key, window, content, ctx, out), got %s",
      what, describe(definition))
  end
  return definition, rawget(definition, "process")
end

local function check_names(what, checked, merging)
  local names = state_table.check(what, checked.state, reserved)
  local window_names = state_table.check(what, checked.window_state, reserved)
  if merging and #window_names > 0 then
    where.raise("%s: option 'window_state': per-window state is not allowed when using merging windows", what)
  end
  for _, name in ipairs(window_names) do
    if checked.state[name] then where.raise("%s: '%s' is in 'state' and in 'window_state'", what, name) end
  end
  return names, window_names
end

local function contents_states(step)
  local list = { kind = "list" }
  if step.evictor then return { { name = "window-elements", descriptor = list } } end
  if step.contents.kind == "sides" then return { { name = "left-contents", descriptor = list }, { name = "right-contents", descriptor = list } } end
  return { { name = "window-contents", descriptor = step.contents.kind == "list" and list or { kind = "value" } } }
end

-- The states of a window: its contents first, then the trigger's, then those of its function.
local function pane_states(step)
  local list = contents_states(step)
  for _, name in ipairs(step.trigger and step.trigger.state_names or {}) do
    list[#list + 1] = { name = "trigger." .. name, descriptor = step.trigger.state[name] }
  end
  for _, name in ipairs(step.window_state_names) do
    list[#list + 1] = { name = "window." .. name, descriptor = step.definition.window_state[name] }
  end
  return list
end

-- What the author calls each function, for reports.
local function callbacks_of(step, fn, given)
  local names = {}
  for _, name in ipairs { "on_element", "on_event_time", "on_processing_time", "on_merge", "clear" } do
    if step.trigger and step.trigger[name] then names[step.trigger[name]] = name end
  end
  for _, name in ipairs { "before", "after" } do
    if step.evictor and step.evictor[name] then names[step.evictor[name]] = name end
  end
  if fn then names[fn] = "process" end
  for name, callback in pairs(given) do names[callback] = name end
  return names
end

local function check_mergeable(what, settings, contents)
  if not settings.window.merging then return end
  if contents.kind == "fold" and not contents.merge and not settings.evictor then
    where.raise("%s: sessions merge, so the aggregate needs 'merge = function(a, b) end'", what)
  end
end

--- Check the name and function of a window step, and answer the step's fields.
---@param method string ":count"
---@param settings WindowSettings
---@param name any
---@param contents WindowContents
---@param definition? any a WindowDefinition or a WindowFunction; nil: what is kept is emitted
---@param callbacks? table<string, function> other functions of the author, by what they are called
---@return table
function M.step(method, settings, name, contents, definition, callbacks)
  process.check_name(method, name)
  local what = ('%s("%s")'):format(method, name)
  check_mergeable(what, settings, contents)
  local step = {
    kind = "window", name = name, window = settings.window, trigger = settings.trigger, evictor = settings.evictor,
    lateness = settings.lateness, late = settings.late, contents = contents,
    definition = { state = {}, window_state = {} }, state_names = {}, window_state_names = {},
  }
  local fn
  if definition ~= nil or contents.kind ~= "fold" then
    local normal
    normal, fn = normalise(what, definition)
    local checked = options.check(what, normal, definition_specs)
    step.state_names, step.window_state_names = check_names(what, checked, settings.window.merging)
    step.parallelism, step.on_error = checked.parallelism, checked.on_error
    checked.parallelism, checked.on_error = nil, nil
    checked.state, checked.window_state = state_table.copy(checked.state), state_table.copy(checked.window_state)
    step.definition = checked
  end
  step.pane_states = pane_states(step)
  step.callbacks = callbacks_of(step, fn, callbacks or {})
  return step
end

--- What a window has before its author says more.
---@param window WindowAssigner
---@return WindowSettings
function M.settings(window)
  return { window = window, trigger = trigger.of_window(window), evictor = window.evictor, lateness = 0 }
end

--- A trigger for a window, or an error at the author's line (S29c).
---@param what string
---@param window WindowAssigner
---@param value any
---@return Trigger
function M.check_trigger(what, window, value)
  local checked = trigger.check(what, value)
  local reason = window.merging and trigger.unmergeable(checked)
  if reason then where.raise("%s: a trigger of windows that merge must be mergeable, but %s", what, reason) end
  return checked
end

return M
