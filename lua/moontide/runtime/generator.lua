--- mt.generator: records made by a function of their index. Subtask s of n makes
--- every n-th record; what an attempt of another parallelism left over goes on as
--- stripes of its own.
local ffi = require "ffi"
local C = require "moontide.engine"
local saved = require "moontide.runtime.saved"

local more, idle, ended = 1, 2, 3

-- Random numbers that depend on seed and index alone, so that a replay makes the same records: splitmix64.
local random_source = ffi.typeof("struct { uint64_t state; }")

local function new_random()
  local state = random_source()
  local function next_number()
    state.state = state.state + 0x9e3779b97f4a7c15ULL
    local z = state.state
    z = bit.bxor(z, bit.rshift(z, 30)) * 0xbf58476d1ce4e5b9ULL
    z = bit.bxor(z, bit.rshift(z, 27)) * 0x94d049bb133111ebULL
    z = bit.bxor(z, bit.rshift(z, 31))
    return tonumber(bit.rshift(z, 11)) * (1 / 9007199254740992)
  end
  local function random(m, n)
    local number = next_number()
    if not m then return number end
    if not n then m, n = 1, m end
    return m + math.floor(number * (n - m + 1))
  end
  return state, random
end

local function stripes_at_start(call, restored)
  if #restored == 0 then return { { next = call.subtask + 1, step = call.parallelism } } end
  local stripes = {}
  for subtask, list in ipairs(restored) do
    if list and (subtask - 1) % call.parallelism == call.subtask then
      for _, stripe in ipairs(list) do stripes[#stripes + 1] = stripe end
    end
  end
  return stripes
end

-- The stripe whose next index is the lowest: records of one subtask come in the order of their indexes.
local function lowest(stripes, count)
  local best
  for _, stripe in ipairs(stripes) do
    if stripe.next <= count and (not best or stripe.next < best.next) then best = stripe end
  end
  return best
end

return function(call, operator, out, times_of_source)
  local options, fn = operator.step.connector_options, operator.step.definition.fn
  local count, rate = options.count or math.huge, options.rate
  -- Not as a number: the interpreter makes 2^63 of each one below 0 that meets a uint64_t, compiled code does not.
  local seed = ffi.new("int64_t", options.seed or 1)
  local state, random = new_random()
  local stripes, none, started_ms, made

  local function emit(stripe)
    local index = stripe.next
    state.state = seed * 0x2545f4914f6cdd1dULL + index * 0xd1342543de82ef95ULL
    stripe.next = index + stripe.step
    local value, timestamp = fn(index, random)
    out:collect(value, timestamp)
  end

  local function due()
    if not rate then return call.count end
    local now = tonumber(C.clock_monotonic_ms())
    started_ms = started_ms or now
    return math.min(call.count, math.floor((now - started_ms) * rate / 1000 / call.parallelism) - made)
  end

  return {
    [2] = function()
      call.times, call.index = none, 0
      call.status = more
      local batch = due()
      for _ = 1, batch do
        local stripe = lowest(stripes, count)
        if not stripe then break end
        emit(stripe)
        made = made + 1
      end
      if not lowest(stripes, count) then
        call.status = ended
      elseif batch <= 0 then
        call.status, call.wait_ms = idle, 1
      end
    end,
    [3] = function()
      none = times_of_source(call)
      stripes, made = stripes_at_start(call, saved.restored(call)), 0
      if not lowest(stripes, count) then call.status = ended end -- known before the first record of any source (S9)
    end,
    [4] = function() end,
    [5] = function() saved.save(call, stripes) end,
    [6] = function() end,
  }
end
