-- Checks of the tree that need no taste: floor order, lengths, contracts, who may
-- include what, files that nobody uses, what lies at the top.
-- usage: luajit scripts/tidy.lua [ROOT]   prints FILE:LINE: what, exit status 1 if there is any
local floors = { "base", "codec", "state", "time", "dataflow", "checkpoint", "connectors", "script", "service", "cli" }
local file_lines_max, function_lines_max, line_characters_max = 500, 70, 170

-- Headers of other projects, and the only files that may know them.
local outside = {
  { header = "^lua", files = "^engine/script/" },
  { header = "^lauxlib", files = "^engine/script/" },
  { header = "^rocksdb/", files = "^engine/state/store_rocksdb%.c$" },
  { header = "^simdjson", files = "^engine/codec/json[%w_]*%.cpp$" },
  { header = "^msgpack", files = "^engine/codec/msgpack[%w_]*%.c$" },
}
-- Compilers drop it: see base/fetch.h.
local dropped = { name = "__builtin_prefetch(", file = "engine/base/fetch.h" }
-- Included several times on purpose, each time with another macro.
local repeated = { ["engine/base/error_codes.h"] = true, ["engine/base/crash_points.h"] = true }

local top_level = { engine = true, lua = true, scripts = true, examples = true, spec = true,
  ["CMakeLists.txt"] = true, ["README.md"] = true, LICENSE = true }

local height = {}
for i, floor in ipairs(floors) do height[floor] = i end

local M = {}

