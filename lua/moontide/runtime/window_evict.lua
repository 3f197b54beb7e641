--- What a window with an evictor does as it fires: drop elements before its function and after it. What stays is the
--- window's contents from then on (S30); where the evictor is not the author's own, as it came.
local blame = require "moontide.runtime.blame"
local describe = require "moontide.describe"
local times = require "moontide.runtime.times"

local no_list = "'%s' of the evictor must answer the list of the elements to keep, got %s"
local no_element = "'%s' of the evictor must answer elements that it was given, { value =, timestamp = }, got %s at place %d"
local no_time = "'%s' of the evictor must answer elements whose timestamp is a whole number of milliseconds within 2^53 or nil, got %s at place %d"

local function is_element(element, has_sides)
  if type(element) ~= "table" or element.value == nil then return false end
  local value = element.value
  return not has_sides or type(value) == "table" and (value.left ~= nil or value.right ~= nil)
end

local function check_answer(step, what, kept)
  local evict, has_sides = step.evictor[what], step.contents.kind == "sides"
  if type(kept) ~= "table" then blame.raise(evict, what, no_list, what, describe(kept)) end
  for i = 1, #kept do
    if not is_element(kept[i], has_sides) then blame.raise(evict, what, no_element, what, describe(kept[i]), i) end
    local timestamp = kept[i].timestamp
    if timestamp ~= nil and not times.is(timestamp) then blame.raise(evict, what, no_time, what, describe(timestamp), i) end
  end
end

-- The evictor's function of this name, which answers what is to stay.
local function evicting(step, what, clock)
  local evictor = step.evictor
  local evict = evictor[what]
  if not evict then return function(elements) return elements end end
  return function(elements, window)
    local kept = evict(elements, window, clock)
    if evictor.own then check_answer(step, what, kept) end
    return kept
  end
end

local function values_of(elements)
  local values = {}
  for i, element in ipairs(elements) do values[i] = element.value end
  return values
end

local function by_functions(step, bound)
  local evictor, elements_of, window_of = step.evictor, bound.elements, bound.window_of
  local evict_before, evict_after = evicting(step, "before", bound.clock), evicting(step, "after", bound.clock)
  local all, elements, window
  return function(pane)
    if elements_of:is_empty() then return nil end
    all, window = elements_of:get(), window_of(pane)
    elements = evict_before(all, window)
    return (values_of(elements))
  end, function()
    elements = evict_after(elements, window)
    if evictor.own then elements_of:update(elements) else elements_of:keep(all, elements) end
    all, elements = nil, nil
  end
end

local function by_count(step, bound)
  local evictor, elements_of = step.evictor, bound.elements
  local last, is_before = evictor.last, evictor.when == "before"
  return function()
    if elements_of:is_empty() then return nil end
    if is_before then elements_of:keep_last(last) end
    return (elements_of:values())
  end, function()
    if not is_before then elements_of:keep_last(last) end
  end
end

--- What to do with the window of the pane at hand, first and last.
---@param step Step
---@param bound { elements: table, clock: ClockContext, window_of: function }
---@return fun(pane: integer): any[]? take the values that the function gets; nil: the window is empty
---@return fun() leave
return function(step, bound)
  if step.evictor.last then return by_count(step, bound) end
  return by_functions(step, bound)
end
