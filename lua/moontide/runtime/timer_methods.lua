--- The methods that register and delete timers of both domains, as text for a class
--- that is loaded from text: each is a function of its own, as traces want it.
local domains = { event = 0, processing = 1 }

local method = [[
function CLASS:VERB_DOMAIN_time_timer(timestamp)
  GUARD
  local status = C.FUNCTION(ARGUMENTS, NUMBER, to_engine(timestamp))
  if status < 0 then check(status) end
end
]]

--- `functions`: of the engine, by verb ("register", "delete"); `arguments`: the first ones of these; `guard`: what is done before.
---@param class string the name that the class has in the text
---@param functions table<string, string>
---@param arguments string
---@param guard? string
---@return string
return function(class, functions, arguments, guard)
  local parts = {}
  for verb, name in pairs(functions) do
    for domain, number in pairs(domains) do
      local words = { CLASS = class, VERB = verb, DOMAIN = domain, GUARD = guard or "", FUNCTION = name, ARGUMENTS = arguments, NUMBER = tostring(number) }
      parts[#parts + 1] = method:gsub("%u%u+", words)
    end
  end
  return table.concat(parts, "\n")
end
