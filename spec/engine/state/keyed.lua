-- A keyed state driven as a step drives it, for the specs of this folder: keys by the
-- batch, states through the handles that user code gets, what is swept kept as strings.
local ffi = require "ffi"
local C = require "support.engine"
local bind = {
  value = require "moontide.runtime.value_state",
  derived = require "moontide.runtime.value_state",
  map = require "moontide.runtime.map_state",
  list = require "moontide.runtime.list_state",
}
local encoding = require "moontide.runtime.encode"

local M = { C = C }

M.kinds = { value = 0, map = 1, list = 2, derived = 4 }
M.max_parallelism = 128
M.seed = tonumber(os.getenv "SEED") or os.time()

local function check(status)
  if status < 0 then error(ffi.string(C.error_message()), 2) end
  return status
end
M.check = check

--- The keys first, first + 1, ...: `count` of them.
function M.keys_from(first, count)
  local list = {}
  for i = 1, count do list[i] = first + i - 1 end
  return list
end

--- The budget and, with a directory, the store below it. Tables from `walked_places` on are walked by another thread.
function M.backend(memory_bytes, directory, walked_places)
  local config = ffi.new("struct backend_config", { memory_bytes = memory_bytes, walked_places = walked_places or 0 })
  if directory then config.directory = directory end
  return C.backend_new(config)
end

local Keyed = {}
Keyed.__index = Keyed

