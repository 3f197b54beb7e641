-- Timers attached to a keyed state, driven as a step drives them, for the specs of this folder.
local ffi = require "ffi"
local keyed = require "engine.state.keyed"
local C = keyed.C

jit.off(true, true) -- buffers come while C runs

local M = { C = C, fire = 1, gone = 2, stale = 3, max = 0x7fffffffffffffffLL }
M.column = 7

local Timed = {}
Timed.__index = Timed

---@param options table backend, groups, epoch, undo, subtask
function M.new(options)
  local self = setmetatable({ names = {} }, Timed)
  self.state = keyed.new {
    states = { { "count", "value" } }, backend = options.backend, groups = options.groups, epoch = options.epoch, undo = options.undo,
    subtask = options.subtask,
  }
  local groups = options.groups or { 0, keyed.max_parallelism - 1 }
  local config = ffi.new("struct timers_config", {
    column = M.column, subtask = options.subtask or 0, max_parallelism = keyed.max_parallelism, group_first = groups[1], group_last = groups[2],
    epoch = options.epoch or 1, backend = options.backend,
  })
  config.output.take = self.state.take
  self.timers = C.timers_new(config, self.state.handle)
  self.scratch, self.run, self.time = C.batch_take(), C.batch_take(), ffi.new("int64_t[1]")
  return self
end

function Timed:free()
  C.batch_drop(self.scratch)
  C.batch_drop(self.run)
  C.timers_free(self.timers)
  self.state:free()
end

local function slice(text) return ffi.new("struct slice", { text, #text }) end

-- Keys are numbers or strings; what they are called is found again by their bytes.
local function key_of(self, key)
  C.batch_clear(self.scratch)
  if type(key) == "number" then
    keyed.check(C.batch_key_set_number(self.scratch, 0, key))
  else
    keyed.check(C.batch_key_set_string(self.scratch, 0, key, #key))
  end
  local at = self.scratch.keys[0]
  local bytes = ffi.string(self.scratch.arena.bytes + at.offset, at.bytes)
  self.names[bytes] = key
  return at.hash, slice(bytes)
end

function Timed:register(time, key, name_space)
  local hash, bytes = key_of(self, key)
  return keyed.check(C.timers_register(self.timers, time, hash, bytes, slice(name_space or "")))
end

function Timed:register_new(time, key, name_space)
  local hash, bytes = key_of(self, key)
  return keyed.check(C.timers_register_new(self.timers, time, hash, bytes, slice(name_space or "")))
end

function Timed:delete(time, key, name_space)
  local hash, bytes = key_of(self, key)
  return keyed.check(C.timers_delete(self.timers, time, hash, bytes, slice(name_space or "")))
end

function Timed:group_of(key) return tonumber(key_of(self, key) % keyed.max_parallelism) end

--- The earliest time, or nil.
function Timed:next() return C.timers_next(self.timers, self.time) and tonumber(self.time[0]) or nil end

--- Compose a run; its records as { time, key, namespace }.
function Timed:due(now)
  C.batch_clear(self.run)
  local count = keyed.check(C.timers_due(self.timers, now, self.run))
  local list = {}
  for i = 0, count - 1 do
    local key = self.run.keys[i]
    assert(self.run.keyed and self.run.count == count and key.offset % 8 == 0)
    local bytes = ffi.string(self.run.arena.bytes + key.offset, key.bytes)
    local padding = ffi.string(self.run.arena.bytes + key.offset + key.bytes, -key.bytes % 16)
    assert(padding == ("\0"):rep(#padding), "a key without padding")
    assert(key.hash == C.key_hash(slice(bytes)), "a key with another hash")
    local space = C.timers_name_space(self.timers, i)
    list[i + 1] = { tonumber(self.run.times[i]), self.names[bytes] or bytes, ffi.string(space.data, space.bytes) }
  end
  return list
end

--- From 1, as due() numbers them.
function Timed:take(index) return keyed.check(C.timers_take(self.timers, index - 1)) end

--- The loop of S2: fire all up to `now`, each told to `callback(time, key, namespace)`.
function Timed:advance(now, callback)
  while true do
    local run = self:due(now)
    if #run == 0 then return end
    for i, timer in ipairs(run) do
      local take = self:take(i)
      if take == M.stale then break end
      if take == M.fire then callback(timer[1], timer[2], timer[3]) end
    end
  end
end

--- Those that fire up to `now`, as "time:key" or "time:key/namespace", in order.
function Timed:fired(now)
  local list = {}
  self:advance(now, function(time, key, name_space)
    list[#list + 1] = ("%s:%s%s"):format(time, key, name_space ~= "" and "/" .. name_space or "")
  end)
  return table.concat(list, " ")
end

function Timed:count() return tonumber(keyed.check(C.timers_count(self.timers))) end

--- What is in the rows of an epoch, or in a text of rows: "+time:key/namespace" or "-...", in order.
function Timed:rows(rows)
  if type(rows) == "number" then rows = self.state:rows_of(rows) end
  local list = {}
  for _, row in ipairs(keyed.parse(rows)) do
    if row.column == M.column then
      local high, low = 0, 0
      for i = 1, 4 do high, low = high * 256 + row.key:byte(i), low * 256 + row.key:byte(4 + i) end
      local time = (high - 2 ^ 31) * 2 ^ 32 + low
      local rest, key, name_space = row.key:sub(9)
      for bytes, name in pairs(self.names) do
        if rest:sub(1, #bytes) == bytes then key, name_space = name, rest:sub(#bytes + 1) end
      end
      list[#list + 1] = ("%s%s:%s%s"):format(row.value and "+" or "-", time, tostring(key), name_space ~= "" and "/" .. name_space or "")
    end
  end
  return table.concat(list, " ")
end

return M
