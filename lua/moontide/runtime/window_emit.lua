--- What a window step does as a window fires: its contents go to the function, or
--- out. Generated so that each step has byte code of its own.
local C = require "moontide.engine"
local aggregates = require "moontide.aggregates"
local blame = require "moontide.runtime.blame"
local describe = require "moontide.describe"
local generate = require "moontide.runtime.generate"
local limits = require "moontide.runtime.table_limits"

-- What the window at hand holds, as `content`; nothing is emitted for an empty one (S26).
local fold = [[
  local content = kept:value()
  if content == nil then return end
]]
local list = [[
  local content = kept:get()
  if #content == 0 then return end
]]
local sides = [[
  local lefts, rights = kept:get(), kept_right:get()
  if #lefts == 0 and #rights == 0 then return end
]]
local evicting = [[
  local elements = kept:get()
  if #elements == 0 then return end
  local window = window_of(pane)
  elements = evict_before(elements, window)
  local CONTENT = content_of(elements)
]]
local result = "  content = result(content)\n  if content == nil then return end\n"
local result_of_kept = "  if content ~= nil then content = result(content) end\n"

local into = {
  out = "  out:collect(content)\n",
  fn = "  fn(self, record:current_key(), window_of(pane), content, ctx, out)\n",
  groups = "  fn(record:current_key(), lefts, rights, out)\n",
  -- One loop, and of some rounds at least: runtime/decoders.lua says why.
  pairs = [[
  local width, left, right = #rights, 1, 0
  local count = #lefts * width
  for round = 1, max(count, rounds_min) do
    if round <= count then
      right = right + 1
      if right > width then left, right = left + 1, 1 end
      local result = fn(lefts[left], rights[right])
      if result ~= nil then out:collect(result) end
    end
  end
]],
  -- Fields are given by name so that the table has one shape.
  field = [[
  local window = window_of(pane)
  out:collect { key = record:current_key(), window_start = window.start, window_end = window["end"], FIELDS }
]],
}

-- Elements that the evictor left none of are nothing to emit, but for what says what it is of no elements.
local function evicting_source(step, target)
  local kind, emit = step.contents.kind, into[target]
  if kind == "fold" then emit = (step.contents.result and result_of_kept or "") .. "  if content ~= nil then\n" .. emit .. "  end\n" end
  return evicting:gsub("CONTENT", kind == "sides" and "lefts, rights" or "content") .. emit .. "  evict_after(elements, window)\n"
end

-- The fields of an emitted record that say what the window came to.
local function fields_text(contents)
  if contents.field then return contents.field .. " = content" end
  return contents.fields and aggregates.result_text(contents.fields):gsub("acc%.", "content.") or ""
end

local function target_of(step)
  local contents = step.contents
  if contents.kind == "sides" then return contents.paired and "pairs" or "groups" end
  return step.definition.process and "fn" or (contents.field or contents.fields) and "field" or "out"
end

local kept = { fold = fold, list = list, sides = sides }

local function source_of(step)
  local target, contents, body = target_of(step), step.contents, nil
  if step.evictor then
    body = evicting_source(step, target)
  else
    body = kept[contents.kind] .. (contents.result and result or "") .. into[target]
  end
  return [[
local call, C, kept, kept_right, result, out, fn, self, ctx, record, window_of, evict_before, evict_after, content_of, max, rounds_min = ...
return function(pane)
  call.out_time = C.call_window_max_timestamp(call, pane)
]] .. body:gsub("FIELDS", function() return (fields_text(contents)) end) .. "end"
end

local no_list = "'%s' of the evictor must answer the list of the elements to keep, got %s"
local no_element = "'%s' of the evictor must answer elements that it was given, { value =, timestamp = }, got %s at place %d"

local function evicted(evictor, what, elements, window, clock)
  local evict = evictor[what]
  local kept = evict(elements, window, clock)
  if not evictor.own then return kept end
  if type(kept) ~= "table" then blame.raise(evict, what, no_list, what, describe(kept)) end
  for i = 1, #kept do
    local element = kept[i]
    if type(element) ~= "table" or element.value == nil then blame.raise(evict, what, no_element, what, describe(element), i) end
  end
  return kept
end

-- What stays is the window's contents from then on (S30).
local function evictors(step, kept, clock)
  local evictor = step.evictor
  if not evictor then return nil, nil end
  return function(elements, window)
    return evictor.before and evicted(evictor, "before", elements, window, clock) or elements
  end, function(elements, window)
    if evictor.after then elements = evicted(evictor, "after", elements, window, clock) end
    kept:update(elements)
  end
end

local function values_of(elements)
  local list_of_values = {}
  for i, element in ipairs(elements) do list_of_values[i] = element.value end
  return list_of_values
end

-- Of elements that have a side.
local function parted(elements)
  local lefts, rights = {}, {}
  for _, element in ipairs(elements) do
    local value = element.value
    if value.left ~= nil then lefts[#lefts + 1] = value.left else rights[#rights + 1] = value.right end
  end
  return lefts, rights
end

local function folder(contents)
  return function(elements)
    local value
    for i, element in ipairs(elements) do
      if i == 1 then value = contents.first(element.value) else value = contents.add(value, element.value) end
    end
    if value == nil and contents.empty then value = contents.empty() end
    return value
  end
end

local function content_function(contents)
  if contents.kind == "sides" then return parted end
  return contents.kind == "list" and values_of or folder(contents)
end

--- The function that emits the window of a pane, which `panes.index` is at.
---@param call ffi.cdata* struct call
---@param operator Operator
---@param bound { kept: table, kept_right: table?, out: Collector, self: table, ctx: WindowContext, clock: ClockContext, record: Context, window_of: function }
---@return fun(pane: integer)
return function(call, operator, bound)
  local step = operator.step
  local contents = step.contents
  local evict_before, evict_after = evictors(step, bound.kept, bound.clock)
  return generate(source_of(step), "=windows of " .. operator.name, call, C, bound.kept, bound.kept_right, contents.result, bound.out,
    step.definition.process, bound.self, bound.ctx, bound.record, bound.window_of, evict_before, evict_after, content_function(contents),
    math.max, limits.rounds_min)
end
