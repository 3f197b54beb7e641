-- Rows in the order of their entries: how a sweep of much of a table writes them, and how a
-- restore goes along them, with strays, removals and keys that are new in between.
local keyed = require "engine.state.keyed"
local temporary = require "support.temporary"
local C = keyed.C

local seed = keyed.seed
local keys = 3000

local function shuffled(count)
  local list = {}
  for i = 1, count do
    local at = math.random(i)
    list[i] = list[at]
    list[at] = i
  end
  return list
end

local function keys_of(rows)
  local list = {}
  for i, row in ipairs(keyed.parse(rows)) do list[i] = row.key end
  return list
end

describe("rows in the order of entries", function()
  local backend, open, directory
  local key_of -- of a number

  -- A write may hand a buffer over, which calls Lua: never from compiled code.
  setup(function() jit.off() end)
  teardown(function() jit.on() end)

  before_each(function()
    math.randomseed(seed)
    backend, open = keyed.backend(256 * 2 ^ 20), {}
    key_of = function(number) return number end
  end)

  after_each(function()
    for _, state in ipairs(open) do state:free() end
    C.backend_free(backend)
    if directory then temporary.remove(directory) end
    directory = nil
  end)

  local function new(options)
    options = options or {}
    options.states, options.backend = { { "count", "value" } }, backend
    open[#open + 1] = keyed.new(options)
    return open[#open]
  end

  local function write(state, list, value_of)
    for _, key in ipairs(list) do
      state:key(key_of(key))
      state.count:update(value_of(key))
    end
  end

  local function filled()
    local state = new()
    write(state, shuffled(keys), function(key) return key end)
    state:cut()
    return state, state:dump_rows()
  end

  -- Those of `all` that are in `list`.
  local function in_order_of(all, list)
    local wanted, kept = {}, {}
    for _, key in ipairs(list) do wanted[key] = true end
    for _, key in ipairs(all) do
      if wanted[key] then kept[#kept + 1] = key end
    end
    return kept
  end

  local function written_alone(key)
    local single = new()
    write(single, { key }, function() return 0 end)
    local rows = single:cut()
    table.remove(open):free()
    return keys_of(rows)[1]
  end

  it("come from a sweep of many of the entries, not from one of a few", function()
    local state, base = filled()
    for _, share in ipairs { 1, 2, 3, 8 } do
      local written = { unpack(shuffled(keys), 1, keys / share) }
      write(state, written, function() return share end)
      local rows = keys_of(state:cut())
      assert.are.equal(#written, #rows)
      assert.are.same(in_order_of(keys_of(base), rows), rows)
    end

    local written = { unpack(shuffled(keys), 1, keys / 100) }
    write(state, written, function() return 0 end)
    local rows, expected = keys_of(state:cut()), {}
    for i, key in ipairs(written) do expected[i] = written_alone(key) end
    assert.are.same(expected, rows)
  end)

  it("are swept in slices, while others are written before the sweep has come to them", function()
    local state, base = filled()
    local epoch = state:epoch()
    local values, restored = {}, new()
    write(state, shuffled(keys), function(key) values[key] = key * 2 return key * 2 end)
    state:freeze(epoch)
    local again = shuffled(keys)
    for from = 1, keys, 100 do
      write(state, { unpack(again, from, from + 99) }, function(key) return key * 3 end)
      state:sweep(20)
    end
    assert.is_true(state:sweep())
    assert.are.equal(keys, #keyed.parse(state:rows_of(epoch)))
    assert.is_truthy(restored:restore { base, state:rows_of(epoch) })
    for key = 1, keys do assert.are.equal(values[key], restored:key(key).count:value()) end
  end)

  it("are restored whatever is missing, removed, new, or out of its place", function()
    for round = 1, 10 do
      if round > 5 then key_of = function(number) return "all alike" .. number end end -- in their first words
      local state, rows = filled()
      local expected, list = {}, { rows }
      for key = 1, keys do expected[key] = key end
      for delta = 1, 4 do
        local share = math.random()
        local written = {}
        for _, key in ipairs(shuffled(keys + 200 * delta)) do
          if math.random() < share then written[#written + 1] = key end
        end
        write(state, written, function(key)
          local value = math.random() < 0.8 and math.random(1e6) or nil
          expected[key] = value
          return value
        end)
        list[#list + 1] = state:cut()
      end
      local restored = new()
      assert(restored:restore(list))
      local count = 0
      for key = 1, keys + 800 do
        assert.are.equal(expected[key], restored:key(key_of(key)).count:value(), ("seed %d, round %d, key %d"):format(seed, round, key))
        count = count + (expected[key] and 1 or 0)
      end
      assert.are.equal(count, restored:rows())
      while #open > 0 do table.remove(open):free() end
    end
  end)

  it("are refused in a place where the key is right and its group is not", function()
    local _, base = filled()
    local parsed, parts = keyed.parse(base), {}
    for i, row in ipairs(parsed) do
      local group = i == 1000 and (row.group + 1) % keyed.max_parallelism or row.group
      local key = string.char(math.floor(group / 256), group % 256, 0, 1) .. row.key
      parts[i] = string.char(#key) .. key .. string.char(#row.value + 1) .. row.value
    end
    local restored = new()
    local ok, message = restored:restore { base, table.concat(parts) }
    assert.is_nil(ok)
    assert.truthy(message:find("key group", 1, true), message)
  end)

  it("come behind what was swept early in their epoch", function()
    directory = temporary.folder()
    C.backend_free(backend)
    backend = keyed.backend(8 * 2 ^ 20, directory .. "/store")
    local text, all = ("x"):rep(4000), {}
    for key = 1, 2500 do all[key] = key end
    for again = 100, 1000, 300 do
      local state, expected = new(), {}
      local epoch = state:epoch()
      write(state, all, function(key) expected[key] = "early" .. text return expected[key] end)
      assert.is_true(#state.delta > 0, "nothing was swept early")
      local last = { unpack(all, #all - again) }
      write(state, last, function(key) expected[key] = "late" .. text return expected[key] end)
      state:freeze(epoch)
      write(state, last, function() return "next" end) -- those that are still frozen are handed over
      assert.is_true(state:sweep())
      local restored = new()
      assert(restored:restore { state:rows_of(epoch) })
      for _, key in ipairs(all) do assert.are.equal(expected[key], restored:key(key).count:value()) end
      while #open > 0 do table.remove(open):free() end
    end
  end)
end)
