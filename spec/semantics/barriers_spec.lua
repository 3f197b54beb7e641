-- The cases of barriers over channels.
local variants = require "support.variants"

local function same(stream) return stream end

-- "d0" a record on channel 0, "B1/2" barrier 1 on channel 2, "E2" its end.
local function carry_out(h, word)
  local channels = h.inputs[1].channels
  local id, channel = word:match("^B(%d+)/(%d)$")
  channel = channels[tonumber(channel or word:sub(2)) + 1]
  if id then
    channel:barrier(tonumber(id))
  elseif word:sub(1, 1) == "E" then
    channel:finish()
  else
    channel:push(word)
  end
end

local function blocked(h)
  local list = {}
  for _, one in ipairs(h:blocked()) do list[#list + 1] = one.channel - 1 end
  return table.concat(list, " ")
end

-- Lines of words: `text` goes in, `trig` is the checkpoint that is taken by it, `held` the channels that wait behind it.
local function case(name, channels, lines)
  variants.it(it, name, { harness = { channels = channels } }, function(open, what)
    local h = open(same)
    local pushed, seen = 0, 0
    for _, line in ipairs(lines) do
      local triggered
      for word in line[1]:gmatch("%S+") do
        carry_out(h, word)
        pushed = pushed + (word:find("^d") and 1 or 0)
      end
      for _, element in ipairs(h:output()) do
        triggered = element.barrier or triggered
        seen = seen + (element.value and 1 or 0)
      end
      assert.are.equal(line.trig, triggered, what .. ": " .. line[1])
      assert.are.equal(line.held or "", blocked(h), what .. ": " .. line[1])
    end
    assert.are.equal(pushed, seen, what)
  end)
end

describe("barriers", function()
  case("S35, T53: of three channels", 3, {
    { "d0 d2 d0 B1/1", held = "1" }, { "B1/2", held = "1 2" }, { "d0 B1/0", trig = 1 },
    { "d0 d0 d1 d1 d2 B2/0 B2/1 B2/2", trig = 2 }, { "d2 d2 B3/2 d0 d0 B3/0", held = "0 2" }, { "B3/1", trig = 3 },
    { "B4/1 B4/2", held = "1 2" }, { "B4/0", trig = 4 },
  })

  case("S35, T53: of a single channel", 1, { { "d0 B1/0", trig = 1 }, { "B2/0", trig = 2 } })

  case("S38, T55: of four channels, of which some end", 4, {
    { "E2 E1 d0 d0 d3 B2/3", held = "3" }, { "B2/0", trig = 2 }, { "B3/0", held = "0" }, { "B3/3", trig = 3 },
    { "d0 d0 d3 E0 d3 B4/3", trig = 4 },
  })

  case("S38, T55: an end completes a checkpoint", 3, { { "B1/0 B1/1", held = "0 1" }, { "E2", trig = 1 } })

  case("S38, T55: an end behind a barrier counts once", 3, { { "B2/0 B2/1 E1", held = "0 1" }, { "B2/2", trig = 2 } })

  case("S38, T55: an end before a barrier", 3, { { "E2 B6/0 B6/1", trig = 6 }, { "E1 B7/0", trig = 7 } })
end)
