local ffi = require "ffi"
local C = require "support.engine"

local max, none = 0x7fffffffffffffffLL, -0x7fffffffffffffffLL - 1
local limit = 2 ^ 53

local function shape(size, slide, offset)
  return ffi.new("struct window_shape", size, slide or size, offset or 0)
end

local function text(window)
  return ("[%s,%s)"):format(tostring(tonumber(window.start)), window["end"] == max and "MAX" or tostring(tonumber(window["end"])))
end

local function window(first, last) return ffi.new("struct window", first, last) end

--- All windows of `time`, from the earliest.
local function assigned(of, time)
  local list, at = {}, ffi.new "struct window"
  local has = C.window_last(of, time, at)
  while has == 1 do
    table.insert(list, 1, text(at))
    has = C.window_previous(of, time, at)
  end
  assert(has == 0, has)
  return table.concat(list, " ")
end

local function start(time, offset, size) return tonumber(C.window_start(time, offset, size)) end

describe("the start of a window", function()
  it("T24, S21: is below its time on both sides of 1970", function()
    local cases = {
      [0] = { { -8, -14 }, { -7, -7 }, { -6, -7 }, { -1, -7 }, { 1, 0 }, { 6, 0 }, { 7, 7 }, { 8, 7 } },
      [3] = { { -10, -11 }, { -9, -11 }, { -3, -4 }, { -2, -4 }, { -1, -4 }, { 1, -4 }, { 2, -4 }, { 3, 3 }, { 9, 3 }, { 10, 10 } },
      [-2] = { { -12, -16 }, { -7, -9 }, { -4, -9 }, { -3, -9 }, { -2, -2 }, { -1, -2 }, { 1, -2 }, { 3, -2 }, { 4, -2 }, { 7, 5 }, { 12, 12 } },
    }
    for offset, list in pairs(cases) do
      for _, case in ipairs(list) do
        assert.are.equal(case[2], start(case[1], offset, 7), ("start(%d, %d, 7)"):format(case[1], offset))
      end
    end
    assert.are.equal(1470844800000, start(1470902048450, -8 * 3600000, 86400000))
  end)

  it("L2: is right at the ends of time", function()
    assert.are.equal(limit - limit % 7, start(limit, 0, 7))
    assert.are.equal(-limit, start(-limit, 0, 4096))
    assert.is_true(C.window_start(max, 0, 5000) <= max)
    assert.are.equal("[9.2233720368548e+18,MAX)", assigned(shape(5000), max))
  end)
end)

describe("windows of a time", function()
  it("T26, S19: tumbling", function()
    assert.are.equal("[0,5000)", assigned(shape(5000), 0))
    assert.are.equal("[0,5000)", assigned(shape(5000), 4999))
    assert.are.equal("[5000,10000)", assigned(shape(5000), 5000))
    assert.are.equal("[-100,4900)", assigned(shape(5000, nil, -100), 0))
    assert.are.equal("[4900,9900)", assigned(shape(5000, nil, -100), 4900))
  end)

  it("T26: shifted by the clock of the first record, by chance, or not at all", function()
    local natural = shape(5000)
    C.window_shape_stagger(natural, C.WINDOW_NATURAL, 150, 0)
    assert.are.equal("[150,5150)", assigned(natural, 150))
    assert.are.equal("[5150,10150)", assigned(natural, 5300))
    local random = shape(5000, 1000, 10)
    C.window_shape_stagger(random, C.WINDOW_RANDOM, 150, 4995)
    assert.are.equal(5, tonumber(random.offset))
    local aligned = shape(5000, nil, 7)
    C.window_shape_stagger(aligned, C.WINDOW_ALIGNED, 150, 99)
    assert.are.equal(7, tonumber(aligned.offset))
  end)

  it("S22: sliding, with gaps where the slide is above the size", function()
    assert.are.equal("[-2000,1000) [-1000,2000) [0,3000)", assigned(shape(3000, 1000), 20))
    assert.are.equal("[1000,4000) [2000,5000) [3000,6000)", assigned(shape(3000, 1000), 3999))
    assert.are.equal("[0,5) [3,8)", assigned(shape(5, 3), 4))
    assert.are.equal("[0,2)", assigned(shape(2, 5), 1))
    assert.are.equal("", assigned(shape(2, 5), 2))
    assert.are.equal("", assigned(shape(2, 5), -1))
    assert.are.equal("[-5,-3)", assigned(shape(2, 5), -4))
  end)

  it("S22: a record without a time is an error", function()
    assert.is_true(C.window_last(shape(5), none, ffi.new "struct window") < 0)
    assert.matches("no time stamp", ffi.string(C.error_message()))
    assert.is_true(C.window_session(none, 5, ffi.new "struct window") < 0)
  end)

  it("S22: refuses sizes and offsets that make no windows", function()
    assert.are.equal(0, C.window_shape_check(shape(5, 3, -2)))
    for _, wrong in ipairs { { 0, 1, 0 }, { -1, 1, 0 }, { 1, 0, 0 }, { 5, 3, 3 }, { 5, 3, -3 }, { 5, 5, 5 }, { limit * 2, 1, 0 } } do
      assert.is_true(C.window_shape_check(shape(unpack(wrong))) < 0)
    end
  end)

  it("holds the time in each, and in no other", function()
    local seed = os.time()
    math.randomseed(seed)
    for _ = 1, 300 do
      local size, slide, time = math.random(40), math.random(40), math.random(-100, 100)
      local offset, count = math.random(1 - slide, slide - 1), 0
      local at = ffi.new "struct window"
      local has = C.window_last(shape(size, slide, offset), time, at)
      while has == 1 do
        assert.is_true(at.start <= time and time < at["end"], "seed " .. seed)
        count, has = count + 1, C.window_previous(shape(size, slide, offset), time, at)
      end
      local expected = 0
      for first = time - size + 1, time do expected = expected + ((first - offset) % slide == 0 and 1 or 0) end
      assert.are.equal(expected, count, "seed " .. seed)
    end
  end)
end)

