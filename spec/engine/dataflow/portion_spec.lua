local C = require "support.engine"

local ms = 1000000

describe("the portion of a chain", function()
  local function after(room, ...)
    local rooms = {}
    for _, ns_of_record in ipairs { ... } do
      room = C.portion_next(20 * ms, room, room, ns_of_record * room)
      rooms[#rooms + 1] = room
    end
    return rooms
  end

  it("doubles up to a whole batch where records are fast", function()
    assert.are.same({ 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024 }, after(1, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100))
  end)

  it("is at once what 20 ms are enough for where they are slow, but one record at least", function()
    assert.are.same({ 19, 3, 1, 1 }, after(1024, ms, 5 * ms, 100 * ms, 3600 * 1000 * ms))
  end)

  it("grows again when they are fast again", function()
    assert.are.same({ 1, 2, 4 }, after(1024, 20 * ms, 1000, 1000))
  end)

  it("is not held down by inputs of few records", function()
    assert.are.equal(128, C.portion_next(20 * ms, 64, 1, 10000))
  end)
end)