--- All files of the tree at `root`: what git knows or would add, or without git what lies there.
function M.files(root)
  local git = ("git -C '%s' ls-files -co --exclude-standard 2>/dev/null"):format(root)
  local find = ("cd '%s' && find . -name .git -prune -o -path './build*' -prune -o -type f -print | sed 's,^./,,'"):format(root)
  for _, command in ipairs { git, find } do
    local list = {}
    local pipe = assert(io.popen(command .. " | LC_ALL=C sort -u"))
    for path in pipe:lines() do list[#list + 1] = path end
    pipe:close()
    if #list > 0 then return list end
  end
  error("no files in " .. root)
end

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end -- removed, but git still lists it
  local text = file:read("*a")
  file:close()
  return text
end

local function each_line(text)
  local number = 0
  return coroutine.wrap(function()
    for line in (text:sub(-1) == "\n" and text or text .. "\n"):gmatch("(.-)\n") do
      number = number + 1
      coroutine.yield(number, line)
    end
  end)
end

local function character_count(line)
  return select(2, line:gsub("[^\128-\191]", ""))
end

local machine_paths = { "/" .. "work/", "/" .. "home/", "/" .. "root/" }

local function check_lines(path, text, report)
  local count = 0
  for number, line in each_line(text) do
    count = number
    if line:find("\t", 1, true) then report(path, number, "a tab") end
    if line:find("[ \r]$") then report(path, number, "trailing blanks") end
    if character_count(line) > line_characters_max then report(path, number, "a line of more than " .. line_characters_max .. " characters") end
    for _, machine_path in ipairs(machine_paths) do
      if line:find(machine_path, 1, true) then report(path, number, "a path of one machine") end
    end
  end
  if count > file_lines_max then report(path, count, "a file of more than " .. file_lines_max .. " lines") end
  if #text > 0 and text:sub(-1) ~= "\n" then report(path, count, "no line end at the end") end
end

local function check_floor_include(path, number, floor, header, exists, report)
  local other = header:match("^([%w_]+)/")
  if not height[other] then
    report(path, number, 'an include not written from engine/: "' .. header .. '"')
  elseif height[other] > height[floor] then
    report(path, number, ('floor %s includes upward: "%s"'):format(floor, header))
  elseif not exists["engine/" .. header] then
    report(path, number, 'no such header: "' .. header .. '"')
  end
end

local function check_includes(path, text, exists, report)
  if not path:find("^engine/") then return end -- programs beside the engine, as the benchmarks' floors, are on no floor
  local floor = path:match("^engine/([%w_]+)/")
  if not height[floor] then return report(path, 1, "not on a floor of engine/") end
  for number, line in each_line(text) do
    local own = line:match('^%s*#%s*include%s*"(.-)"')
    local system = line:match("^%s*#%s*include%s*<(.-)>")
    if path ~= dropped.file and line:find(dropped.name, 1, true) then report(path, number, "fetch_line() of base/fetch.h is what is kept") end
    if own then check_floor_include(path, number, floor, own, exists, report) end
    for _, rule in ipairs(system and outside or {}) do
      if system:find(rule.header) and not path:find(rule.files) then report(path, number, "may not include <" .. system .. ">") end
    end
  end
end

local function check_header(path, text, report)
  if text:sub(1, 2) ~= "/*" then report(path, 1, "a header that does not begin with its contract") end
  if not repeated[path] and not text:find("\n#pragma once\n", 1, true) then report(path, 1, "no #pragma once") end
end

--- Functions of C begin and end with a brace in the first column.
local function check_c_functions(path, text, report)
  local begin
  for number, line in each_line(text) do
    if line == "{" then begin = number end
    if line:sub(1, 1) == "}" and begin then
      if number - begin + 1 > function_lines_max then report(path, begin, ("a function of %d lines"):format(number - begin + 1)) end
      begin = nil
    end
  end
end

--- The words of Lua source outside comments and strings: calls visit(word, position).
local function each_lua_word(text, visit)
  local at = 1
  while at <= #text do
    local level = text:match("^%-%-%[(=*)%[", at) or text:match("^%[(=*)%[", at)
    local quote = text:match("^[\"']", at)
    local word = text:match("^[%a_][%w_]*", at)
    if level then
      at = (select(2, text:find("]" .. level .. "]", at, true)) or #text) + 1
    elseif text:find("^%-%-", at) then
      at = (text:find("\n", at, true) or #text) + 1
    elseif quote then
      at = at + 1
      while at <= #text and text:sub(at, at) ~= quote do at = at + (text:sub(at, at) == "\\" and 2 or 1) end
      at = at + 1
    elseif word then
      visit(word, at)
      at = at + #word
    else
      at = at + 1
    end
  end
end

local function line_of(text, position)
  return select(2, text:sub(1, position):gsub("\n", "")) + 1
end

local opens = { ["function"] = true, ["do"] = true, ["if"] = true, ["repeat"] = true }
local closes = { ["end"] = true, ["until"] = true }

--- Specs nest functions in `describe`; there only the innermost ones are counted.
local function check_lua_functions(path, text, report)
  local open = {}
  each_lua_word(text, function(word, position)
    if opens[word] then
      if word == "function" then for _, block in ipairs(open) do block.nests = true end end
      open[#open + 1] = { word = word, position = position }
    elseif closes[word] then
      local block = table.remove(open)
      if not block then return report(path, line_of(text, position), "an end without a beginning") end
      local begin, last = line_of(text, block.position), line_of(text, position)
      local counted = block.word == "function" and not (block.nests and path:find("^spec/"))
      if counted and last - begin + 1 > function_lines_max then report(path, begin, ("a function of %d lines"):format(last - begin + 1)) end
    end
  end)
  if #open > 0 then report(path, line_of(text, open[#open].position), "a block without an end") end
end

local function module_of(path)
  local name = path:match("^lua/(.+)%.lua$") or path:match("^spec/(support/.+)%.lua$")
  return name and name:gsub("/init$", ""):gsub("/", ".")
end

--- Headers must be included, modules required and scripts named by some other file.
local function check_used(texts, report)
  local everything = {}
  for path, text in pairs(texts) do everything[#everything + 1] = { path = path, text = text } end
  local function named_elsewhere(path, patterns)
    for _, other in ipairs(everything) do
      for _, pattern in ipairs(other.path ~= path and patterns or {}) do
        if other.text:find(pattern, 1, true) then return true end
      end
    end
    return false
  end
  for path, text in pairs(texts) do
    local header, module, script = path:match("^engine/(.+%.h)$"), module_of(path), path:match("^scripts/(.+)%.lua$")
    local patterns = header and { '"' .. header .. '"' } or module and { '"' .. module .. '"', "'" .. module .. "'", path }
      or script and { "scripts/" .. script, '"' .. script:gsub("/", ".") .. '"', '"' .. script:match("[^/]+$") .. '"' }
    -- Files of annotations are read by editors alone.
    local read_by_editors = text:sub(1, 8) == "---@meta"
    if patterns and not read_by_editors and not named_elsewhere(path, patterns) then report(path, 1, "a file that nobody includes, requires or names") end
  end
end

local function is_checked(path)
  return path:find("^engine/") or path:find("^lua/") or path:find("^scripts/") or path:find("^spec/.*%.lua$")
    or path:find("^examples/[^/]+$") or path == "CMakeLists.txt" or path == "README.md" or path:find("^%.[^/]+$") or path:find("^%.ci/")
end

local function check_text(path, text, exists, report)
  check_lines(path, text, report)
  if path:find("^engine/.+%.[ch]$") or path:find("%.cpp$") then
    check_includes(path, text, exists, report)
    check_c_functions(path, text, report)
  end
  if path:find("%.h$") then check_header(path, text, report) end
  if path:find("%.lua$") then check_lua_functions(path, text, report) end
end

--- The offences of the tree at `root` as a list of "file:line: what", in order.
function M.check(root)
  local offences, texts, exists = {}, {}, {}
  local function report(path, line, what)
    offences[#offences + 1] = ("%s:%d: %s"):format(path, line, what)
  end
  local files = M.files(root)
  for _, path in ipairs(files) do
    exists[path] = true
    local top = path:match("^[^/]+")
    if not top_level[top] and top:sub(1, 1) ~= "." then report(path, 1, "does not belong at the top") end
  end
  for _, path in ipairs(files) do
    local text = is_checked(path) and read(root .. "/" .. path)
    if text then
      texts[path] = text
      check_text(path, text, exists, report)
    end
  end
  check_used(texts, report)
  table.sort(offences)
  return offences, #files
end

if arg and arg[0] and arg[0]:match("tidy%.lua$") then
  local offences = M.check(arg[1] or ".")
  for _, offence in ipairs(offences) do print(offence) end
  os.exit(#offences == 0 and 0 or 1)
end
return M
