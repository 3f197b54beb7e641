-- Writes engine/script/embed.h's table as C: every file below lua/ and the
-- declarations for ffi.cdef. usage: luajit scripts/embed.lua ROOT OUTPUT.c
local root, target = arg[1], arg[2]
package.path = root .. "/scripts/?.lua;" .. package.path
local collect = require("cdef").collect

local function bytes_of(text)
  local out, line = {}, {}
  for i = 1, #text do
    line[#line + 1] = text:byte(i)
    if #line == 32 then out[#out + 1] = table.concat(line, ",") line = {} end
  end
  line[#line + 1] = "0"
  out[#out + 1] = table.concat(line, ",")
  return table.concat(out, ",\n")
end

local function module_name(path)
  return (path:sub(#root + 6):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
end

local file = assert(io.open(target, "w"))
file:write('#include "script/embed.h"\n\n')
local entries = {}
local pipe = assert(io.popen("find '" .. root .. "/lua' -name '*.lua' | LC_ALL=C sort"))
for path in pipe:lines() do
  local source = assert(io.open(path))
  local text = source:read("*a")
  source:close()
  local id = "file_" .. #entries
  file:write("static const char ", id, "[] = {\n", bytes_of(text), "};\n")
  entries[#entries + 1] = ('    { "%s", %s, sizeof %s - 1 },\n'):format(module_name(path), id, id)
end
pipe:close()
file:write("const struct embedded_module embedded_modules[] = {\n", table.concat(entries), "    { 0, 0, 0 },\n};\n\n")
file:write("static const char declarations[] = {\n", bytes_of(collect(root)), "};\n")
file:write("const char *moontide_declarations(void)\n{\n    return declarations;\n}\n")
file:close()
