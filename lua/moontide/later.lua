--- Names that belong to later versions: whoever asks for one is told so, and not that it is unknown.
local M = {}

-- A line for each name: what it is, and who would have it ("mt", or a constructor whose option it is).
local names = {
  kafka = { of = "^mt$", text = "the connector to Kafka" },
  ttl = { of = "^mt%.[%a_]+_state$", text = "state with a time to live" },
}

--- What a name will be, as a message says it; nil: it is none of a later version.
---@param of string who is asked for it: "mt", "mt.value_state"
---@param name any
---@return string?
function M.text(of, name)
  local entry = names[name]
  return entry and of:find(entry.of) and entry.text .. " is not available in this version" or nil
end

return M
