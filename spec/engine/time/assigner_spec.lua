local ffi = require "ffi"
local C = require "support.engine"
local codec = require "support.codec"

local max, none, nothing = 0x7fffffffffffffffLL, -0x7fffffffffffffffLL - 1, -0x7fffffffffffffffLL

local Assigner = {}
Assigner.__index = Assigner

local function config(options)
  return ffi.new("struct assigner_config", {
    max_out_of_orderness = options.max_out_of_orderness or 0, punctuated_alone = options.punctuated_alone or false, emit = options.emit or 1,
    idle_timeout = options.idle_timeout or max, subtask = options.subtask or 0, parallelism = options.parallelism or 1,
  })
end

--- An assigner with the channel "" unless `splits` are given: names to channels.
local function assigner(options)
  options = options or {}
  local handle = C.assigner_new(config(options))
  assert(handle ~= nil, ffi.string(C.error_message()))
  local self = setmetatable({ handle = ffi.gc(handle, C.assigner_free), channels = {}, now = 0, event = ffi.new "struct valve_event" }, Assigner)
  for _, blob in ipairs(options.restore or {}) do
    assert(C.assigner_restore(self.handle, codec.slice(blob)) == 0, "restore")
  end
  for _, name in ipairs(options.splits or { "" }) do self:open(name) end
  return self
end

function Assigner:open(name) self.channels[name] = C.assigner_channel(self.handle, codec.slice(name), self.now) end

