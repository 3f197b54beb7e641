--- Values of keyed state that an earlier version of the job wrote are made into those of
--- today's when the step opens, before its first record: all of its keys, once.
local C = require "moontide.engine"
local blame = require "moontide.runtime.blame"
local describe = require "moontide.describe"
local visit = require "moontide.runtime.visit"

local function migrated(name, descriptor, value, version)
  local made = descriptor.migrate(value, version)
  if made == nil then
    blame.raise(descriptor.migrate, "migrate", "the 'migrate' of state '%s' answered nothing for %s of version %d", name, describe(value), version)
  end
  return made
end

-- By kind: writes anew what is under the key at hand. Values are looked at before the first is written.
local rewrite = {}

function rewrite.value(state, make) state:update(make(state:value())) end
rewrite.reducing, rewrite.aggregating = rewrite.value, rewrite.value -- what they keep is a value

function rewrite.list(state, make)
  local items = state:get()
  for i, item in ipairs(items) do items[i] = make(item) end
  state:update(items)
end

function rewrite.map(state, make)
  local made = {}
  for key, value in state:entries() do made[#made + 1] = { key, make(value) } end
  for _, pair in ipairs(made) do state:put(pair[1], pair[2]) end
end

-- Reducing and aggregating states would fold what is added: here they are the values that they are kept as.
local function plain(descriptor)
  local is_value = descriptor.kind == "reducing" or descriptor.kind == "aggregating"
  return is_value and { kind = "value", version = descriptor.version } or descriptor
end

---@param call ffi.cdata* struct call
---@param step Step
return function(call, step)
  local states, versions, any = step.definition.state, {}, false
  for slot, name in ipairs(step.state_names) do
    local version = C.call_restored_version(call, slot - 1)
    versions[name] = version > 0 and version ~= states[name].version and version or nil
    any = any or versions[name] ~= nil
  end
  if not any then return end
  local described = {}
  for name, descriptor in pairs(states) do described[name] = plain(descriptor) end
  local keys = visit.new(call, { state_names = step.state_names, definition = { state = described } }, false)
  for _, name in ipairs(step.state_names) do
    local version, descriptor = versions[name], states[name]
    local function make(value) return migrated(name, descriptor, value, version) end
    if version then
      keys:apply(name, function(_, state)
        rewrite[descriptor.kind](state, make)
        call.index = call.index + 1 -- the watchdog sees that it goes on
        C.keyed_state_commit_record(call.state)
      end)
    end
  end
  call.index = 0
  keys:close()
end
