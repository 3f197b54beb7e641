---@meta
-- What the callbacks of a job see: for editors, which read it and never run it.

---Where results go.
---@class Collector
local Collector = {}

---Emit a record; without a time stamp it has that of the record being processed.
---@param value any
---@param timestamp? number milliseconds since 1970
function Collector:collect(value, timestamp) end

---What a subtask is told in `open`.
---@class OpenContext
local OpenContext = {}

---Which of the step's subtasks this is, from 0.
---@return integer
function OpenContext:subtask() end

---How many subtasks the step has.
---@return integer
function OpenContext:parallelism() end

---What a callback knows of the record being processed.
---@class Context: OpenContext
local Context = {}

---The record's event time in milliseconds, nil if it has none; in `on_timer` the timer's time.
---@return number?
function Context:timestamp() end

---The key of the record or timer; two fields are a list of two.
---@return any
function Context:current_key() end

---Send a value to a side output, which is `stream:side_output(tag)` of this step; without a time stamp it has that of the record.
---@param tag string
---@param value any
---@param timestamp? number
function Context:output(tag, value, timestamp) end

---Timers of the current key, and the clocks.
---@return TimerService
function Context:timers() end

---Ask for a checkpoint soon.
function Context:request_checkpoint() end

---What `process_broadcast_element` knows of the record: it has no key.
---@class BroadcastContext: Context
local BroadcastContext = {}

---Visit all keys of this subtask that have something in a keyed state, in the order of their bytes.
---@param state_name string
---@param fn fun(key: any, state: ValueState|ListState|MapState|ReducingState|AggregatingState)
function BroadcastContext:apply_to_keyed_state(state_name, fn) end

---What the function of an interval join knows of the two records that met.
---@class IntervalJoinContext
local IntervalJoinContext = {}

---The later one's event time, which what is collected has.
---@return number
function IntervalJoinContext:timestamp() end

---The left record's event time.
---@return number
function IntervalJoinContext:left_timestamp() end

---The right record's event time.
---@return number
function IntervalJoinContext:right_timestamp() end

---The key of both.
---@return any
function IntervalJoinContext:current_key() end

---Send a value to a side output, which is `stream:side_output(tag)` of this step; without a time stamp it has the later one's event time.
---@param tag string
---@param value any
---@param timestamp? number
function IntervalJoinContext:output(tag, value, timestamp) end

---What `on_timer` knows of the timer.
---@class TimerContext: Context
local TimerContext = {}

---Which clock fired the timer.
---@return "event"|"processing"
function TimerContext:time_domain() end

---Timers of the current key. A timer is known by key, time and domain: registering one twice fires it once (S4).
---@class TimerService
local TimerService = {}

---Event time: no record older than this is expected.
---@return number
function TimerService:current_watermark() end

---The wall clock in milliseconds.
---@return number
function TimerService:current_processing_time() end

---Fire when the watermark reaches `timestamp`.
---@param timestamp number
function TimerService:register_event_time_timer(timestamp) end

---Forget an event-time timer; one that is not there is no error.
---@param timestamp number
function TimerService:delete_event_time_timer(timestamp) end

---Fire when the wall clock is past `timestamp`.
---@param timestamp number
function TimerService:register_processing_time_timer(timestamp) end

---Forget a processing-time timer; one that is not there is no error.
---@param timestamp number
function TimerService:delete_processing_time_timer(timestamp) end

---`self` in the callbacks of a process step: this subtask's own table, with the step's states under their names.
---To have `self.small:` completed exactly, describe it: `---@class Detector: Process` with `---@field small ValueState`,
---and `---@param self Detector` above the callback.
---@class Process
---@field [string] any

---What `state` of a definition declares, by the names that `self` has them under: `mt.value_state()` and its siblings.
---@alias States table<string, ValueState|ListState|MapState|ReducingState|AggregatingState>

---One value for the current key. What is read is a copy: changing it changes nothing until `update`.
---@class ValueState
local ValueState = {}

---The value, else the default, else nil.
---@return any
function ValueState:value() end

---Keep a value; nil clears.
---@param value any
function ValueState:update(value) end

---Forget the value.
function ValueState:clear() end

---A list for the current key. What is read is a copy.
---@class ListState
local ListState = {}

---The elements, in the order they were added; empty if there are none.
---@return any[]
function ListState:get() end

---Append one element.
---@param value any
function ListState:add(value) end

---Append all elements of a list.
---@param list any[]
function ListState:add_all(list) end

---Replace the elements by those of a list.
---@param list any[]
function ListState:update(list) end

---Forget all elements.
function ListState:clear() end

---A map for the current key. What is read is a copy.
---@class MapState
local MapState = {}

---The value of a map key, or nil.
---@param key any
---@return any
function MapState:get(key) end

---Set the value of a map key; nil is an error, `mt.null` a value.
---@param key any
---@param value any
function MapState:put(key, value) end

---Set many.
---@param entries table
function MapState:put_all(entries) end

---Forget a map key.
---@param key any
function MapState:remove(key) end

---Is the map key there?
---@param key any
---@return boolean
function MapState:contains(key) end

---Iterate over the map keys, in the order of their bytes, as they are now (S52), whatever happens to the map meanwhile.
---An iteration may be left at any time, which costs nothing however large the map is; it ends with the callback.
---@return fun(): any
function MapState:keys() end

---Iterate over the values, in the order of the bytes of their keys, as they are now; else as `keys`.
---@return fun(): any
function MapState:values() end

---Iterate over map keys and values, in the order of the bytes of the keys, as they are now; else as `keys`.
---@return fun(): any, any
function MapState:entries() end

---Is nothing in the map?
---@return boolean
function MapState:is_empty() end

---Forget all entries.
function MapState:clear() end

---One value for the current key that takes in what is added.
---@class ReducingState
local ReducingState = {}

---The reduced value, or nil.
---@return any
function ReducingState:get() end

---Take a value in; the first is kept as it is.
---@param value any
function ReducingState:add(value) end

---Forget the value.
function ReducingState:clear() end

---An accumulator for the current key.
---@class AggregatingState
local AggregatingState = {}

---The result of the accumulator, or nil if nothing was added.
---@return any
function AggregatingState:get() end

---Take a value in.
---@param value any
function AggregatingState:add(value) end

---Forget the accumulator.
function AggregatingState:clear() end
