-- Scripts as authors write them, loaded under a file name of their own, so that specs can tell at which line an error is reported.
local M = {}

local function load_script(text)
  local chunk = assert(loadstring(text, "@fraud.lua"))
  return setfenv(chunk, setmetatable({ mt = require "moontide" }, { __index = _G }))
end

--- What the script returns; `mt` is there already.
function M.run(text)
  return load_script(text)()
end

--- The error that the script ends with.
function M.failure(text)
  local ok, message = pcall(load_script(text))
  assert(not ok, "no error came from: " .. text)
  return message
end

return M
