--- A loop over batches that is compiled anew where that makes it faster.
---
--- What the first few dozen records do that a loop meets becomes the straight way through its compiled form, for
--- ever: others leave that way in the middle and come back at the top, where all that was checked once before the
--- loop is checked again, and take twice as long. The first records of a job are like no later ones: no key has a
--- value yet. So a new loop from the same source takes turns with the old one for some batches, after 32768 records
--- and whenever there have been four times as many, and the faster one stays.
local C = require "moontide.engine"

local first_trial, growth = 32768, 4
-- Of each loop: batches in which it is compiled, then those that are timed. The median, since others use the core too.
local unmeasured, measured = 8, 15
-- A new loop has to be this much faster: less than that is chance.
local worth = 0.97

local Renewal = {}
Renewal.__index = Renewal

local function median(list)
  table.sort(list)
  return list[math.ceil(#list / 2)]
end

local function is_done(times)
  return #times == unmeasured + measured
end

-- What a loop takes for a record, in the batches that count.
local function cost(times)
  return median({ unpack(times, unmeasured + 1) })
end

function Renewal:begin()
  self.candidate, self.turn = self.make(), false
  self.loop_times, self.candidate_times = {}, {}
end

function Renewal:decide()
  if not (is_done(self.loop_times) and is_done(self.candidate_times)) then return end
  if cost(self.candidate_times) < cost(self.loop_times) * worth then self.loop = self.candidate end
  self.candidate = nil
  self.trial_at = self.trial_at * growth
end

-- One batch, timed. One in which the author's function fails is left out.
function Renewal:timed(count)
  self.turn = not self.turn
  local loop, times = self.loop, self.loop_times
  if self.turn then loop, times = self.candidate, self.candidate_times end
  local begin = self.now()
  loop()
  if not is_done(times) then times[#times + 1] = (self.now() - begin) / count end
  self:decide()
end

function Renewal:run(count)
  self.records = self.records + count
  if self.candidate then return self:timed(count) end
  if self.records >= self.trial_at then self:begin() end
  return self.loop()
end

local function now()
  return tonumber(C.clock_now_ns())
end

--- The loop that `make` answers, which handles records [call.index, call.count); `make` is asked for others.
---@param call ffi.cdata* struct call
---@param make fun(): function from its source, so that each has byte code of its own
---@param clock? fun(): number nanoseconds
---@return function
return function(call, make, clock)
  local renewal = setmetatable({ make = make, loop = make(), now = clock or now, records = 0, trial_at = first_trial }, Renewal)
  return function() return renewal:run(math.max(call.count - call.index, 1)) end
end
