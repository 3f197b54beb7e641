-- Drives a format's decoder and encoder as a connector does.
local ffi = require "ffi"
local C = require "support.engine"
local codec = require "support.codec"

local M = {}

local PADDING = 64

local function options_of(vtab, given)
  local options = ffi.gc(C.options_new(), C.options_free)
  for name, value in pairs(given or {}) do
    if type(value) == "table" then
      for key, element in pairs(value) do
        assert(C.options_set(options, vtab.options, name, type(key) == "string" and key or nil, element) == 0, ffi.string(C.error_message()))
      end
    else
      assert(C.options_set(options, vtab.options, name, nil, tostring(value)) == 0, ffi.string(C.error_message()))
    end
  end
  return options
end

-- Memory of `text` and the padding that decoders may read, and not a byte more. The padding looks like input.
local function padded(text)
  local memory = ffi.gc(ffi.cast("char *", ffi.C.malloc(#text + PADDING)), ffi.C.free)
  ffi.copy(memory, text, #text)
  ffi.fill(memory + #text, PADDING, ("7"):byte())
  return memory
end

-- Each record as JSON if it can be, else as "msgpack:" and its bytes.
local out = ffi.new "struct buffer"
local function text_of(cell, bytes)
  out.bytes = 0
  if C.json_write_cell(out, cell, bytes) == 0 then return codec.text_of(out) end
  C.msgpack_write_cell(out, cell, bytes)
  return "msgpack:" .. codec.text_of(out)
end

local Decoder = {}
Decoder.__index = Decoder

function M.decoder(name, given)
  local vtab = C.format_find(name)
  local opened = ffi.new "struct decoder *[1]"
  local self = setmetatable({ vtab = vtab, options = options_of(vtab, given), rest = "", input = ffi.new "struct decode_input",
    records = {}, errors = {}, batch = ffi.new "struct batch *[1]" }, Decoder)
  if vtab.decoder_open(self.options, opened) < 0 then return nil, ffi.string(C.error_message()) end
  self.handle = opened[0]
  assert(vtab.decoder_begin_file(self.handle, self.input) == 0)
  return self
end

-- Give it more bytes; all records that are whole are taken.
function Decoder:feed(text, at_end)
  text = self.rest .. text
  local memory, input, err = padded(text), self.input, ffi.new "struct decode_error"
  input.bytes.data, input.bytes.bytes, input.at_end = memory, #text, at_end or false
  local batch = C.batch_take()
  repeat
    C.batch_clear(batch)
    local status = self.vtab.decode(self.handle, input, batch, err)
    for i = 0, batch.count - 1 do
      assert(batch.times[i] == -2LL ^ 63)
      self.records[#self.records + 1] = text_of(batch.values[i], batch.arena.bytes)
    end
    if status < 0 then
      assert(err.code == status)
      self.errors[#self.errors + 1] = { line = tonumber(err.line), message = ffi.string(err.message), code = status,
        bytes = ffi.string(err.bytes.data, err.bytes.bytes) }
    end
  until status == 0 and batch.count == 0
  C.batch_drop(batch)
  self.rest = ffi.string(input.bytes.data, input.bytes.bytes)
end

function Decoder:close()
  self.vtab.decoder_close(self.handle)
end

-- All of `text` at once: the records' texts and the errors.
function M.decode(name, text, given)
  local decoder = assert(M.decoder(name, given))
  decoder:feed(text, true)
  decoder:close()
  assert(decoder.rest == "", "bytes are left: " .. decoder.rest)
  assert(tonumber(decoder.input.records) == #decoder.records + #decoder.errors, "the count of records is wrong")
  return decoder.records, decoder.errors
end

-- The same in pieces of random sizes.
function M.decode_torn(name, text, random, given)
  local decoder, at = assert(M.decoder(name, given)), 1
  while at <= #text do
    local size = random:below(random:below(3) == 0 and 200 or 8) + 1
    decoder:feed(text:sub(at, at + size - 1), false)
    at = at + size
  end
  decoder:feed("", true)
  decoder:close()
  assert(decoder.rest == "", "bytes are left: " .. decoder.rest)
  return decoder.records, decoder.errors
end

-- A batch of cells that are given as JSON, or as cells and the base of their offsets.
function M.batch(list)
  local batch = ffi.gc(C.batch_take(), C.batch_drop)
  for i, value in ipairs(list) do
    if type(value) == "string" then
      assert(C.json_read(codec.slice(value), batch.arena, batch.values + i - 1) == 0, value)
    else
      batch.values[i - 1] = value
    end
    batch.count = i
  end
  return batch
end

-- What the format writes for a batch, and if it fails the message and the index of the record.
function M.encode(name, batch, given)
  local vtab = C.format_find(name)
  local opened, written, failed = ffi.new "struct encoder *[1]", ffi.new "struct buffer", ffi.new "int32_t[1]"
  local options = options_of(vtab, given)
  assert(vtab.encoder_open(options, opened) == 0, ffi.string(C.error_message()))
  local status = 0
  if vtab.encode_begin_file ~= nil then status = vtab.encode_begin_file(opened[0], batch, written) end
  if status == 0 then status = vtab.encode(opened[0], batch, 0, batch.count, written, failed) end
  local message = status < 0 and ffi.string(C.error_message()) or nil
  local text = written.data ~= nil and codec.text_of(written) or ""
  vtab.encoder_close(opened[0])
  C.buffer_deinit(written)
  return text, message, failed[0]
end

return M
