local ffi = require "ffi"
local C = require "support.engine"

-- Steps as the cases are written: "B1/2" a barrier on channel 2, "X1/2" a cancel mark, "E2" an end, "d0" data.
local Aligned = {}
Aligned.__index = Aligned

local function aligned(channels, at_least_once)
  return setmetatable({ channels = channels, handle = ffi.gc(C.aligner_new(channels, at_least_once or false), C.aligner_free) }, Aligned)
end

function Aligned:step(word)
  local kind, id, channel = word:match("^([BX])(%d+)/(%d+)$")
  if kind == "B" then
    C.aligner_barrier(self.handle, tonumber(channel), tonumber(id))
  elseif kind == "X" then
    C.aligner_cancel(self.handle, tonumber(id))
  elseif word:sub(1, 1) == "E" then
    C.aligner_end(self.handle, tonumber(word:sub(2)))
  else
    assert(not self:is_blocked(tonumber(word:sub(2))), word .. " on a blocked channel")
  end
end

function Aligned:is_blocked(channel) return C.aligner_blocked(self.handle, channel) end

function Aligned:blocked()
  local list = {}
  for channel = 0, self.channels - 1 do
    if self:is_blocked(channel) then list[#list + 1] = channel end
  end
  return table.concat(list, ",")
end

local names = { [1] = "trig ", [2] = "cancel " }

--- What the steps lead to: "trig 1", "cancel 2", in order.
function Aligned:run(words)
  local out, event = {}, ffi.new("struct aligner_event")
  for word in words:gmatch("%S+") do
    self:step(word)
    while C.aligner_next_event(self.handle, event) do out[#out + 1] = names[event.kind] .. tonumber(event.checkpoint) end
  end
  return table.concat(out, " ")
end

describe("the aligner, exactly once", function()
  it("S35, T53: three channels block one after the other and are freed by the last barrier", function()
    local a = aligned(3)
    assert.are.equal("", a:run("d0 d2 d0 B1/1"))
    assert.are.equal("1", a:blocked())
    assert.are.equal("", a:run("B1/2"))
    assert.are.equal("1,2", a:blocked())
    assert.are.equal("trig 1", a:run("d0 B1/0"))
    assert.are.equal("", a:blocked())
    assert.are.equal("trig 2", a:run("d0 d0 d1 d1 d2 B2/0 B2/1 B2/2"))
    assert.are.equal("trig 3", a:run("d2 d2 B3/2 d0 d0 B3/0 B3/1"))
    assert.are.equal("trig 4", a:run("B4/1 B4/2 B4/0"))
  end)

  it("S35, T53: a single channel triggers at once", function()
    local a = aligned(1)
    assert.are.equal("trig 1", a:run("d0 B1/0"))
    assert.are.equal("trig 2", a:run("B2/0"))
    assert.are.equal("", a:blocked())
  end)

  it("S36: a newer barrier on a free channel gives the pending one up, and is announced after it", function()
    local a = aligned(3)
    assert.are.equal("", a:run("B1/0 B1/1"))
    assert.are.equal("cancel 1", a:run("B2/2"))
    assert.are.equal("2", a:blocked())
    assert.are.equal(2, tonumber(C.aligner_pending(a.handle)))
    assert.are.equal("trig 2", a:run("d0 d1 B2/0 B2/1"))
  end)

  it("S36: a barrier of an id that was given up is ignored and its channel goes on", function()
    local a = aligned(2)
    assert.are.equal("cancel 1", a:run("B1/0 B2/1"))
    assert.are.equal("", a:run("B1/0"))
    assert.are.equal("1", a:blocked())
    assert.are.equal("trig 2", a:run("B2/0"))
    assert.are.equal("", a:run("B1/0 B2/1"))
    assert.are.equal("", a:blocked())
  end)

  it("S37: a cancel mark gives up the pending checkpoint, once", function()
    local a = aligned(2)
    assert.are.equal("cancel 1", a:run("B1/0 X1/1"))
    assert.are.equal("", a:blocked())
    assert.are.equal("", a:run("X1/0 B1/1 B1/0"))
    assert.are.equal("", a:blocked())
    assert.are.equal("trig 2", a:run("B2/0 B2/1"))
    assert.are.equal("", a:run("X2/0 X1/1"))
  end)

  it("S37: a mark of a later id gives up both, in order; one that comes first makes the barriers ignored", function()
    local a = aligned(2)
    assert.are.equal("cancel 1 cancel 3", a:run("B1/0 X3/1"))
    assert.are.equal("", a:run("B3/0 B2/1"))
    assert.are.equal("cancel 4", a:run("X4/0"))
    assert.are.equal("", a:run("B4/0 B4/1"))
    assert.are.equal("", a:blocked())
  end)

  it("S38, T55: closed channels are never waited for (four channels)", function()
    local a = aligned(4)
    assert.are.equal("trig 2", a:run("E2 E1 d0 d0 d3 B2/3 B2/0"))
    assert.are.equal("trig 3", a:run("B3/0 B3/3"))
    assert.are.equal("trig 4", a:run("d0 d0 d3 E0 d3 B4/3"))
  end)

  it("S38, T55: an end counts as a barrier (three channels)", function()
    assert.are.equal("trig 1", aligned(3):run("B1/0 B1/1 E2"))
    local a = aligned(3)
    assert.are.equal("", a:run("B2/0 B2/1 E1"))
    assert.are.equal("trig 2", a:run("B2/2"))
    a = aligned(3)
    assert.are.equal("trig 6", a:run("E2 B6/0 B6/1"))
    assert.are.equal("trig 7", a:run("E1 B7/0"))
  end)
end)

describe("the aligner, at least once (S39)", function()
  local function free(channels) return aligned(channels, true) end

  it("blocks nothing and triggers when all have sent the id", function()
    local a = free(3)
    assert.are.equal("", a:run("B1/1 B1/2"))
    assert.are.equal("", a:blocked())
    assert.are.equal("trig 1", a:run("d1 d2 B1/0"))
  end)

  it("keeps several pending ids: a later barrier does not give up an earlier one", function()
    local a = free(2)
    assert.are.equal("", a:run("B1/0 B2/0"))
    assert.are.equal("trig 1", a:run("B1/1"))
    assert.are.equal("trig 2", a:run("B2/1"))
  end)

  it("completing an id gives up all that are older", function()
    local a = free(2)
    assert.are.equal("", a:run("B1/0 B2/0 B3/0"))
    assert.are.equal("cancel 1 trig 2", a:run("B2/1"))
    assert.are.equal("trig 3", a:run("B3/1"))
  end)

  it("an end completes what only that channel was missing", function()
    local a = free(3)
    assert.are.equal("", a:run("B1/0 B1/1"))
    assert.are.equal("trig 1", a:run("E2"))
    assert.are.equal("trig 2", a:run("B2/0 B2/1"))
  end)

  it("S37: a cancel mark gives up its id and those before it, in order, for ever", function()
    local a = free(2)
    assert.are.equal("cancel 1 cancel 2", a:run("B1/0 B2/0 B3/0 X2/1"))
    assert.are.equal("", a:run("B1/1 B2/1 X2/0 X1/0"))
    assert.are.equal("trig 3", a:run("B3/1"))
    assert.are.equal("cancel 4", a:run("X4/0"))
    assert.are.equal("", a:run("B4/0 B4/1"))
  end)
end)

describe("the aligner, at least once, far behind", function()
  it("gives up the oldest of very many pending ids, and events are never lost", function()
    local a, cancelled = aligned(2, true), 0
    for id = 1, 1000 do
      if a:run(("B%d/0"):format(id)) == "cancel " .. id - 128 then cancelled = cancelled + 1 end
    end
    assert.are.equal(1000 - 128, cancelled)
    local all = a:run("B1000/1")
    assert.are.equal("cancel 873", all:match("^cancel %d+"))
    assert.are.equal("trig 1000", all:match("trig %d+$"))
    assert.are.equal(128, select(2, all:gsub("%d+", "")))
  end)
end)

describe("the aligner, on random sequences", function()
  local function round(a, channels, random)
    local id, ended, live = 0, {}, channels
    local triggered, cancelled = {}, {}
    for _ = 1, 200 do
      local channel = random(channels)
      local word
      if not ended[channel] and not a:is_blocked(channel) then
        local dice = random(20)
        if dice == 0 and live > 1 then
          word, ended[channel], live = "E" .. channel, true, live - 1
        elseif dice < 4 then
          id = id + random(2)
          if id > 0 then word = ("B%d/%d"):format(id, channel) end
        elseif dice == 4 and id > 0 then
          word = ("X%d/%d"):format(id, channel)
        end
      end
      for kind, number in (word and a:run(word) or ""):gmatch("(%a+) (%d+)") do
        local list = kind == "trig" and triggered or cancelled
        list[#list + 1] = tonumber(number)
      end
    end
    return triggered, cancelled
  end

  it("every id is triggered or given up at most once, in rising order", function()
    local seed = os.time()
    local state = seed
    local function random(n)
      state = (state * 1103515245 + 12345) % 2147483648
      return math.floor(state / 65536) % n
    end
    local settled = 0
    for channels = 1, 5 do
      local triggered, cancelled = round(aligned(channels), channels, random)
      local seen = {}
      for _, list in ipairs { triggered, cancelled } do
        for i, id in ipairs(list) do
          assert.is_nil(seen[id], ("id %d twice, seed %d"):format(id, seed))
          assert.is_true(i == 1 or list[i - 1] < id, ("order, seed %d"):format(seed))
          seen[id] = true
          settled = settled + 1
        end
      end
    end
    assert.is_true(settled > 20, "too little happened, seed " .. seed)
  end)
end)
