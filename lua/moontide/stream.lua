--- Streams: each method appends a step to the job's plan and answers the
--- stream of what that step emits. Nothing runs here.
---
--- A stream that is used twice is copied to both (a fan-out).
local describe = require "moontide.describe"
local descriptor = require "moontide.descriptor"
local nearest = require "moontide.nearest"
local on_error = require "moontide.on_error"
local options = require "moontide.options"
local process = require "moontide.process"
local steps = require "moontide.steps"
local timestamps = require "moontide.timestamps"
local where = require "moontide.where"

---@class Stream
---@field job Job
---@field step Step the step that it comes from
---@field tag? string of that step's side output
---@field keyed boolean
local Stream = { __name = "stream" }

local M = { Stream = Stream }

-- Methods that need a key; they are those of KeyedStream.
local keyed_methods = { "window", "interval_join", "reduce", "aggregate", "count", "sum", "min", "max" }

--- Make the __index of a class of streams: its methods, then a helpful error.
---@param class table
---@param names string[] of all methods
---@return fun(stream: table, name: any): any
function M.index(class, names)
  local known = {}
  for _, name in ipairs(names) do known[#known + 1] = name end
  return function(stream, name)
    local method = class[name]
    if method ~= nil or type(name) ~= "string" or name == "tag" then return method end
    for _, keyed in ipairs(keyed_methods) do
      if name == keyed then where.raise(":%s needs a keyed stream: call :key_by first", name) end
    end
    where.raise("a stream has no method '%s'%s", name, nearest.hint(name, known))
  end
end

--- A stream of what `step` emits, or with a tag of that side output.
---@param job Job
---@param step Step
---@param tag? string
---@return Stream
function M.new(job, step, tag)
  return setmetatable({ job = job, step = step, tag = tag, keyed = false }, Stream)
end

--- Is `value` a stream, keyed or not?
---@param value any
---@return boolean
function M.is(value)
  local metatable = getmetatable(value)
  return metatable == Stream or (type(metatable) == "table" and metatable.base == Stream)
end

local function input_of(stream)
  return { step = stream.step.id, tag = stream.tag }
end

local stateless_specs = { { name = "name", type = "string" }, process.parallelism_spec, on_error.spec }

--- Append a step whose inputs are these streams; it is keyed if the first one is.
---@param streams Stream[]
---@param what string who asks: ":process"
---@param step table the fields of its kind
---@return Step
function M.append_all(streams, what, step)
  local first, inputs = streams[1], {}
  steps.check_free(first.job, what, step.name)
  step.keyed = first.keyed
  step.on_error = on_error.resolve(first.job, what, step.on_error)
  for i, stream in ipairs(streams) do inputs[i] = input_of(stream) end
  return steps.add(first.job, what, step, inputs)
end

--- Append a step whose only input is this stream.
---@param stream Stream
---@param what string who asks: ":map"
---@param step table the fields of its kind
---@return Step
function M.append(stream, what, step)
  return M.append_all({ stream }, what, step)
end

local function append_function(stream, kind, fn, given)
  local what = ":" .. kind
  local step = options.check(what, given, stateless_specs)
  step.kind, step.fn = kind, options.callable(what, fn, "fn")
  return M.new(stream.job, M.append(stream, what, step))
end

--- The stream of what a function answers for each record.
---
---     stream:map(function(value) return { id = value.id, total = value.pieces * value.price } end)
---@param fn fun(value: any): any
---@param given? { name: string?, parallelism: integer?, on_error: OnError? }
---@return Stream
function Stream:map(fn, given)
  return append_function(self, "map", fn, given)
end

--- The stream of the records for which a function answers true.
---
---     stream:filter(function(value) return value.amount > 0 end)
---@param fn fun(value: any): boolean
---@param given? { name: string?, parallelism: integer?, on_error: OnError? }
---@return Stream
function Stream:filter(fn, given)
  return append_function(self, "filter", fn, given)
end

--- The stream of what a function collects: any number of records for each.
---
---     stream:flat_map(function(line, out)
---       for word in line:gmatch("%w+") do out:collect(word) end
---     end)
---@param fn fun(value: any, out: Collector)
---@param given? { name: string?, parallelism: integer?, on_error: OnError? }
---@return Stream
function Stream:flat_map(fn, given)
  return append_function(self, "flat_map", fn, given)
end

--- The records of this stream and of others, in no order between them.
---
---     local all = stream:union(other)
---@param ... Stream of the same job
---@return Stream
function Stream:union(...)
  if select("#", ...) == 0 then where.raise(":union needs at least one other stream") end
  local inputs = { input_of(self) }
  for i = 1, select("#", ...) do
    local other = select(i, ...)
    if not M.is(other) then where.raise(":union: argument %d must be a stream, got %s", i, describe(other)) end
    if other.job ~= self.job then where.raise(":union: argument %d is a stream of another job, '%s'", i, other.job.name) end
    inputs[#inputs + 1] = input_of(other)
  end
  return M.new(self.job, steps.add(self.job, ":union", { kind = "union" }, inputs))
end

--- Say where the records have their time. Watermarks are made here; those from upstream end here.
---
---     stream:assign_timestamps { field = "ts", max_out_of_orderness = "5s" }
---     stream:assign_timestamps { field = "day", format = "%Y/%m/%d %H:%M", idle_timeout = "1m" }
---     stream:assign_timestamps { fn = function(value) return value.seconds * 1000 end }
---@param given TimestampOptions
---@return Stream
function Stream:assign_timestamps(given)
  local what = ":assign_timestamps"
  return M.new(self.job, M.append(self, what, timestamps.step(what, self, given)))
end

local function key_fields(what, key)
  if options.is_field(key) then return { key }, true end
  if type(key) ~= "table" or getmetatable(key) ~= nil or #key == 0 then return nil end
  local fields = {}
  for position, field in pairs(key) do
    if type(position) ~= "number" or not options.is_field(field) then
      where.raise("%s: a list of fields must hold names only, got %s at %s", what, describe(field), describe(position))
    end
    fields[position] = field
  end
  if #fields ~= #key or #fields ~= table.maxn(fields) then where.raise("%s: the list of fields has a gap", what) end
  return fields, false
end

local key_specs = { { name = "name", type = "string" }, on_error.spec }

--- Partition by a key: a field, a list of fields, or what a function answers. State and timers belong to a key.
---
---     stream:key_by("account")
---     stream:key_by { "origin", "destination" }
---     stream:key_by(function(value) return value.id % 10 end)
---@param key string|string[]|fun(value: any): any strings, numbers, booleans and 64-bit integers are keys, and lists of them
---@param given? { name: string?, on_error: OnError? }
---@return KeyedStream
function Stream:key_by(key, given)
  local what = ":key_by"
  local step = options.check(what, given, key_specs)
  step.kind = "key_by"
  if type(key) == "function" then
    step.fn = key
  else
    step.fields, step.single = key_fields(what, key)
    if not step.fields then where.raise("%s: needs a field, a list of fields or a function, got %s", what, describe(key)) end
  end
  local appended = M.append(self, what, step)
  -- Required here, since that module's class is built on this one.
  return require("moontide.keyed_stream").new(self.job, appended)
end

local function append_exchange(stream, kind, ...)
  if select("#", ...) > 0 then where.raise(":%s takes no arguments, got %s", kind, describe((...))) end
  return M.new(stream.job, M.append(stream, ":" .. kind, { kind = kind }))
end

--- Spread the records evenly over all subtasks of the next step.
---
---     stream:rebalance():map(function(value) return value end)
---@return Stream
function Stream:rebalance(...)
  return append_exchange(self, "rebalance", ...)
end

--- Send all records to the first subtask of the next step.
---
---     stream:global():to(mt.sink { write = function(self, value) print(value) end })
---@return Stream
function Stream:global(...)
  return append_exchange(self, "global", ...)
end

--- Send every record to all subtasks of the next step. With states it is a stream to connect to, and the states, which
--- are maps, are made of its records in every subtask.
---
---     local rules = stream:broadcast { rules = mt.map_state() }
---@overload fun(self: Stream): Stream
---@param states table<string, MapState>
---@return BroadcastStream
function Stream:broadcast(states)
  if states == nil then return append_exchange(self, "broadcast") end
  if type(states) ~= "table" or getmetatable(states) ~= nil then
    where.raise(":broadcast: needs no argument, or a table of states such as { rules = mt.map_state() }, got %s", describe(states))
  end
  -- Required here, like all classes that are built on this one.
  local broadcast = require "moontide.broadcast"
  local declared = broadcast.declare(":broadcast", states)
  return broadcast.new(append_exchange(self, "broadcast"), declared)
end

--- Two streams for one step: `stream:connect(other):process(...)`. Both keyed, both not, or the other one broadcast.
---
---     keyed:connect(stream:key_by("id")):process("matched", {
---       state = { left = mt.value_state() },
---       process_element1 = function(self, value, ctx, out) self.left:update(value) end,
---       process_element2 = function(self, value, ctx, out) out:collect { left = self.left:value(), right = value } end,
---     })
---@param other Stream|BroadcastStream
---@return ConnectedStream
function Stream:connect(other)
  return require("moontide.connected_stream").new(self, other)
end

--- Join the records of two streams that have the same key and lie in the same window: every pair of them.
---
---     stream:join(other, { left = "id", right = "user" }):window(mt.tumbling { size = "1m" }):apply("named", function(click, user)
---       return { page = click.page, name = user.name }
---     end)
---@param other Stream
---@param keys WindowJoinKeys
---@return WindowJoin
function Stream:join(other, keys)
  return require("moontide.window_join").new("join", self, other, keys)
end

--- The records of two streams that have the same key and lie in the same window, all at once; one side may have none.
---
---     stream:co_group(other, { left = "id", right = "id" }):window(mt.session { gap = "30m" }):apply("counts", function(key, lefts, rights, out)
---       out:collect { key = key, lefts = #lefts, rights = #rights }
---     end)
---@param other Stream
---@param keys WindowJoinKeys
---@return WindowJoin
function Stream:co_group(other, keys)
  return require("moontide.window_join").new("co_group", self, other, keys)
end

--- A step of one's own, with state and timers for each key if the stream is keyed.
--- The name is the address of its state, for ever. A plain function gets `(value, ctx, out)`; the callbacks of a
--- definition get `self` first, where the states are.
---
---     stream:process("tag", function(value, ctx, out) out:collect { value = value, time = ctx:timestamp() } end)
---     keyed:process("changes", {
---       state = { last = mt.value_state() },
---       process_element = function(self, value, ctx, out)
---         if self.last:value() ~= value.status then out:collect(value) end
---         self.last:update(value.status)
---       end,
---     })
---@param name string
---@param definition ProcessDefinition|fun(value: any, ctx: Context, out: Collector)
---@return Stream
function Stream:process(name, definition)
  return M.new(self.job, M.append(self, ":process", process.step(":process", self, name, definition)))
end

local has_side_outputs = { process = true, window = true, connect = true, interval_join = true }

--- The stream of what the step of this stream sent by `ctx:output(tag, value)`.
---
---     local late = stream:process("sort", function(value, ctx, out) ctx:output("late", value) end):side_output("late")
---@param tag string
---@return Stream
function Stream:side_output(tag)
  if type(tag) ~= "string" or tag == "" then where.raise(":side_output: needs the tag of the output, got %s", describe(tag)) end
  if self.tag then where.raise(":side_output: a side output ('%s') has no side outputs of its own", self.tag) end
  if not has_side_outputs[self.step.kind] then
    where.raise(":side_output: step '%s' is a %s and has none; process steps and windows have", self.step.name, self.step.kind)
  end
  return M.new(self.job, self.step, tag)
end

local to_specs = { { name = "name", type = "string" }, process.parallelism_spec, on_error.spec }

--- Send the records to a sink.
---
---     stream:to(mt.sink { write = function(self, value) print(value) end }, { name = "out" })
---@param sink Sink `mt.stdout { ... }` and its siblings
---@param given? { name: string?, parallelism: integer?, on_error: OnError? }
---@return Job
function Stream:to(sink, given)
  local what = ":to"
  local checked = options.check(what, given, to_specs)
  local step = descriptor.resolve(what, sink, "sink")
  step.kind, step.name, step.parallelism = "sink", checked.name, checked.parallelism
  step.on_error = checked.on_error or step.on_error
  M.append(self, what, step)
  return self.job
end

M.methods = {
  "assign_timestamps", "map", "filter", "flat_map", "union", "key_by", "rebalance", "global", "broadcast", "connect", "join", "co_group", "process",
  "side_output", "to",
}
Stream.__index = M.index(Stream, M.methods)

return M
