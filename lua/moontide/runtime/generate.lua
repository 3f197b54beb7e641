--- Code made from text: each time with byte code of its own, so that traces through it hold what it is bound to as
--- constants. Parsing takes twenty times as long as copying what was parsed; it is done once for each text.
local kept_max = 256

local kept, count = {}, 0

local function keep(text, name, chunk)
  if count == kept_max then kept, count = {}, 0 end
  kept[text], count = kept[text] or {}, count + 1
  kept[text][name] = string.dump(chunk)
end

--- Run a text as a chunk of its own.
---@param text string
---@param name string as of loadstring()
---@param ... any what the chunk gets
---@return any ... what it answers
return function(text, name, ...)
  local code = kept[text] and kept[text][name]
  if code then return loadstring(code, name)(...) end
  local chunk = assert(loadstring(text, name))
  keep(text, name, chunk)
  return chunk(...)
end