describe("the end of a window", function()
  it("S20: it fires at the watermark end - 1", function()
    assert.are.equal(4999, tonumber(C.window_max_timestamp(window(0, 5000))))
    assert.is_false(C.window_is_complete(window(0, 5000), 4998))
    assert.is_true(C.window_is_complete(window(0, 5000), 4999))
  end)

  it("S20, S25: late by window, and late by itself", function()
    assert.is_false(C.window_is_late(window(0, 2000), 500, 2498))
    assert.is_true(C.window_is_late(window(0, 2000), 500, 2499))
    assert.is_false(C.window_record_is_late(1998, 500, 2497))
    assert.is_true(C.window_record_is_late(1998, 500, 2498))
  end)

  it("S24, L2: it is forgotten after the lateness; beyond 2^53 that is never", function()
    assert.are.equal(2499, tonumber(C.window_cleanup_time(window(0, 2000), 500)))
    assert.are.equal(limit, tonumber(C.window_cleanup_time(window(0, limit - 9), 10)))
    assert.is_true(C.window_cleanup_time(window(0, limit - 9), 11) == max)
    assert.is_true(C.window_cleanup_time(window(0, max), 0) == max)
    assert.is_true(C.window_cleanup_time(window(0, 2000), limit) == max)
    assert.is_false(C.window_is_late(window(0, max), 0, limit))
    assert.is_true(C.window_is_late(window(0, max), 0, max))
  end)

  it("L2: an end beyond 2^53 is MAX, and fires with the watermark MAX alone", function()
    local at = ffi.new "struct window"
    assert.are.equal(1, C.window_last(shape(10), limit, at))
    assert.is_true(at["end"] == max and C.window_max_timestamp(at) == max)
    assert.is_false(C.window_is_complete(at, limit))
    assert.is_true(C.window_is_complete(at, max))
    assert.are.equal(0, C.window_session(max, 10, at))
    assert.is_true(at.start == max and at["end"] == max)
  end)

  it("S28: a continuous trigger fires at multiples, at most at the end; negative times align upwards", function()
    local function next_fire(of, time, interval) return tonumber(C.window_next_fire(of, time, interval)) end
    assert.are.equal(3000, next_fire(window(0, 10000), 0, 3000))
    assert.are.equal(3000, next_fire(window(0, 10000), 2999, 3000))
    assert.are.equal(6000, next_fire(window(0, 10000), 3000, 3000))
    assert.are.equal(9999, next_fire(window(0, 10000), 9500, 3000))
    assert.are.equal(3000, next_fire(window(-5000, 5000), -1, 3000))
    assert.are.equal(0, next_fire(window(-5000, 5000), -3001, 3000))
    assert.is_true(C.window_next_fire(window(0, max), max, 3000) == max)
  end)
end)

