-- Sums over slices of windows that overlap: as slices_result() tells it, and the same however often they are made anew.
-- MOONTIDE_SEED: of the random slices.
local ffi = require "ffi"
local C = require "support.engine"

local COUNT, SUM, MIN, MAX, AVG = 1, 2, 3, 4, 5
local NONE, TOLD, UNTOLD = 0, 1, 2
local CELL_NUMBER, CELL_INT64 = 4, 5

local function cells(value)
  local list = ffi.new("struct cell[5]")
  for i = 0, 4 do
    if ffi.istype("int64_t", value) then
      list[i].tag, list[i].integer = CELL_INT64, value
    else
      list[i].tag, list[i].number = CELL_NUMBER, value
    end
  end
  return list
end

-- The slices of one key; the newest one apart, as the step keeps it.
local function new_key(windows)
  local shape = ffi.new "struct slices_shape"
  C.slices_shape_init(shape, windows, ffi.new("uint8_t[5]", COUNT, SUM, MIN, MAX, AVG), 5)
  local self = { shape = shape, windows = windows, list = {}, number = 7 }

  function self.add(time, value)
    local start = tonumber(C.window_start(time, windows.offset, shape.length))
    for at, slice in ipairs(self.list) do
      if slice.start == start then return C.slice_add(shape, slice.bytes, cells(value)) end
      if slice.start > start then return table.insert(self.list, at, self.begin(start, value)) end
    end
    self.list[#self.list + 1] = self.begin(start, value)
  end

  function self.begin(start, value)
    local slice = { start = start, bytes = ffi.new("char[?] __attribute__((aligned(8)))", shape.bytes) }
    C.slice_begin(shape, slice.bytes, start, cells(value))
    return slice
  end

  function self.view()
    local older, view = math.max(0, #self.list - 1), ffi.new "struct slices_view"
    self.older = ffi.new("char[?]", older * shape.bytes + 1)
    for i = 1, older do ffi.copy(self.older + (i - 1) * shape.bytes, self.list[i].bytes, shape.bytes) end
    view.slices, view.count = self.older, older
    if #self.list > 0 then view.newest = self.list[#self.list].bytes end
    return view
  end

  -- Whatever it kept is used where it serves; with `anew` nothing is.
  function self.sums(window, anew)
    local view = self.view()
    local kept = self.kept and ffi.cast("struct slice_sums *", self.kept)
    if anew or not kept or not C.slice_sums_serve(kept, window) then
      local boundary = C.slice_sums_boundary(shape, windows, self.number, window)
      local count = C.slice_sums_wanted(shape, view, window, boundary)
      local bytes = ffi.new("uint64_t[?]", C.slice_sums_bytes(shape, count) / 8)
      C.slice_sums_make(shape, ffi.cast("struct slice_sums *", bytes), view, window, boundary, count)
      if not anew then self.kept = bytes end
      kept = ffi.cast("struct slice_sums *", bytes)
      self.made = (self.made or 0) + 1
    end
    C.slice_sums_extend(shape, kept, view, window, true)
    local results = ffi.new "struct cell[5]"
    local told = C.slice_sums_result(shape, kept, window, results)
    return told, results
  end

  function self.slowly(window)
    local bytes, results = ffi.new("char[?]", #self.list * shape.bytes + 1), ffi.new "struct cell[5]"
    for i, slice in ipairs(self.list) do ffi.copy(bytes + (i - 1) * shape.bytes, slice.bytes, shape.bytes) end
    local status = C.slices_result(shape, bytes, #self.list, window.start, window["end"], results)
    return status, results
  end

  function self.changed(time)
    if not self.kept then return end
    local kept = ffi.cast("struct slice_sums *", self.kept)
    if C.window_start(time, windows.offset, shape.length) < kept["until"] then self.kept = nil end
  end

  return self
end

local function numbers(results)
  local list = {}
  for i = 0, 4 do list[i + 1] = results[i].number end
  return list
end

local function windows_of(size, slide, offset)
  return ffi.new("struct window_shape", { size = size, slide = slide, offset = offset })
end

-- Windows in order of time over records that come a little out of order and now and then late; look(key, window) at each.
local function play(random, windows, value, look)
  local key = new_key(windows)
  key.number = random(1000)
  local size, slide = tonumber(windows.size), tonumber(windows.slide)
  local time = random(-500, 500)
  local start = tonumber(C.window_start(time - size, windows.offset, windows.slide))
  for _ = 1, 200 do
    if random(3) > 1 then
      time = time + random(0, slide)
      local at = math.max(time - (random(10) == 1 and random(size) or random(0, 5)), start)
      key.changed(at)
      key.add(at, value())
    else
      look(key, ffi.new("struct window", { start, start + size }))
      start = start + slide
      time = math.max(time, start)
      while key.list[1] and key.list[1].start < start do table.remove(key.list, 1) end
    end
  end
end

local function random_windows(random)
  local slide = random(20)
  return windows_of(slide * random(2, 12) + (random(2) == 1 and random(0, slide) or 0), slide, random(slide) - 1)
end

describe("sums over the slices of windows that overlap", function()
  local seed = tonumber(os.getenv "MOONTIDE_SEED") or os.time() % 1000000

  it("come to what the slices come to", function()
    for number = seed, seed + 40 do
      math.randomseed(number)
      play(math.random, random_windows(math.random), function() return math.random(-50, 50) end, function(key, window)
        local told, results = key.sums(window)
        local status, expected = key.slowly(window)
        assert.are.equal(status, told, "MOONTIDE_SEED=" .. number)
        if told == TOLD then assert.are.same(numbers(expected), numbers(results), "MOONTIDE_SEED=" .. number) end
      end)
    end
  end)

  it("depend on slices and window alone, to the last bit", function()
    for number = seed, seed + 40 do
      math.randomseed(number)
      play(math.random, random_windows(math.random), function() return math.random() * 10 ^ math.random(-5, 15) end, function(key, window)
        local told, results = key.sums(window)
        local again, expected = key.sums(window, true)
        assert.are.equal(again, told)
        if told == TOLD then assert.are.same(numbers(expected), numbers(results), "MOONTIDE_SEED=" .. number) end
      end)
    end
  end)

  it("are made once a size, not once a window", function()
    local key, fired = new_key(windows_of(60, 1, 0)), 0
    for time = 0, 599 do
      key.add(time, time)
      if time >= 59 then
        assert.are.equal(TOLD, (key.sums(ffi.new("struct window", { time - 59, time + 1 }))))
        fired = fired + 1
      end
    end
    assert.are.equal(541, fired)
    assert.is_true(key.made <= 541 / 60 + 2, key.made .. " times")
  end)

  it("leave windows with wide integers, or with what is no number, to the slices", function()
    for _, odd in ipairs { 9007199254740993LL, 0 / 0 } do
      local key, told = new_key(windows_of(10, 1, 0)), {}
      for time = 0, 39 do
        key.add(time, time == 17 and odd or 1)
        if time >= 9 then told[time - 9] = (key.sums(ffi.new("struct window", { time - 9, time + 1 }))) end
      end
      for start = 0, 30 do assert.are.equal(start >= 8 and start <= 17 and UNTOLD or TOLD, told[start], "window from " .. start) end
    end
  end)

  it("know of windows that no slice is in", function()
    local key = new_key(windows_of(10, 1, 0))
    key.add(50, 1)
    assert.are.equal(NONE, (key.sums(ffi.new("struct window", { 20, 30 }))))
    assert.are.equal(TOLD, (key.sums(ffi.new("struct window", { 41, 51 }))))
    assert.are.equal(NONE, (key.sums(ffi.new("struct window", { 51, 61 }))))
  end)

  it("are kept where windows share eight slices and more", function()
    local function pay(size, slide)
      local windows, shape = windows_of(size, slide, 0), ffi.new "struct slices_shape"
      C.slices_shape_init(shape, windows, ffi.new("uint8_t[1]", COUNT), 1)
      return C.slice_sums_pay(shape, windows)
    end
    assert.is_true(pay(8, 1))
    assert.is_true(pay(60000, 7000))
    assert.is_false(pay(7, 1))
    assert.is_false(pay(60000, 60000))
    assert.is_false(pay(10, 20))
  end)
end)
