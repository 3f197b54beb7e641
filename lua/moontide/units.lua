--- Durations and sizes: numbers, or texts such as "5s" and "64MB".
local M = {}

local milliseconds = { ms = 1, s = 1000, m = 60000, h = 3600000, d = 86400000 }
local bytes = { KB = 1024, MB = 1024 ^ 2, GB = 1024 ^ 3 }
local whole_max = 2 ^ 53

local function whole(number)
  local rounded = math.floor(number + 0.5)
  -- "1.001s" is 1000.9999999999999 in doubles and yet a whole number of milliseconds.
  if math.abs(number - rounded) > 1e-9 * math.max(1, math.abs(number)) then return nil end
  if rounded > whole_max or rounded < -whole_max then return nil end
  return rounded
end

local function parse(value, units)
  if type(value) == "number" then
    return value == value and math.abs(value) ~= math.huge and whole(value) or nil
  end
  if type(value) ~= "string" then return nil end
  local digits, unit = value:match("^(%-?%d+%.?%d*)(%a+)$")
  if not digits or not units[unit] then return nil end
  return whole(tonumber(digits) * units[unit])
end

--- The milliseconds of a duration, or nil if `value` is none.
---@param value any a whole number of milliseconds, or "250ms", "5s", "10m", "2h", "1d"
---@return number?
function M.duration(value)
  return parse(value, milliseconds)
end

--- The bytes of a size, or nil if `value` is none.
---@param value any a whole number of bytes, or "64KB", "256MB", "2GB"
---@return number?
function M.size(value)
  return parse(value, bytes)
end

local function render(number, units)
  for _, unit in ipairs(units) do
    if number ~= 0 and number % unit[1] == 0 then return ("%d%s"):format(number / unit[1], unit[2]) end
  end
  return ("%d%s"):format(number, units[#units][2])
end

--- A duration as people write it: 600000 is "10m".
---@param ms number
---@return string
function M.duration_text(ms)
  return render(ms, { { 86400000, "d" }, { 3600000, "h" }, { 60000, "m" }, { 1000, "s" }, { 1, "ms" } })
end

--- A size as people write it: 65536 is "64KB".
---@param size number
---@return string
function M.size_text(size)
  return render(size, { { 1024 ^ 3, "GB" }, { 1024 ^ 2, "MB" }, { 1024, "KB" }, { 1, " bytes" } })
end

return M
