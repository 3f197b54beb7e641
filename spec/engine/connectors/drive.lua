-- Drives sources and sinks through their tables of functions, as the engine does.
local C = require "support.engine"
local ffi = require "ffi"

local M = {}

M.TIME_NONE = ffi.cast("int64_t", bit.lshift(1LL, 63))
M.MORE, M.IDLE, M.END = 1, 2, 3

-- What C calls back must not be called from a compiled trace.
jit.off(true, true)

function M.message()
  return ffi.string(C.error_message())
end

function M.check(status)
  if status < 0 then error(M.message(), 2) end
  return status
end

local function knows(specs, name)
  while specs ~= nil and specs.name ~= nil do
    if ffi.string(specs.name) == name then return true end
    specs = specs + 1
  end
  return false
end

local function each_value(value, set)
  if type(value) ~= "table" then return set(nil, value) end
  for i, element in ipairs(value) do set(nil, element) end
  for key, element in pairs(value) do
    if type(key) == "string" then set(key, element) end
  end
end

local function text_of(value)
  return (tostring(value):gsub("U?LL$", ""))
end

--- struct options of a connector and its format, filled from a table.
function M.options(vtab, format, given)
  local options = ffi.gc(C.options_new(), C.options_free)
  for name, value in pairs(given) do
    local specs = knows(vtab.options, name) and vtab.options or format ~= nil and format.options or vtab.options
    each_value(value, function(key, element)
      M.check(C.options_set(options, specs, name, key, text_of(element)))
    end)
  end
  M.check(C.options_complete(options, vtab.options))
  if format ~= nil then M.check(C.options_complete(options, format.options)) end
  return options
end

function M.format(name)
  if not name then return nil end
  local format = C.format_find(name)
  assert(format ~= nil, "no format " .. name)
  return format
end

function M.bytes_of(buffer)
  return buffer.data == nil and "" or ffi.string(buffer.data, buffer.bytes)
end

local function new_buffer()
  return ffi.gc(ffi.new "struct buffer", C.buffer_deinit)
end
M.buffer = new_buffer

