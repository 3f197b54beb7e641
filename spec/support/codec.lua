-- Cells and random values for the specs of codecs.
local ffi = require "ffi"
local bit = require "bit"

local M = {}

M.tag = { absent = 0, null = 1, ["false"] = 2, ["true"] = 3, number = 4, int64 = 5, uint64 = 6, string = 7, row = 8, packed = 9 }

local function cell(tag, field, value)
  local new = ffi.new "struct cell"
  new.tag = M.tag[tag]
  if field then new[field] = value end
  return new
end

function M.number(value) return cell("number", "number", value) end
function M.int64(value) return cell("int64", "integer", value) end
function M.uint64(value) return cell("uint64", "natural", value) end
function M.bare(tag) return cell(tag) end

-- A slice over a Lua string, which the table keeps alive.
local anchors = setmetatable({}, { __mode = "k" })
function M.slice(text)
  if type(text) == "cdata" then return text end
  local slice = ffi.new("struct slice", ffi.cast("const char *", text), #text)
  anchors[slice] = text
  return slice
end

-- The same in memory of exactly this size, so that a sanitizer sees a read behind it.
function M.exact(text)
  local memory = ffi.gc(ffi.cast("char *", ffi.C.malloc(math.max(#text, 1))), ffi.C.free)
  ffi.copy(memory, text, #text)
  local slice = ffi.new("struct slice", memory, #text)
  anchors[slice] = memory
  return slice
end

function M.text_of(buffer) return ffi.string(buffer.data, buffer.bytes) end

pcall(ffi.cdef, "void *malloc(size_t bytes); void free(void *memory);")

local Random = {}
Random.__index = Random

-- Random values from a seed (xorshift: the same on every machine).
function M.random(seed)
  local self = setmetatable({ state = bit.bxor(bit.tobit(seed), 0x2545f491) }, Random)
  if self.state == 0 then self.state = 1 end
  return self
end

-- 0 .. n - 1
function Random:below(n)
  local x = self.state
  x = bit.bxor(x, bit.lshift(x, 13))
  x = bit.bxor(x, bit.rshift(x, 17))
  x = bit.bxor(x, bit.lshift(x, 5))
  self.state = x
  return (x % 2 ^ 32) % n
end

function Random:bytes(count)
  local list = {}
  for i = 1, count do list[i] = string.char(self:below(256)) end
  return table.concat(list)
end

local bits = ffi.new "union { double number; uint32_t halves[2]; }"

-- A double: small integers, borders, decimals and any bits; never NaN or infinite.
function Random:number()
  local kind = self:below(5)
  if kind == 0 then return self:below(300) - 150 end
  if kind == 1 then return (self:below(2) * 2 - 1) * (2 ^ self:below(64) + self:below(3) - 1) end
  if kind == 2 then return (self:below(2000000) - 1000000) / 10 ^ self:below(8) end
  -- The bits are looked at before LuaJIT sees them as a number: not every NaN is one to it.
  repeat
    bits.halves[0], bits.halves[1] = self:below(2 ^ 32), self:below(2 ^ 32)
  until bit.band(bits.halves[1], 0x7ff00000) ~= 0x7ff00000
  return bits.number
end

local function big_endian(value, count)
  local list = {}
  for i = count, 1, -1 do
    list[i] = string.char(value % 256)
    value = math.floor(value / 256)
  end
  return table.concat(list)
end

-- Bytes of a number in one of the forms that hold it, not always the shortest.
function Random:msgpack_number()
  local forms = { "\204", "\205", "\206", "\207", "\208", "\209", "\210", "\211", "\202", "\203" }
  local widths = { 1, 2, 4, 8, 1, 2, 4, 8, 4, 8 }
  local kind = self:below(12) + 1
  if kind == 11 then return string.char(self:below(128)) end
  if kind == 12 then return string.char(224 + self:below(32)) end
  return forms[kind] .. self:bytes(widths[kind])
end

function Random:msgpack_string(length)
  length = length or self:below(40)
  local text = self:bytes(length)
  local kind = self:below(4)
  if kind == 0 and length < 32 then return string.char(160 + length) .. text end
  if kind == 1 then return "\196" .. big_endian(length, 1) .. text end
  if kind == 2 then return "\217" .. big_endian(length, 1) .. text end
  return "\219" .. big_endian(length, 4) .. text
end

-- One whole msgpack value without repeated keys.
function Random:msgpack(depth)
  depth = depth or 0
  local kind = self:below(depth > 4 and 4 or 7)
  if kind == 0 then return ({ "\192", "\194", "\195" })[self:below(3) + 1] end
  if kind < 3 then return self:msgpack_number() end
  if kind == 3 then return self:msgpack_string() end
  local count, parts = self:below(6), {}
  if kind == 4 then
    for i = 1, count do parts[i] = self:msgpack(depth + 1) end
    return "\220" .. big_endian(count, 2) .. table.concat(parts)
  end
  for i = 1, count do
    local key = kind == 5 and self:msgpack_string(i * 3) or string.char((i * 7 + self:below(7)) % 128)
    parts[i] = key .. self:msgpack(depth + 1)
  end
  return "\223" .. big_endian(count, 4) .. table.concat(parts)
end

function Random:space()
  return ({ "", "", "", " ", "\t", " \r " })[self:below(6) + 1]
end

-- A string of JSON, quoted: plain, escaped and beyond ASCII.
function Random:json_string()
  local pieces, parts = { "a", "Z", "0", " ", "\\n", "\\\"", "\\\\", "\\u0041", "\\ud83d\\ude00", "\195\169", "\226\130\172", "\240\159\152\128", "/", "{", "," }, {}
  for i = 1, self:below(12) do parts[i] = pieces[self:below(#pieces) + 1] end
  return '"' .. table.concat(parts) .. '"'
end

-- The text with one to three of its bytes changed.
function Random:flip(text)
  for _ = 1, self:below(3) + 1 do
    local at = self:below(#text) + 1
    text = text:sub(1, at - 1) .. string.char(self:below(256)) .. text:sub(at + 1)
  end
  return text
end

return M