-- Buffers come while C runs, so whatever may hand one over is never compiled.
local function take_into(self)
  return function(_, buffer)
    local rows = ffi.string(buffer.rows.data, buffer.rows.bytes)
    local into = buffer.dump and self.dump or self.delta
    into[#into + 1] = { epoch = tonumber(buffer.epoch), rows = rows }
    C.state_buffer_free(buffer)
  end
end

---@param options table states = { { "name", "value" | "map" | "list" } ... }, backend, groups, epoch, undo, column (those of maps and lists follow it by 10), name_spaces
function M.new(options)
  local self = setmetatable({ delta = {}, dump = {}, options = options }, Keyed)
  local config = ffi.new("struct keyed_state_config", {
    column = options.column or 1, name_spaces = options.name_spaces or false, states = #options.states, max_parallelism = M.max_parallelism, epoch = options.epoch or 1,
    subtask = options.subtask or 0, undo = options.undo or false, backend = options.backend,
  })
  local groups = options.groups or { 0, M.max_parallelism - 1 }
  config.group_first, config.group_last = groups[1], groups[2]
  for i, state in ipairs(options.states) do
    config.state[i - 1].id, config.state[i - 1].kind = config.column + 9 + i, M.kinds[state[2]]
  end
  self.take = ffi.cast("void (*)(void *, struct state_buffer *)", take_into(self))
  config.output.take = self.take
  self.handle = C.keyed_state_new(config)
  self.entries = ffi.new("struct entry *[1024]")
  self.call = {
    state = self.handle, view = C.keyed_state_view(self.handle), index = 0, entries = nil,
    scratch = ffi.new("struct arena"), cell = ffi.new("struct cell"),
  }
  for i, state in ipairs(options.states) do
    self[state[1]] = bind[state[2]](self.call, i - 1, { default = state.default }, { plain_writes = not options.undo })
  end
  self.batch, self.key_place = C.batch_take(), encoding.place()
  return self
end

function Keyed:free()
  C.batch_drop(self.batch)
  C.arena_deinit(self.call.scratch)
  C.keyed_state_free(self.handle)
  self.take:free()
end

local function set_key(self, index, key)
  if type(key) == "number" then return check(C.batch_key_set_number(self.batch, index, key)) end
  if type(key) == "string" then return check(C.batch_key_set_string(self.batch, index, key, #key)) end
  local call = self.call
  call.scratch.used = 0
  encoding.encode(call.scratch, call.cell, key, self.key_place)
  return check(C.batch_key_set_cell(self.batch, index, call.cell, call.scratch.bytes))
end

--- A batch with these keys (at most 1024); then at(i) makes the i-th the current one.
function Keyed:resolve(keys)
  C.batch_clear(self.batch)
  for i, key in ipairs(keys) do set_key(self, i - 1, key) end
  self.batch.count = #keys
  check(C.keyed_state_resolve(self.handle, self.batch, self.entries))
  self.call.entries = self.entries
  return self
end
jit.off(Keyed.resolve, true)

function Keyed:at(index)
  self.call.index = index - 1
  return self
end

--- One key, current at once.
function Keyed:key(key) return self:resolve({ key }):at(1) end

function Keyed:group_of(key)
  C.batch_clear(self.batch)
  set_key(self, 0, key)
  return tonumber(self.batch.keys[0].hash % M.max_parallelism)
end

function Keyed:commit() C.keyed_state_commit_record(self.handle) end
function Keyed:undo() C.keyed_state_undo(self.handle) end

function Keyed:freeze(checkpoint) C.keyed_state_freeze(self.handle, checkpoint) end
jit.off(Keyed.freeze, true)

--- Answers whether all is swept.
function Keyed:sweep(count) return C.keyed_state_sweep(self.handle, count or 0xffffffff) end
jit.off(Keyed.sweep, true)

--- Rows of the epoch that ends here.
function Keyed:cut()
  local epoch = self:epoch()
  self:freeze(epoch)
  assert(self:sweep())
  return self:rows_of(epoch)
end

function Keyed:rows_of(epoch)
  local list = {}
  for _, buffer in ipairs(self.delta) do
    if buffer.epoch == epoch then list[#list + 1] = buffer.rows end
  end
  return table.concat(list)
end

function Keyed:epoch() return self.call.view.epoch end

function Keyed:base_begin(into_store)
  if not into_store then self.dump = {} end
  C.keyed_state_base_begin(self.handle, into_store)
end

--- Answers whether the base is done.
function Keyed:base_step(count) return check(C.keyed_state_base_step(self.handle, count or 0xffffffff)) == 1 end
jit.off(Keyed.base_step, true)

--- All of it at once.
function Keyed:dump_rows()
  self:base_begin(false)
  while not self:base_step(1000) do end
  return self:dumped()
end

function Keyed:dumped()
  local list = {}
  for i, buffer in ipairs(self.dump) do list[i] = buffer.rows end
  return table.concat(list)
end

local function slice(text) return ffi.new("struct slice", { text, #text }) end

--- Answers nil and the message where the rows are refused.
function Keyed:restore(list, stored)
  C.keyed_state_restore_begin(self.handle, stored or false)
  for _, rows in ipairs(list) do
    if C.keyed_state_restore_rows(self.handle, slice(rows)) < 0 then return nil, ffi.string(C.error_message()) end
  end
  if C.keyed_state_restore_done(self.handle) < 0 then return nil, ffi.string(C.error_message()) end
  return self
end
jit.off(Keyed.restore, true)

function Keyed:rows() return tonumber(C.keyed_state_rows(self.handle)) end
function Keyed:keys() return tonumber(C.keyed_state_keys(self.handle)) end

--- Entries that a walk through a map of the current key comes by: `number` is that of the state.
function Keyed:chained(number)
  local head = self.call.entries[self.call.index].slots + (number - 1)
  local count, at = 0, ffi.cast("struct entry *", head.payload)
  while at ~= nil do
    count, at = count + 1, ffi.cast("struct entry **", at.slots + 1)[0] -- the second slot of an entry begins with the next one
  end
  return count
end

function Keyed:bytes() return tonumber(C.keyed_state_bytes(self.handle)) end

--- Rows of a delta or base, taken apart: { group, column, key, value (nil: removed) }.
function M.parse(rows)
  local list, at = {}, 1
  local function varint()
    local number, scale = 0, 1
    while true do
      local byte = rows:byte(at)
      at = at + 1
      number = number + byte % 128 * scale
      if byte < 128 then return number end
      scale = scale * 128
    end
  end
  while at <= #rows do
    local bytes = varint()
    local key = rows:sub(at, at + bytes - 1)
    at = at + bytes
    local length, value = varint(), nil
    if length > 0 then
      value = rows:sub(at, at + length - 2)
      at = at + length - 1
    end
    list[#list + 1] = { group = key:byte(1) * 256 + key:byte(2), column = key:byte(3) * 256 + key:byte(4), key = key:sub(5), value = value }
  end
  return list
end

--- The state of a block of specs, over a backend in memory: made anew before each, as `set.state`; freed after it with all
--- that set.open() has made, options as those of M.new().
function M.set(states)
  local set, opened = {}, {}
  function set.open(options)
    options = options or {}
    options.states = options.states or states
    options.backend = set.backend
    opened[#opened + 1] = M.new(options)
    return opened[#opened]
  end
  --- Another state, restored from these rows.
  function set.restored(...) return assert(set.open():restore { ... }) end
  function set.begin()
    opened = {}
    set.backend = M.backend(64 * 2 ^ 20)
    set.state = set.open()
    return set.state
  end
  function set.finish()
    for _, made in ipairs(opened) do made:free() end
    C.backend_free(set.backend)
  end
  return set
end

--- All pairs of an iteration.
function M.pairs_of(iterate)
  local list = {}
  for key, value in iterate do list[#list + 1] = { key, value } end
  return list
end

return M
