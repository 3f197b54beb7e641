-- Collects the <cdef> blocks of the engine's headers, in floor order, into the
-- text that ffi.cdef gets. usage: luajit scripts/cdef.lua > cdef.txt
local floors = { "base", "codec", "state", "time", "dataflow", "checkpoint", "connectors", "script", "service", "cli" }

-- Headers that must come before the others of their floor.
local first = { base = { "slice.h", "arena.h" }, codec = { "cell.h" } }

local M = {}

local function headers(root, floor)
  local list, seen = {}, {}
  for _, name in ipairs(first[floor] or {}) do
    list[#list + 1] = root .. "/engine/" .. floor .. "/" .. name
    seen[list[#list]] = true
  end
  local pipe = assert(io.popen("find '" .. root .. "/engine/" .. floor .. "' -name '*.h' | LC_ALL=C sort"))
  for path in pipe:lines() do
    if not seen[path] then list[#list + 1] = path end
  end
  pipe:close()
  return list
end

function M.collect(root)
  local out = {}
  for _, floor in ipairs(floors) do
    for _, path in ipairs(headers(root, floor)) do
      local file = assert(io.open(path))
      local text = file:read("*a")
      file:close()
      for block in text:gmatch("/%* <cdef> %*/\n(.-)/%* </cdef> %*/") do
        out[#out + 1] = "/* " .. path:sub(#root + 2) .. " */\n" .. block
      end
    end
  end
  return table.concat(out)
end

if arg and arg[0] and arg[0]:match("cdef%.lua$") then
  io.write(M.collect((arg[1] or ".")))
end
return M
