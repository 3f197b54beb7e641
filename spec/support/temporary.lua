-- Folders and files of one test.
local M = {}

--- A new one, inside `parent` if there is one.
function M.folder(parent)
  local pipe = assert(io.popen(parent and ("mktemp -d -p '%s'"):format(parent) or "mktemp -d"))
  local path = assert(pipe:read "*l")
  pipe:close()
  return path
end

function M.remove(path)
  assert(path:find "^/.+/tmp%." or path:find "^/tmp/", path)
  os.execute("rm -rf '" .. path .. "'")
end

function M.write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

function M.append(path, text)
  local file = assert(io.open(path, "ab"))
  file:write(text)
  file:close()
end

--- The content, or nil where there is no such file.
function M.read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read "*a"
  file:close()
  return text
end

--- Sorted names in a folder, hidden ones too.
function M.names(path)
  local names = {}
  local pipe = assert(io.popen("ls -A '" .. path .. "' | LC_ALL=C sort"))
  for name in pipe:lines() do names[#names + 1] = name end
  pipe:close()
  return names
end

return M
