-- What the jobs of spec/jobs/real_data should write, computed by grouping lists.
local real_data = require "support.real_data"
local row_set = require "support.row_set"

local M = {}

local hour_ms = real_data.hour_ms

M.sum_header = "key,sum,window_end,window_start"
M.late_header = "date,delay,destination,distance,origin"

local function count_row(key, from, to, count)
  return ('{"count":%d,"key":%s,"window_end":%.0f,"window_start":%.0f}'):format(count, key, to, from)
end

local function sum_row(key, from, to, sum)
  return ("%s,%d,%.0f,%.0f"):format(key, sum, to, from)
end

local function hour_of(time) return math.floor(time / hour_ms) * hour_ms end

-- The window of a flight, made where it is not there.
local function pane_of(panes, origin, start)
  local name = origin .. start
  local pane = panes[name]
  if not pane then
    pane = { origin = origin, start = start, flights = 0, delay = 0, far = 0 }
    panes[name] = pane
  end
  return pane
end

local function add_flight(pane, flights, i)
  pane.flights, pane.delay = pane.flights + 1, pane.delay + flights.delay[i]
  pane.far = math.max(pane.far, flights.distance[i])
end

local function panes_of(flights)
  local panes = {}
  for i = 1, flights.count do add_flight(pane_of(panes, flights.origin[i], hour_of(flights.time[i])), flights, i) end
  return panes
end

--- The rows of hourly.lua, by sink.
function M.hourly(flights)
  local rows = { count = row_set.new(), sum = row_set.new(), lua = row_set.new() }
  for _, pane in pairs(panes_of(flights)) do
    rows.count:add(count_row('"' .. pane.origin .. '"', pane.start, pane.start + hour_ms, pane.flights))
    rows.sum:add(sum_row(pane.origin, pane.start, pane.start + hour_ms, pane.delay))
    rows.lua:add(('{"delay":%d,"far":%d,"flights":%d,"key":"%s","start":%.0f}'):format(pane.delay, pane.far, pane.flights, pane.origin, pane.start))
  end
  return rows
end

local function late_row(flights, i)
  local date, delay, distance, origin, destination = flights.line[i]:match("^([^,]+),([^,]+),([^,]+),(%w+),(%w+)$")
  return table.concat({ date, delay, destination, distance, origin }, ",")
end

local function delays_row(pane)
  return ('{"delay":%d,"flights":%d,"key":"%s","start":%.0f}'):format(pane.delay, pane.flights, pane.origin, pane.start)
end

--- The rows of replay.lua for one reader of the whole file, by sink. `given`: bound and lateness in ms, emit in records.
function M.replay(flights, order, given)
  local rows = { count = row_set.new(), delays = row_set.new(), late = row_set.new() }
  local open, panes, watermark, highest = {}, {}, -math.huge, -math.huge
  local function fire(pane)
    rows.count:add(count_row('"' .. pane.origin .. '"', pane.start, pane.start + hour_ms, pane.flights))
    rows.delays:add(delays_row(pane))
  end
  local function advance(to)
    watermark = math.max(watermark, to)
    for pane in pairs(open) do
      if pane.start + hour_ms - 1 <= watermark then
        fire(pane)
        open[pane] = nil
      end
    end
  end
  for n = 1, flights.count do
    local i = order[n]
    local start = hour_of(flights.time[i])
    local last = start + hour_ms - 1
    if last + given.lateness <= watermark then
      rows.late:add(late_row(flights, i))
    else
      local pane = pane_of(panes, flights.origin[i], start)
      add_flight(pane, flights, i)
      if last <= watermark then fire(pane) else open[pane] = true end
    end
    highest = math.max(highest, flights.time[i])
    if n % given.emit == 0 then advance(highest - given.bound - 1) end
  end
  advance(math.huge)
  return rows
end

-- Firings of a window by their counts of flights, those that were told to be late taken into account: the windows must
-- hold all others, each firing one more than the one before.
local function check_firings(pane, counts, late)
  local whole, fired = pane.flights - late, 0
  for count = whole, 1, -1 do
    if counts[count] == nil then break end
    assert(counts[count] == 1, ("%s at %.0f fired %d times with %d flights"):format(pane.origin, pane.start, counts[count], count))
    fired = fired + 1
  end
  local all = 0
  for _, times in pairs(counts) do all = all + times end
  assert(all == fired and (fired > 0) == (whole > 0), ("%s at %.0f: %d flights, %d late, fired %d times, the last %d of them in order"):format(
    pane.origin, pane.start, pane.flights, late, all, fired))
end

--- Every flight is in its window's last firing or late, whatever the order in which watermarks came; `count` and `late` are what replay.lua wrote.
function M.check_replay(flights, count, late)
  local fired, lost = {}, {}
  for row, times in pairs(count.counts) do
    local number, origin, start = row:match('^{"count":(%d+),"key":"(%w+)","window_end":%d+,"window_start":(%d+)}$')
    local name = origin .. tonumber(start)
    fired[name] = fired[name] or {}
    fired[name][tonumber(number)] = times
  end
  for row, times in pairs(late.counts) do
    local name = row:match("(%w+)$") .. hour_of(real_data.milliseconds(row))
    lost[name] = (lost[name] or 0) + times
  end
  for name, pane in pairs(panes_of(flights)) do
    check_firings(pane, fired[name] or {}, lost[name] or 0)
    fired[name] = nil
  end
  assert(next(fired) == nil, ("a window that should not be there: %s"):format(next(fired)))
end

-- The sessions of each key; touching ones are one (S29). `add` takes a record in.
local function sessions_of(columns, key_of, gap, add)
  local open, closed = {}, {}
  for _, i in ipairs(real_data.order(columns.count, function(n) return columns.time[n] end)) do
    local key = key_of(i)
    local session = open[key]
    if not session or columns.time[i] > session.finish then
      session = { key = key, start = columns.time[i], count = 0 }
      open[key], closed[#closed + 1] = session, session
    end
    session.count, session.finish = session.count + 1, columns.time[i] + gap
    if add then add(session, i) end
  end
  return closed
end

--- The rows of sessions.lua, by sink.
function M.sessions(reviews)
  local rows = { count = row_set.new(), sum = row_set.new(), lua = row_set.new() }
  local function add(session, i)
    local rating = reviews.rating[i]
    session.sum, session.best, session.worst = (session.sum or 0) + rating, math.max(session.best or 0, rating), math.min(session.worst or 9, rating)
  end
  for _, session in ipairs(sessions_of(reviews, function(i) return reviews.reviewer[i] end, hour_ms / 2, add)) do
    rows.count:add(count_row(session.key, session.start, session.finish, session.count))
    rows.sum:add(sum_row(session.key, session.start, session.finish, session.sum))
    rows.lua:add(('{"best":%d,"finish":%.0f,"key":%d,"reviews":%d,"start":%.0f,"worst":%d}'):format(
      session.best, session.finish, session.key, session.count, session.start, session.worst))
  end
  return rows
end

--- The rows of quakes.lua.
function M.swarms(quakes)
  local rows = row_set.new()
  for _, session in ipairs(sessions_of(quakes, function(i) return quakes.net[i] end, 2 * hour_ms)) do
    rows:add(('{"count":%d,"finish":%.0f,"first":%.0f,"key":"%s","start":%.0f}'):format(
      session.count, session.finish, session.start, session.key, session.start))
  end
  return { swarms = rows }
end

return M