function M.slice(text)
  return ffi.new("struct slice", text, #text)
end

--- The Lua value of a cell; numbers beyond 2^53 as cdata, rows as tables, nested values as their bytes.
function M.value(cell, bytes)
  local tag = cell.tag
  if tag == 4 then return cell.number end
  if tag == 5 then return cell.integer end
  if tag == 6 then return cell.natural end
  if tag == 2 or tag == 3 then return tag == 3 end
  if tag == 7 then return ffi.string(bytes + cell.offset, cell.length) end
  if tag == 9 then return "packed " .. ffi.string(bytes + cell.offset, cell.length) end
  if tag ~= 8 then return nil end
  local row, shape = {}, C.shape_get(cell.length)
  local cells = ffi.cast("struct cell *", bytes + cell.offset)
  for i = 0, shape.count - 1 do
    row[ffi.string(shape.names[i].data, shape.names[i].bytes)] = M.value(cells[i], bytes)
  end
  return row
end

local Reader = {}
Reader.__index = Reader

--- Poll once: the status, the values and their times.
function Reader:poll()
  local batch = C.batch_take()
  local status = self.vtab.poll(self.handle, batch)
  local values, times = {}, {}
  for i = 0, batch.count - 1 do
    values[i + 1] = M.value(batch.values[i], batch.arena.bytes)
    times[i + 1] = batch.times[i]
  end
  C.batch_drop(batch)
  return status, values, times
end

--- Poll to the end of the split; the values are appended to `all`.
function Reader:drain(all)
  all = all or {}
  while true do
    local status, values = self:poll()
    for _, value in ipairs(values) do all[#all + 1] = value end
    if status < 0 then error(M.message(), 2) end
    if status == M.END then return all end
    assert(status == M.MORE, "idle before the end")
  end
end

function Reader:position()
  local buffer = new_buffer()
  M.check(self.vtab.reader_position(self.handle, buffer))
  return M.bytes_of(buffer)
end

--- Milliseconds, and the descriptor or -1.
function Reader:wait()
  local descriptor = ffi.new("int[1]", -7)
  local ms = self.vtab.reader_wait(self.handle, descriptor)
  return ms, descriptor[0]
end

function Reader:close()
  if self.handle then self.vtab.reader_close(self.handle) end
  self.handle = nil
  if self.callback then self.callback:free() end
  self.callback = nil
end

local Source = {}
Source.__index = Source

--- The names of the splits, and whether more may come.
function Source:splits()
  local buffer = new_buffer()
  local more = M.check(C.source_split_names(self.vtab, self.handle, buffer))
  local names = {}
  for name in M.bytes_of(buffer):gmatch("([^%z]+)%z") do names[#names + 1] = name end
  return names, more == 1
end

--- Open a split. `on_bad(where, code, bytes, message)` is told of bad records and answers 0 to go on; nil fails.
function Source:reader(split, position, on_bad)
  local context = ffi.new "struct reader_context"
  local callback
  if on_bad then
    callback = ffi.cast("int (*)(void *, const char *, const struct decode_error *)", function(_, where, failure)
      local bytes = failure.bytes.data == nil and "" or ffi.string(failure.bytes.data, failure.bytes.bytes)
      return on_bad(ffi.string(where), failure.code, bytes, ffi.string(failure.message))
    end)
    context.bad_record.handle = callback
  end
  local handle = ffi.new "struct reader *[1]"
  local status = self.vtab.reader_open(self.handle, M.slice(split), M.slice(position or ""), context, handle)
  if status < 0 then
    if callback then callback:free() end
    error(M.message(), 2)
  end
  return setmetatable({ vtab = self.vtab, handle = handle[0], callback = callback }, Reader)
end

--- Read all splits that there are now, one after the other.
function Source:read_all(on_bad)
  local all = {}
  for _, split in ipairs((self:splits())) do
    local reader = self:reader(split, nil, on_bad)
    local ok, problem = pcall(reader.drain, reader, all)
    reader:close()
    if not ok then error(problem, 0) end
  end
  return all
end

--- Tell a split of the restored checkpoint.
function Source:restored(split, position)
  M.check(self.vtab.restored(self.handle, M.slice(split), M.slice(position or "")))
end

function Source:close()
  if self.handle then self.vtab.close(self.handle) end
  self.handle = nil
end

--- Open a source: `given` are its options, `format` among them.
function M.source(name, given, parallelism)
  local vtab = C.source_find(name)
  assert(vtab ~= nil, "no source " .. name)
  local own = {}
  for key, value in pairs(given) do own[key] = value end
  own.format = nil
  local format = M.format(given.format)
  local options = M.options(vtab, format, own)
  local context = ffi.new("struct source_context", { "spec", parallelism or 1 })
  local handle = ffi.new "struct source *[1]"
  M.check(vtab.open(handle, options, format, context))
  return setmetatable({ vtab = vtab, handle = handle[0] }, Source)
end

local Sink = {}
Sink.__index = Sink

local function put_cell(batch, cell, value)
  if type(value) == "number" then
    cell.tag, cell.number = 4, value
  elseif type(value) == "boolean" then
    cell.tag = value and 3 or 2
  elseif type(value) == "string" then
    cell.tag, cell.length = 7, #value
    C.arena_grow(batch.arena, #value)
    ffi.copy(batch.arena.bytes + batch.arena.used, value, #value)
    cell.offset = batch.arena.used
    batch.arena.used = batch.arena.used + #value
  elseif type(value) == "table" then
    local names = {}
    for field in pairs(value) do names[#names + 1] = field end
    table.sort(names)
    local slices = ffi.new("struct slice[?]", #names)
    for i, field in ipairs(names) do slices[i - 1].data, slices[i - 1].bytes = field, #field end
    local fields = ffi.new("struct cell[?]", #names)
    for i, field in ipairs(names) do put_cell(batch, fields[i - 1], value[field]) end
    C.arena_grow(batch.arena, #names * 16 + 8)
    local offset = math.floor((tonumber(batch.arena.used) + 7) / 8) * 8
    ffi.copy(batch.arena.bytes + offset, fields, #names * 16)
    batch.arena.used = offset + #names * 16
    cell.tag, cell.length, cell.offset = 8, C.shape_intern(slices, #names), offset
  else
    error("cannot put a " .. type(value))
  end
end

--- A batch of Lua values, dropped by the collector.
function M.batch(values)
  local batch = ffi.gc(C.batch_take(), C.batch_drop)
  for i, value in ipairs(values) do
    put_cell(batch, batch.values[i - 1], value)
    batch.times[i - 1] = M.TIME_NONE
    batch.count = i
  end
  return batch
end

--- Write Lua values, at most 1024; status and index of the failed one (from 0).
function Sink:write(values, from)
  local failed = ffi.new("int32_t[1]", -7)
  local batch = M.batch(values)
  local status = self.vtab.write(self.handle, batch, from or 0, #values, failed)
  return status, failed[0]
end

--- The committable.
function Sink:prepare(checkpoint, final)
  local buffer = new_buffer()
  M.check(self.vtab.prepare(self.handle, checkpoint, final and 1 or 0, buffer))
  return M.bytes_of(buffer)
end

function Sink:commit(checkpoint)
  M.check(self.vtab.commit(self.handle, checkpoint))
end

--- Records and bytes.
function Sink:counts()
  local records, bytes = ffi.new "uint64_t[1]", ffi.new "uint64_t[1]"
  self.vtab.counts(self.handle, records, bytes)
  return tonumber(records[0]), tonumber(bytes[0])
end

function Sink:close()
  if self.handle then self.vtab.close(self.handle) end
  self.handle = nil
end

local function sink_parts(name, given, context)
  local vtab = C.sink_find(name)
  assert(vtab ~= nil, "no sink " .. name)
  local own = {}
  for key, value in pairs(given) do own[key] = value end
  own.format = nil
  local format = M.format(given.format)
  local c_context = ffi.new("struct sink_context", {
    context.step_name or "out", context.data or ".", context.run_id or 1, context.subtask or 0, context.parallelism or 1,
  })
  return vtab, M.options(vtab, format, own), format, c_context
end

--- What happens once before the subtasks open. `committables` is a list of strings; none: a fresh start.
function M.recover(name, given, context, committables, older)
  local vtab, options, format, c_context = sink_parts(name, given, context)
  committables = committables or {}
  local slices = ffi.new("struct slice[?]", math.max(1, #committables))
  for i, text in ipairs(committables) do slices[i - 1].data, slices[i - 1].bytes = text, #text end
  local status = vtab.recover(options, format, c_context, slices, #committables, older or false)
  return status
end

function M.sink(name, given, context)
  local vtab, options, format, c_context = sink_parts(name, given, context or {})
  local handle = ffi.new "struct sink *[1]"
  M.check(vtab.open(handle, options, format, c_context))
  return setmetatable({ vtab = vtab, handle = handle[0], anchor = c_context }, Sink)
end

return M
