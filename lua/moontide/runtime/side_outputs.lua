--- Where `ctx:output(tag, value)` sends: an output for each tag that somebody reads.
local collector = require "moontide.runtime.collector"

local M = {}

--- `ctx:output`, as text for a class `Context` that is loaded from text; M.new() answers its `outputs` and `unread`.
M.method = [[
function Context:output(tag, value, timestamp)
  local output = outputs[tag]
  if output then output:collect(value, timestamp) else unread(tag, value, timestamp) end
end
]]

local function check_tag(tag)
  if type(tag) ~= "string" or tag == "" then error("ctx:output needs a tag (a text), got " .. tostring(tag), 3) end
end

-- What happens to a tag that nobody reads: it is dropped, or under test goes to one output with its tag.
local function unread_by(call, rest_port, default_time)
  if not rest_port then return function(tag) check_tag(tag) end end
  local rest = collector(call, rest_port, nil, default_time)
  return function(tag, value, timestamp)
    check_tag(tag)
    if value == nil then error("nil cannot be a record (mt.null can)", 2) end
    return rest:collect({ tag, value }, timestamp)
  end
end

--- `ports`: the number of the output of each tag that somebody reads; `rest_port`: of all other tags, nil drops them.
---@param call ffi.cdata* struct call
---@param ports table<string, integer>
---@param rest_port integer?
---@param default_time? string of a record without a time of its own: see collector
---@return table<string, Collector> outputs, fun(tag: string, value: any, timestamp: number?) unread
function M.new(call, ports, rest_port, default_time)
  local outputs = {}
  for tag, port in pairs(ports) do outputs[tag] = collector(call, port, nil, default_time) end
  return outputs, unread_by(call, rest_port, default_time)
end

return M
