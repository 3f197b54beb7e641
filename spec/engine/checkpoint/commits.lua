-- Checkpoints made of small deltas, for the specs of the storage and, as text, for the children that they kill.
local ffi = require "ffi"
local C = require "support.engine"

local M = {}

-- Needs ffi, C and check around it.
M.helpers = [[
local function open(root)
  local out = ffi.new("struct storage *[1]")
  check(C.storage_open(root, out))
  return out[0]
end

local function new_name(storage, suffix)
  local name = ffi.new("char[64]")
  C.storage_new_file_name(storage, suffix, name, 64)
  return ffi.string(name)
end

-- A sealed journal in the shared folder: { name, bytes, checksum, epoch }.
local function delta(storage, epoch, payload)
  local name, out = new_name(storage, ".delta"), ffi.new("struct journal *[1]")
  check(C.journal_create(C.storage_shared_path(storage, name).text, C.JOURNAL_DELTA, out))
  payload = payload or ("rows of " .. epoch)
  local frame = ffi.new("struct journal_frame", { 0, 0, 127, epoch })
  local status = C.journal_append(out[0], frame, ffi.new("struct slice", { payload, #payload }))
  local bytes, checksum = ffi.new("uint64_t[1]"), ffi.new("uint64_t[1]")
  if status == 0 then status = C.journal_seal(out[0], bytes, checksum) end
  if status < 0 then
    C.journal_discard(out[0])
    return nil, ffi.string(C.error_message())
  end
  C.journal_close(out[0])
  return { name = name, bytes = bytes[0], checksum = checksum[0], epoch = epoch }
end

local function manifest(id, deltas, tag, line)
  line = line or { parent = id - 1, run = 1 }
  local head = ffi.new("struct manifest_head", { id = id, parent = line.parent, run = line.run, time_ms = 1, parallelism = 1, max_parallelism = 128,
    engine_version = "0", job = "j", mode = "exactly_once", script = "" })
  local made = C.manifest_new(head)
  for _, file in ipairs(deltas) do
    C.manifest_add_file(made, ffi.new("struct manifest_file", { name = file.name, kind = C.MANIFEST_DELTA, bytes = file.bytes,
      checksum = file.checksum, epoch_first = file.epoch, epoch_last = file.epoch }))
  end
  if tag then C.manifest_add_tag(made, tag) end
  return made
end

-- `line` = { parent =, run = }: of a run that does not go on from the one before
local function commit(storage, id, deltas, tag, line)
  local made = manifest(id, deltas, tag, line)
  local status = C.storage_commit(storage, made)
  C.manifest_free(made)
  return status
end
]]

local function message() return ffi.string(C.error_message()) end

function M.check(status)
  if status < 0 then error(message(), 2) end
  return status
end

M.open, M.new_name, M.delta, M.commit = loadstring("local ffi, C, check = ...\n" .. M.helpers .. "\nreturn open, new_name, delta, commit")(ffi, C, M.check)

--- The number of the newest checkpoint that is in order, or nil.
function M.newest(storage, verify)
  local out = ffi.new("struct manifest *[1]")
  M.check(C.storage_newest_valid(storage, verify or false, out))
  if out[0] == nil then return nil end
  local id = tonumber(out[0].head.id)
  C.manifest_free(out[0])
  return id
end

--- All numbers, rising.
function M.ids(storage)
  local list, out = ffi.new("struct storage_list"), {}
  M.check(C.storage_list(storage, false, list))
  for i = 0, list.count - 1 do out[#out + 1] = tonumber(list.items[i].id) end
  C.storage_list_free(list)
  return out
end

function M.retain(storage, keep, living)
  living = living or {}
  local names = ffi.new("const char *[?]", #living + 1, living)
  return M.check(C.storage_retain(storage, keep, names, #living))
end

return M
