--- What a window step does as a window fires: its contents go to the function, or
--- out. Generated so that each step has byte code of its own.
local C = require "moontide.engine"
local aggregates = require "moontide.aggregates"
local generate = require "moontide.runtime.generate"
local limits = require "moontide.runtime.table_limits"
local window_evict = require "moontide.runtime.window_evict"

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
  local values = take(pane)
  if not values then return end
  local CONTENT = content_of(values)
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
  return evicting:gsub("CONTENT", kind == "sides" and "lefts, rights" or "content") .. emit .. "  leave()\n"
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
local call, C, kept, kept_right, result, out, fn, self, ctx, record, window_of, take, leave, content_of, max, rounds_min = ...
return function(pane)
  call.out_time = C.call_window_max_timestamp(call, pane)
]] .. body:gsub("FIELDS", function() return (fields_text(contents)) end) .. "end"
end

-- Of elements that have a side.
local function parted(values)
  local lefts, rights = {}, {}
  for _, value in ipairs(values) do
    if value.left ~= nil then lefts[#lefts + 1] = value.left else rights[#rights + 1] = value.right end
  end
  return lefts, rights
end

local function same(values) return values end

local function folder(contents)
  return function(values)
    local folded
    for i = 1, #values do
      if i == 1 then folded = contents.first(values[i]) else folded = contents.add(folded, values[i]) end
    end
    if folded == nil and contents.empty then folded = contents.empty() end
    return folded
  end
end

local function content_function(contents)
  if contents.kind == "sides" then return parted end
  return contents.kind == "list" and same or folder(contents)
end

--- The function that emits the window of a pane, which `panes.index` is at.
---@param call ffi.cdata* struct call
---@param operator Operator
---@param bound table what the handler has bound
---@return fun(pane: integer)
return function(call, operator, bound)
  local step = operator.step
  local contents, take, leave = step.contents, nil, nil
  if step.evictor then take, leave = window_evict(step, bound) end
  return generate(source_of(step), "=windows of " .. operator.name, call, C, bound.kept, bound.kept_right, contents.result, bound.out,
    step.definition.process, bound.self, bound.ctx, bound.record, bound.window_of, take, leave, content_function(contents), math.max, limits.rounds_min)
end
