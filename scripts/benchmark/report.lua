--- Rows on the terminal: a table, or one JSON object each.
local M = {}

local columns = {
  { "name", "%-26s", 26 }, { "records", "%12.0f", 12 }, { "seconds", "%7.2f", 7 }, { "records_per_second", "%12.0f", 12, "records/s" },
  { "ns_per_record", "%9.1f", 9, "ns/record" }, { "floor_ns_per_record", "%9.1f", 9, "floor ns" }, { "ratio", "%6.2f", 6 },
  { "cpu_seconds", "%6.2f", 6, "cpu s" }, { "cpu_ns_per_record", "%7.1f", 7, "cpu ns" },
  { "rss_mb", "%7.1f", 7, "rss MB" }, { "bytes_written", "%8.1f", 8, "written MB", 2 ^ 20 },
  { "checkpoints", "%5.0f", 5, "chkp" },
}

-- In this order; what a row has beside them follows by name.
local json_names = { "name", "records", "seconds", "records_per_second", "ns_per_record", "floor_ns_per_record", "ratio", "cpu_seconds",
  "rss_mb", "bytes_written", "checkpoints", "target", "ok" }

local function json_text(text)
  return '"' .. text:gsub('[%c"\\]', function(c) return ("\\u%04x"):format(c:byte()) end) .. '"'
end

local function json_value(value)
  if type(value) == "number" then return value == value and math.abs(value) < math.huge and ("%.10g"):format(value) or "null" end
  return type(value) == "string" and json_text(value) or tostring(value)
end

local function json_line(result)
  local parts, told = {}, { score = true }
  local function tell(name)
    if result[name] ~= nil and not told[name] then parts[#parts + 1] = json_text(name) .. ":" .. json_value(result[name]) end
    told[name] = true
  end
  for _, name in ipairs(json_names) do tell(name) end
  local others = {}
  for name in pairs(result) do others[#others + 1] = name end
  table.sort(others)
  for _, name in ipairs(others) do tell(name) end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function table_line(result)
  local parts = {}
  for _, column in ipairs(columns) do
    local name, format, width, unit = column[1], column[2], column[3], column[5] or 1
    local value = result[name]
    if type(value) == "number" then value = format:format(value / unit) end
    parts[#parts + 1] = value and (name == "name" and format:format(value) or value) or (" "):rep(width - 1) .. "-"
  end
  return table.concat(parts, " ")
end

local function headings()
  local parts = {}
  for i, column in ipairs(columns) do
    local text, width = column[4] or column[1], math.max(column[3], 1)
    parts[#parts + 1] = i == 1 and ("%-" .. width .. "s"):format(text) or ("%" .. width .. "s"):format(text)
  end
  return table.concat(parts, " ") .. "  target"
end

function M.begin(given)
  if not given.json then print(headings()) end
end

function M.row(given, result)
  if given.json then
    print(json_line(result))
  elseif result.failure then
    print(("%-26s FAILED: %s"):format(result.name, result.failure))
  else
    print(table_line(result) .. "  " .. (result.ok and "ok    " or "SHORT ") .. result.target)
    if result.note then print((" "):rep(27) .. result.note) end
  end
  io.stdout:flush()
end

function M.finish(given)
  if given.json then return end
  local load = io.open "/proc/loadavg"
  if load then
    print("load of the machine: " .. load:read "*l":match "^%S+ %S+ %S+")
    load:close()
  end
end

return M