--- Put windows in one after the other, as records of a key do; answers what is left, and how often something merged.
local function merged(...)
  local list, count, merges = ffi.new("struct window[16]"), 0, 0
  local merge = ffi.new "struct window_merge"
  for _, added in ipairs { ... } do
    C.window_merge(list, count, window(added[1], added[2]), merge)
    local behind = merge.first + merge.count
    local tail = {}
    for i = behind, count - 1 do tail[#tail + 1] = window(list[i].start, list[i]["end"]) end
    list[merge.first] = merge.window
    for i, one in ipairs(tail) do list[merge.first + i] = one end
    count = merge.first + 1 + #tail
    merges = merges + (merge.merged and 1 or 0)
  end
  local texts = {}
  for i = 0, count - 1 do texts[#texts + 1] = text(list[i]) end
  return table.concat(texts, " "), merges
end

describe("sessions", function()
  it("S29, T27: windows that touch are one", function()
    assert.is_true(C.window_intersects(window(10, 20), window(20, 30)))
    assert.is_true(C.window_intersects(window(20, 30), window(10, 20)))
    assert.is_false(C.window_intersects(window(10, 20), window(21, 30)))
    assert.are.equal("[0,3) [4,6)", (merged({ 0, 1 }, { 1, 2 }, { 2, 3 }, { 4, 5 }, { 5, 6 })))
    assert.are.equal("[0,3) [4,6)", (merged({ 5, 6 }, { 2, 3 }, { 4, 5 }, { 0, 1 }, { 1, 2 })))
    assert.are.equal("[0,2) [4,7)", (merged({ 1, 1 }, { 0, 2 }, { 4, 7 }, { 5, 6 })))
  end)

  it("T27: no merge is told where nothing merged", function()
    assert.are.equal(0, select(2, merged { 0, 1 }))
    assert.are.equal(0, select(2, merged({ 0, 5 }, { 1, 4 }, { 7, 9 })))
    assert.are.equal(1, select(2, merged({ 0, 5 }, { 1, 6 })))
    assert.are.equal(1, select(2, merged({ 0, 2 }, { 4, 6 }, { 1, 5 })))
  end)

  it("S29d: a shorter gap does not shrink a session; a gap of 0 is an error", function()
    assert.are.equal("[0,100)", (merged({ 0, 100 }, { 50, 60 })))
    local at = ffi.new "struct window"
    assert.are.equal(0, C.window_session(-5, 3, at))
    assert.are.equal("[-5,-2)", text(at))
    assert.is_true(C.window_session(0, 0, at) < 0)
    assert.is_true(C.window_session(0, -1, at) < 0)
  end)

  it("merges random windows as a sweep over all of them does", function()
    local seed = os.time()
    math.randomseed(seed)
    for _ = 1, 200 do
      local list = {}
      for i = 1, math.random(12) do
        local first = math.random(60)
        list[i] = { first, first + math.random(0, 8) }
      end
      local found = merged(unpack(list))
      table.sort(list, function(a, b) return a[1] < b[1] end)
      local swept = {}
      for _, one in ipairs(list) do
        local last = swept[#swept]
        if last and one[1] <= last[2] then last[2] = math.max(last[2], one[2]) else swept[#swept + 1] = { one[1], one[2] } end
      end
      for i, one in ipairs(swept) do swept[i] = ("[%d,%d)"):format(one[1], one[2]) end
      assert.are.equal(table.concat(swept, " "), found, "seed " .. seed)
    end
  end)
end)

describe("the time evictor", function()
  local function kept(duration, ...)
    local count = select("#", ...)
    local indices = ffi.new("uint32_t[?]", count + 1)
    local list = {}
    for i = 0, C.window_keep_recent(ffi.new("int64_t[?]", count, ...), count, duration, indices) - 1 do list[#list + 1] = indices[i] end
    return table.concat(list, " ")
  end

  it("S30: removes what is as old as the duration or older, counted from the latest", function()
    assert.are.equal("1 2", kept(2000, 1000, 4000, 2001, 2000))
    assert.are.equal("", kept(2000))
    assert.are.equal("0 1", kept(2000, none, none))
    assert.are.equal("0 1", kept(2000, none, 5000, 3000))
  end)
end)
