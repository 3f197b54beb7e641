---@meta
-- What the callbacks of windows, triggers and evictors see: for editors, which read it and never run it.

---A window: from `start` until before `["end"]`, in milliseconds since 1970. All three are nil of the global window, which has
---neither beginning nor end; an end beyond all times is math.huge.
---@class Window
---@field start? number
---@field end? number
---@field max_timestamp? number the last millisecond, and the time of what the window emits

---What an evictor knows beside the elements: the clocks.
---@class ClockContext
local ClockContext = {}

---Event time: no record older than this is expected.
---@return number
function ClockContext:current_watermark() end

---The wall clock in milliseconds.
---@return number
function ClockContext:current_processing_time() end

---What a window function knows beside the window.
---@class WindowContext: ClockContext
local WindowContext = {}

---Send a value to a side output; without a time stamp it has that of the window.
---@param tag string
---@param value any
---@param timestamp? number
function WindowContext:output(tag, value, timestamp) end

---What a trigger knows beside the window: the clocks, and timers of the key's window.
---@class TriggerContext: ClockContext
local TriggerContext = {}

---Ask `on_event_time` when the watermark reaches `timestamp`.
---@param timestamp number
function TriggerContext:register_event_time_timer(timestamp) end

---Forget an event-time timer; one that is not there is no error.
---@param timestamp number
function TriggerContext:delete_event_time_timer(timestamp) end

---Ask `on_processing_time` when the wall clock is past `timestamp`.
---@param timestamp number
function TriggerContext:register_processing_time_timer(timestamp) end

---Forget a processing-time timer; one that is not there is no error.
---@param timestamp number
function TriggerContext:delete_processing_time_timer(timestamp) end