function Assigner:events(out)
  out = out or {}
  while C.assigner_next_event(self.handle, self.event) do
    local kind = self.event.kind
    out[#out + 1] = kind == 2 and "IDLE" or kind == 3 and "ACTIVE"
      or "W" .. (self.event.watermark == max and "MAX" or tostring(tonumber(self.event.watermark)))
  end
  return out
end

--- Records of a split: times, or { time, watermark of the function }. Answers times and events in the order in which they leave.
function Assigner:read(name, records)
  local times, watermarks, punctuated, out = ffi.new("int64_t[?]", #records + 1), ffi.new("int64_t[?]", #records + 1), false, {}
  for i, record in ipairs(records) do
    times[i - 1], watermarks[i - 1] = type(record) == "table" and record[1] or record, none
    if type(record) == "table" then watermarks[i - 1], punctuated = record[2], true end
  end
  local from = 0
  repeat
    local to = C.assigner_advance(self.handle, self.channels[name], times, punctuated and watermarks or nil, from, #records, self.now)
    for i = from, to - 1 do out[#out + 1] = tostring(tonumber(times[i])) end
    self:events(out)
    from = to
  until from >= #records
  return table.concat(out, " ")
end

function Assigner:clock(now, back_pressured, busy)
  self.now = now
  local next_call = C.assigner_clock(self.handle, now, back_pressured or false, not busy)
  self.next = next_call == max and "never" or tonumber(next_call)
  return table.concat(self:events(), " ")
end

function Assigner:close(name)
  C.assigner_channel_end(self.handle, self.channels[name])
  return table.concat(self:events(), " ")
end

function Assigner:without_split()
  C.assigner_without_split(self.handle)
  return table.concat(self:events(), " ")
end

function Assigner:finish()
  C.assigner_end(self.handle)
  return table.concat(self:events(), " ")
end

function Assigner:snapshot()
  local buffer = ffi.new "struct buffer"
  C.buffer_init(buffer)
  C.assigner_snapshot(self.handle, buffer)
  local blob = codec.text_of(buffer)
  C.buffer_deinit(buffer)
  return blob
end

describe("bounded watermarks", function()
  it("T51: highest - d - 1", function()
    local a = assigner { max_out_of_orderness = 10 }
    assert.are.equal("", a:clock(1000))
    assert.are.equal("1337 W1326", a:read("", { 1337 }))
    a = assigner { max_out_of_orderness = 10, emit = 4 }
    assert.are.equal("12345 12300 12340 12280 W12334", a:read("", { 12345, 12300, 12340, 12280 }))
  end)

  it("come after every `emit` records of the split, wherever batches are cut", function()
    local a = assigner { emit = 3 }
    assert.are.equal("1 2", a:read("", { 1, 2 }))
    assert.are.equal(1, C.assigner_room(a.handle, 0))
    assert.are.equal("5 W4 4 3 2 9", a:read("", { 5, 4, 3, 2, 9 }))
    assert.are.equal("1 20 W19", a:read("", { 1, 20 }))
    assert.are.equal(3, C.assigner_room(a.handle, 0))
  end)

  it("S12: only rise", function()
    assert.are.equal("5 W4 3 5 6 W5", assigner():read("", { 5, 3, 5, 6 }))
  end)

  it("are sent when the source waits for 200 ms", function()
    local a = assigner { emit = 1000 }
    assert.are.equal("7 9 8", a:read("", { 7, 9, 8 }))
    assert.are.equal("", a:clock(199))
    assert.are.equal(200, a.next)
    assert.are.equal("W8", a:clock(200))
    assert.are.equal("", a:clock(1000))
    assert.are.equal("never", a.next)
  end)

  it("are not sent when the source does not wait, however long its records take", function()
    local a = assigner { emit = 1000 }
    a:read("", { 7, 9, 8 })
    assert.are.equal("", a:clock(200, false, true))
    assert.are.equal("", a:clock(10000, false, true))
    assert.are.equal("never", a.next)
    assert.are.equal("W8", a:clock(10001))
  end)

  it("S18, F2: the last one comes before MAX, which is heard also where the output is idle", function()
    local a = assigner { emit = 1000 }
    assert.are.equal("7", a:read("", { 7 }))
    assert.are.equal("W6 WMAX", a:finish())
    a = assigner { emit = 1000, idle_timeout = 10 }
    a:read("", { 7 })
    assert.are.equal("W6 IDLE", a:clock(11))
    assert.are.equal("ACTIVE WMAX", a:finish())
    assert.are.equal("WMAX", assigner { splits = {} }:finish())
  end)

  it("L2: no record, not even one at the end of time, makes MAX or a time beyond 2^53", function()
    assert.are.equal("9.2233720368548e+18 W" .. tostring(2 ^ 53 - 1), assigner():read("", { max }))
    assert.are.equal(tostring(-2 ^ 53), assigner():read("", { -2 ^ 53 }))
  end)
end)

describe("watermarks of the author's function", function()
  it("are sent behind their record, and alone", function()
    local a = assigner { punctuated_alone = true }
    assert.are.equal("5 W0 1 3 10 W5", a:read("", { { 5, 0 }, { 1, -4 }, { 3, nothing }, { 10, 5 } }))
    assert.are.equal("50", a:read("", { 50 }))
    assert.are.equal("", a:clock(1000))
    assert.are.equal("WMAX", a:finish())
  end)

  it("leave the bounded ones to splits without any", function()
    local a = assigner { punctuated_alone = true, emit = 2, splits = { "a" } }
    assert.are.equal("1 2 W1 3 4 W3", a:read("a", { 1, 2, 3, 4 }))
    assert.are.equal("5 6 W100 7 8", a:read("a", { 5, { 6, 100 }, 7, 8 }))
  end)

  it("stand beside the bounded ones where max_out_of_orderness is given", function()
    assert.are.equal("20 W9 5 W15 30 W19", assigner { max_out_of_orderness = 10 }:read("", { 20, { 5, 15 }, 30 }))
  end)

  it("do not end time", function()
    assert.are.equal("5 W" .. tostring(2 ^ 53), assigner { punctuated_alone = true }:read("", { { 5, max } }))
  end)
end)

describe("splits", function()
  it("T47, S12, S13: the lowest of all", function()
    local a = assigner { splits = { "a", "b" } }
    assert.are.equal("10 20", a:read("a", { 10, 20 }))
    assert.are.equal("5 W4 7 W6 30 W19", a:read("b", { 5, 7, 30 }))
  end)

  it("a split that is read to its end leaves the lowest; the output stays", function()
    local a = assigner { splits = { "a", "b" }, emit = 2 }
    assert.are.equal("10 20 30", a:read("a", { 10, 20, 30 }))
    assert.are.equal("5 7 W6 9", a:read("b", { 5, 7, 9 }))
    assert.are.equal("W19", a:close "b")
    assert.are.equal("W29", a:close "a")
    a:open "c"
    assert.are.equal("", a:clock(0))
    assert.are.equal("3 25 40 41 W40", a:read("c", { 3, 25, 40, 41 }))
    assert.are.equal("WMAX", a:finish())
  end)

  it("F3: a subtask without splits is idle until it gets one", function()
    local a = assigner { splits = { "a" } }
    assert.are.equal("5 W4", a:read("a", { 5 }))
    assert.are.equal("", a:close "a")
    assert.are.equal("IDLE", a:without_split())
    assert.are.equal("", a:without_split())
    a:open "b"
    assert.are.equal("ACTIVE", a:clock(1))
    assert.are.equal("9 W8", a:read("b", { 9 }))
    assert.are.equal("IDLE", assigner { splits = {} }:without_split())
  end)

  it("S16: the last active one ends while the others are idle", function()
    local a = assigner { splits = { "a", "b" }, idle_timeout = 10 }
    a:read("a", { 10 })
    assert.are.equal("5 W4", a:read("b", { 5 }))
    a.now = 11
    a:read("b", { 6 })
    assert.are.equal("", a:clock(11))
    assert.are.equal("W9 IDLE", a:close "b")
  end)
end)

describe("idleness", function()
  it("T51, S17: more than the timeout since the last event, or since the opening", function()
    local a = assigner { idle_timeout = 10 }
    assert.are.equal("", a:clock(10))
    assert.are.equal(11, a.next)
    assert.are.equal("IDLE", a:clock(11))
    assert.are.equal("never", a.next)
    assert.are.equal("", a:clock(50))
    assert.are.equal("ACTIVE 7 W6", a:read("", { 7 }))
    assert.are.equal("", a:clock(60))
    assert.are.equal("IDLE", a:clock(61))
  end)

  it("S17: zero and less are an error, and so are other options out of range", function()
    for _, wrong in ipairs { { idle_timeout = 0 }, { idle_timeout = -1 }, { emit = 0 }, { max_out_of_orderness = -1 } } do
      assert.is_true(C.assigner_new(config(wrong)) == nil)
      assert.matches(next(wrong), ffi.string(C.error_message()))
    end
  end)

  it("S17: the clock stands while the input is back-pressured", function()
    local a = assigner { idle_timeout = 10 }
    assert.are.equal("", a:clock(5, true))
    assert.are.equal("never", a.next)
    assert.are.equal("", a:clock(500, true))
    assert.are.equal("", a:clock(1005))
    assert.are.equal(1011, a.next)
    assert.are.equal("", a:clock(1010))
    assert.are.equal("IDLE", a:clock(1011))
  end)

  it("S14: an idle split leaves the lowest", function()
    local a = assigner { splits = { "a", "b" }, idle_timeout = 10 }
    a:read("a", { 10 })
    assert.are.equal("5 W4", a:read("b", { 5 }))
    a.now = 11
    a:read("a", { 12 })
    assert.are.equal("W11", a:clock(11))
    assert.are.equal("6 13", a:read("b", { 6, 13 }))
    assert.are.equal("20 W12", a:read("a", { 20 }))
  end)

  it("F4: splits that go idle in the same round give the highest, in whatever order they were opened", function()
    for _, order in ipairs { { "a", "b", "c" }, { "c", "b", "a" }, { "b", "a", "c" } } do
      local a = assigner { splits = order, idle_timeout = 10 }
      a:read("a", { 5 })
      a:read("b", { 6 })
      assert.are.equal("8 W4", a:read("c", { 8 }))
      assert.are.equal("W7 IDLE", a:clock(11))
    end
  end)

  it("F4: the same where one of them is behind the output", function()
    local a = assigner { splits = { "a", "b", "behind" }, idle_timeout = 10 }
    a:read("a", { 21 })
    a:read("b", { 31 })
    assert.are.equal("11 W10", a:read("behind", { 11 }))
    a.now = 8
    a:read("a", { 21 })
    a:read("b", { 31 })
    assert.are.equal("W20", a:clock(11))
    assert.are.equal("12", a:read("behind", { 12 }))
    assert.are.equal("W30 IDLE", a:clock(23))
  end)
end)

describe("the state of an assigner", function()
  it("S9: the last watermark is sent again before the first record, and the next ones at the same places", function()
    local a = assigner { emit = 3, splits = { "a" } }
    assert.are.equal("1 2 3 W2 4 5", a:read("a", { 1, 2, 3, 4, 5 }))
    local again = assigner { emit = 3, splits = { "a" }, restore = { a:snapshot() } }
    assert.are.equal("W2 2 W4 7 8", again:read("a", { 2, 7, 8 }))
  end)

  it("S9: no split that was open is overtaken by another at the restore", function()
    local a = assigner { splits = { "a", "b" } }
    a:read("a", { 100 })
    assert.are.equal("50 W49", a:read("b", { 50 }))
    local again = assigner { splits = { "a", "b" }, restore = { a:snapshot() } }
    assert.are.equal("W49 101 102", again:read("a", { 101, 102 }))
  end)

  it("S9: a split that was read behind the output is judged by the output again", function()
    local a = assigner { splits = { "a" } }
    a:read("a", { 100 })
    a:close "a"
    a:open "b"
    assert.are.equal("50", a:read("b", { 50 }))
    local again = assigner { splits = { "b" }, restore = { a:snapshot() } }
    assert.are.equal("W99 60 101 W100", again:read("b", { 60, 101 }))
  end)

  it("S9: that holds for whoever reads the split next, though it is behind the first one's output", function()
    local a, b = assigner { subtask = 0, parallelism = 2, splits = { "a" } }, assigner { subtask = 1, parallelism = 2, splits = { "c" } }
    a:read("a", { 100 })
    a:close "a"
    a:open "b"
    assert.are.equal("50", a:read("b", { 50 }))
    b:read("c", { 20 })
    local again = assigner { subtask = 1, parallelism = 2, splits = { "b" }, restore = { a:snapshot(), b:snapshot() } }
    assert.are.equal("W99 60 101 W100", again:read("b", { 60, 101 }))
  end)

  it("S12: a lower watermark is not what a split has sent", function()
    local a = assigner { punctuated_alone = true, splits = { "a", "b" } }
    a:read("b", { { 3, 1 } })
    assert.are.equal("5 W1 6", a:read("a", { { 5, 4 }, { 6, 2 } }))
    local again = assigner { punctuated_alone = true, splits = { "a" }, restore = { a:snapshot() } }
    assert.are.equal("W4", again:clock(0))
  end)

  it("S9: of two that remember a split, the one that read more of it is right", function()
    local a = assigner { subtask = 0, parallelism = 2, emit = 10, splits = { "a" } }
    a:read("a", { 100 })
    local old = a:snapshot()
    a = assigner { subtask = 0, parallelism = 2, emit = 10, splits = {}, restore = { old } }
    a:without_split()
    local b = assigner { subtask = 1, parallelism = 2, emit = 10, splits = { "a" }, restore = { old } }
    b:read("a", { 200 })
    local again = assigner { subtask = 1, parallelism = 2, emit = 10, splits = { "a" }, restore = { a:snapshot(), b:snapshot() } }
    assert.are.equal("W199 WMAX", again:finish())
  end)

  it("S9: a subtask whose splits had all ended begins where the last of the others was", function()
    local a, b = assigner { subtask = 0, parallelism = 2, splits = { "a" } }, assigner { subtask = 1, parallelism = 2, splits = { "b" } }
    a:read("a", { 100 })
    a:close "a"
    b:read("b", { 70 })
    local again = assigner { subtask = 1, parallelism = 2, splits = { "c" }, restore = { a:snapshot(), b:snapshot() } }
    assert.are.equal("W69", again:clock(0))
    a:without_split()
    b:read("b", { 90 })
    again = assigner { splits = {}, restore = { b:snapshot(), a:snapshot() } }
    assert.are.equal("W89 IDLE", again:without_split())
  end)

  it("is found by whichever subtask reads the split next, over several restores", function()
    local a, b = assigner { subtask = 0, parallelism = 2, splits = { "a" } }, assigner { subtask = 1, parallelism = 2, splits = { "b", "c" } }
    a:read("a", { 10 })
    b:read("b", { 20 })
    b:read("c", { 30 })
    local blobs = { a:snapshot(), b:snapshot() }
    -- "b" moves to subtask 0; nobody asks for "c" in this attempt, and "a" ends elsewhere.
    a = assigner { subtask = 0, parallelism = 2, splits = { "b" }, restore = blobs }
    b = assigner { subtask = 1, parallelism = 2, splits = { "a" }, restore = blobs }
    assert.are.equal("W19 25 W24", a:read("b", { 25 }))
    assert.are.equal("W9", b:clock(0))
    b:close "a"
    blobs = { a:snapshot(), b:snapshot() }
    assert.is_nil(blobs[2]:find("c", 1, true))
    b = assigner { subtask = 2, parallelism = 3, splits = { "b", "c" }, restore = blobs }
    assert.are.equal("W24 40 W29", b:read("b", { 40 }))
    -- Nobody remembers "a" any more.
    a = assigner { subtask = 0, parallelism = 3, splits = {}, restore = blobs }
    a:without_split()
    assert.is_nil(a:snapshot():find("a", 1, true))
  end)

  it("S9: of records from no split goes to the same subtask, at another parallelism if it alone had some", function()
    local function starts(readers, parallelism)
      local blobs = {}
      for subtask = 0, 2 do
        local a = assigner { subtask = subtask, parallelism = 3 }
        if subtask < readers then a:read("", { 20 - subtask * 10 }) end
        blobs[subtask + 1] = a:snapshot()
      end
      local function start(subtask) return assigner { subtask = subtask, parallelism = parallelism, restore = blobs }:clock(0) end
      return { start(0), start(1) }
    end
    assert.are.same({ { "W19", "" }, { "W19", "" }, { "W19", "W9" } }, { starts(1, 2), starts(1, 4), starts(2, 3) })
    for _, parallelism in ipairs { 2, 4 } do assert.are.same({ "", "" }, starts(2, parallelism)) end -- each may read what others did
  end)

  it("S9: of records from no split is counted on at another parallelism", function()
    local a, b = assigner { subtask = 0, parallelism = 2, emit = 3 }, assigner { subtask = 1, parallelism = 2, emit = 3 }
    a:read("", { 10, 20, 15, 40 })
    local again = assigner { subtask = 0, parallelism = 1, emit = 3, restore = { b:snapshot(), a:snapshot() } }
    assert.are.equal("W19 18 17 W39", again:read("", { 18, 17 }))
  end)

  it("remembers that the function answers watermarks", function()
    local a = assigner { punctuated_alone = true }
    a:read("", { { 5, 0 } })
    assert.are.equal("W0 50", assigner { punctuated_alone = true, restore = { a:snapshot() } }:read("", { 50 }))
  end)

  it("is refused when it is damaged, at every byte where it is cut", function()
    local a = assigner { splits = { "some", "splits" } }
    a:read("some", { 1234567 })
    local blob, fresh = a:snapshot(), assigner { splits = {} }
    for bytes = 0, #blob - 1 do
      assert.is_true(C.assigner_restore(fresh.handle, codec.exact(blob:sub(1, bytes))) < 0)
    end
    local seed = os.time()
    local random = codec.random(seed)
    for _ = 1, 2000 do C.assigner_restore(fresh.handle, codec.exact(random:flip(blob))) end
    assert.is_true(C.assigner_restore(fresh.handle, codec.exact(blob .. "x")) < 0)
  end)
end)

describe("an assigner over random input", function()
  --- What an assigner over three splits says for a run in which each split is cut into batches at random.
  local function run(random, cuts, input, emit)
    local a, out, at = assigner { splits = { "a", "b", "c" }, emit = emit, max_out_of_orderness = 20 }, {}, { a = 1, b = 1, c = 1 }
    for i = 1, #cuts do
      local name = cuts[i]
      local batch, left = {}, random:below(7) + 1
      if i == #cuts then left = #input[name] end
      for _ = 1, left do
        batch[#batch + 1] = input[name][at[name]]
        at[name] = at[name] + 1
      end
      out[#out + 1] = a:read(name, batch)
    end
    return table.concat(out, " "), a
  end

  it("says only watermarks that rise and that no active split is behind of", function()
    local seed = os.time()
    local random = codec.random(seed)
    for _ = 1, 30 do
      local input, cuts = { a = {}, b = {}, c = {} }, {}
      for _, list in pairs(input) do
        for i = 1, 800 do list[i] = i * 5 + random:below(25) end
      end
      for i = 1, 100 do cuts[i] = ({ "a", "b", "c" })[random:below(3) + 1] end
      local text, a = run(random, cuts, input, random:below(9) + 1)
      local last = -math.huge
      for watermark in text:gmatch("W(%-?%d+)") do
        assert.is_true(tonumber(watermark) > last, "seed " .. seed)
        last = tonumber(watermark)
      end
      for _, name in ipairs { "a", "b", "c" } do
        assert.is_true(C.assigner_room(a.handle, a.channels[name]) >= 1, "seed " .. seed)
      end
      assert.matches("WMAX$", a:finish())
    end
  end)

  it("says the same for a split however its batches are cut", function()
    local seed = os.time()
    local random = codec.random(seed)
    local times = {}
    for i = 1, 500 do times[i] = random:below(3000) end
    local whole = assigner { emit = 7, max_out_of_orderness = 100 }:read("", times)
    for _ = 1, 20 do
      local a, out, at = assigner { emit = 7, max_out_of_orderness = 100 }, {}, 1
      while at <= #times do
        local to = math.min(at + random:below(30), #times)
        out[#out + 1] = a:read("", { unpack(times, at, to) })
        at = to + 1
        if random:below(3) == 0 then a = assigner { emit = 7, max_out_of_orderness = 100, restore = { a:snapshot() } } end
      end
      -- What a restore says again is left out.
      local seen, last = {}, nil
      for word in table.concat(out, " "):gmatch("%S+") do
        if word:sub(1, 1) ~= "W" or word ~= last then seen[#seen + 1] = word end
        last = word:sub(1, 1) == "W" and word or last
      end
      assert.are.equal(whole, table.concat(seen, " "), "seed " .. seed)
    end
  end)

  it("shows its channels: names, how far they are, since when they are silent, which one holds time back", function()
    local a = assigner { splits = { "a", "b", "c" }, idle_timeout = 50 }
    local view = ffi.new "struct assigner_view"
    local function shown(channel, now)
      assert.is_true(C.assigner_view(a.handle, channel, now, view))
      if not view.open then return "closed" end
      local highest = view.highest == none and "none" or tostring(tonumber(view.highest))
      return ("%s %s silent %d%s%s"):format(ffi.string(view.name.data, view.name.bytes), highest, tonumber(view.silent_ms),
        view.idle and " idle" or "", view.holds and " holds" or "")
    end
    a:clock(10)
    a:read("a", { 30 })
    a:read("b", { 20 })
    a:close "c"
    assert.are.same({ "a 30 silent 5", "b 20 silent 5 holds", "closed" }, { shown(0, 15), shown(1, 15), shown(2, 15) })
    a:clock(40)
    a:read("a", { 40 })
    a:clock(61)
    assert.are.same({ "a 40 silent 21 holds", "b 20 silent 51 idle" }, { shown(0, 61), shown(1, 61) })
    a:clock(70, true) -- S17: the clock stands under back pressure
    assert.are.equal("a 40 silent 30 holds", shown(0, 1000))
    assert.is_false(C.assigner_view(a.handle, 3, 61, view))
  end)
end)
