-- Rows of numbers under short keys are read in blocks, many at once; a row alone never is. So
-- whatever a list of rows holds, damage too, it must come out as its rows do one by one.
local ffi = require "ffi"
local keyed = require "engine.state.keyed"
local C = keyed.C

local seed = keyed.seed
local states = { { "first", "value" }, { "seen", "map" }, { "second", "value" } }
local FIRST, SEEN, SECOND, UNKNOWN = 11, 12, 13, 99

local function u16(number) return string.char(math.floor(number / 256), number % 256) end

local function bytes(count)
  local list = {}
  for i = 1, count do list[i] = string.char(math.random(0, 255)) end
  return table.concat(list)
end

local function double(number)
  return (ffi.string(ffi.new("double[1]", number), 8):reverse())
end

local numbers = {
  function() return string.char(math.random(0, 127)) end,
  function() return string.char(math.random(0xe0, 0xff)) end,
  function() return "\xcc" .. bytes(1) end,
  function() return "\xcd" .. bytes(2) end,
  function() return "\xce" .. bytes(4) end,
  function() return "\xcb" .. double(math.random() * 1e9 - 5e8) end,
}
local others = {
  function() return "\xcf" .. bytes(8) end,
  function() return "\xd0" .. bytes(1) end,
  function() return "\xd1" .. bytes(2) end,
  function() return "\xd2" .. bytes(4) end,
  function() return "\xd3" .. bytes(8) end,
  function() return "\xca" .. bytes(4) end,
  function() return "\xcb" .. double(1 / 0) end,
  function() return "\xcb" .. double(0 / 0) end,
  function() return "\xcb\xff" .. bytes(7) end,
  function() return "\xc0" end,
  function() return "\xa3abc" end,
  function() return "\x92\x01\x02" end,
}

local function any(list) return list[math.random(#list)]() end

local function slot(id, rare)
  local value = math.random() < rare and any(others) or any(numbers)
  local timed = math.random() < rare / 4
  return string.char(id) .. (timed and "\1" .. bytes(8) or "\0") .. value
end

local function value_of(rare)
  local slots = {}
  if math.random() < 0.8 then slots[#slots + 1] = slot(FIRST, rare) end
  if math.random() < 0.5 then slots[#slots + 1] = slot(SECOND, rare) end
  if math.random() < rare then slots[#slots + 1] = slot(UNKNOWN, rare) end
  if math.random() < rare / 4 then slots[#slots + 1] = string.char(SEEN) .. "\0\0" end
  if #slots == 2 and math.random() < 0.5 then slots[1], slots[2] = slots[2], slots[1] end
  return "\1" .. table.concat(slots)
end

describe("rows of numbers, restored in blocks", function()
  local backend, open, group_of

  setup(function() jit.off() end)
  teardown(function() jit.on() end)

  before_each(function()
    math.randomseed(seed)
    backend, open = keyed.backend(256 * 2 ^ 20), {}
    local any_state = keyed.new { states = states, backend = backend }
    open[1] = any_state
    group_of = function(key) return any_state:group_of(key) end
  end)

  after_each(function()
    for _, state in ipairs(open) do state:free() end
    C.backend_free(backend)
  end)

  local function random_key(count)
    local key = math.random(count)
    if key % 7 == 0 then return ("k"):rep(key % 40) .. key end
    return key % 3 == 0 and key * 1e6 or key % 3 == 1 and key + 0.5 or key
  end

  -- As the engine writes a key: what a state of one row has.
  local key_bytes = {}
  local function bytes_of(key)
    if not key_bytes[key] then
      local single = keyed.new { states = states, backend = backend }
      single:key(key)
      single.first:update(1)
      key_bytes[key] = keyed.parse(single:cut())[1].key
      single:free()
    end
    return key_bytes[key]
  end

  local function random_row(count, rare)
    local key = random_key(count)
    local whole = u16(group_of(key)) .. u16(1) .. bytes_of(key)
    if math.random() < rare then return string.char(#whole) .. whole .. "\0" end
    local value = value_of(rare)
    return string.char(#whole) .. whole .. string.char(#value + 1) .. value
  end

  -- Any byte but the two lengths, so that the list falls apart into the same rows.
  local function damaged(row)
    local value_at = 2 + row:byte(1)
    local at
    repeat at = math.random(2, #row) until at ~= value_at
    return row:sub(1, at - 1) .. string.char(math.random(0, 255)) .. row:sub(at + 1)
  end

  local function restore(list, groups)
    local state = keyed.new { states = states, backend = backend, groups = groups }
    local ok, message = state:restore(list)
    local rows, count = ok and state:dump_rows(), state:rows()
    state:free()
    return ok and { rows = rows, count = count } or message
  end

  local function compare(list, groups, what)
    local one_by_one, at_once = restore(list, groups), restore({ table.concat(list) }, groups)
    assert.are.same(one_by_one, at_once, ("seed %d, %s"):format(seed, what))
    return at_once
  end

  it("come out as one by one, whatever rows are between them", function()
    for round = 1, 60 do
      local list, rare = {}, ({ 0, 0.01, 0.3 })[round % 3 + 1]
      for i = 1, math.random(2500) do list[i] = random_row(600, rare) end
      local groups = round % 2 == 0 and { 20, 90 } or nil
      assert.is_table(compare(list, groups, "round " .. round))
    end
  end)

  it("are refused where one of them is", function()
    local refused = 0
    for round = 1, 150 do
      local list = {}
      for i = 1, 300 do list[i] = random_row(200, 0.01) end
      local at = math.random(#list)
      list[at] = damaged(list[at])
      if type(compare(list, nil, "round " .. round)) == "string" then refused = refused + 1 end
    end
    assert.is_true(refused > 20 and refused < 150, "refused " .. refused)
  end)

  it("are refused cut short anywhere but between rows", function()
    local list, ends, length = {}, {}, 0
    for i = 1, 40 do
      list[i] = random_row(100, 0)
      length = length + #list[i]
      ends[length] = true
    end
    local rows = table.concat(list)
    for at = 1, #rows do assert.are.equal(ends[at] or false, type(restore { rows:sub(1, at) }) == "table", ("seed %d, byte %d"):format(seed, at)) end
  end)
end)
