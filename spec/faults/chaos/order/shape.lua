-- What is drawn for each stream of the job of one order, from the number of the round.
local draw = require "support.draw"

local M = {}

local pick = draw.pick

local function window(random)
  local kind, size = pick(random, { "tumbling", "sliding", "session" }), pick(random, { 300, 1000 })
  if kind == "session" then return { kind = kind, time = "event", size = pick(random, { 150, 300 }) } end
  local slide = kind == "sliding" and size / 2 or size
  return { kind = kind, time = "event", size = size, slide = slide, offset = random(0, slide - 1) }
end

--- A list, one for each source, by its `name`: of the steps behind it.
function M.of(seed)
  local shapes = {}
  for i, name in ipairs { "file", "source", "generator", "sequence" } do
    local random = draw.generator(seed + i * 7919)
    shapes[i] = {
      name = name, emit = pick(random, { 1, 7, 50, 333 }), out_of_orderness = pick(random, { 0, 300, 1000 }),
      window = window(random), lateness = pick(random, { 0, 500 }), trigger = { kind = "event_time", purging = false },
    }
  end
  return shapes
end

return M
