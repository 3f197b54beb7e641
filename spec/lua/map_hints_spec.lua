-- Before a batch is handled the engine is told under which keys its records will look into maps.
local ffi = require "ffi"
local C = require "support.engine"
local encoding = require "moontide.runtime.encode"
local mt = require "moontide"
local testing = require "moontide.testing"

local seed = tonumber(os.getenv "SEED") or os.time()

-- map_hints over an engine that writes down what it is told.
local function with_log(log)
  local fake = setmetatable({
    map_hints_pay = function(_, slot) return slot ~= log.small end,
    map_hint_number = function(_, entry, slot, key) log[#log + 1] = { entry, slot, key } end,
    map_hint_string = function(_, entry, slot, key, bytes) log[#log + 1] = { entry, slot, key:sub(1, bytes) } end,
    map_hints_end = function() log.ended = (log.ended or 0) + 1 end,
  }, { __index = C })
  local engine, module = package.loaded["moontide.engine"], package.loaded["moontide.runtime.map_hints"]
  package.loaded["moontide.engine"], package.loaded["moontide.runtime.map_hints"] = fake, nil
  local map_hints = require "moontide.runtime.map_hints"
  package.loaded["moontide.engine"], package.loaded["moontide.runtime.map_hints"] = engine, module
  return map_hints
end

local function call_of(records)
  local arena, place = ffi.new("struct arena"), encoding.place()
  local call = { index = 0, count = #records, values = ffi.new("struct cell[?]", #records), entries = {}, arena = arena }
  for i, record in ipairs(records) do
    encoding.encode(arena, call.values[i - 1], record, place)
    call.entries[i - 1] = "entry " .. i
  end
  call.bytes = arena.bytes
  return call
end

local states = { count = mt.value_state(), seen = mt.map_state(), other = mt.map_state() }
local names = { "count", "other", "seen" }

local function told(fn, records, log)
  log = log or {}
  local call = call_of(records)
  local tell = with_log(log).make(call, names, states, fn)
  if tell then tell() end
  C.arena_deinit(call.arena)
  return log, tell
end

local function ten(record)
  local records = {}
  for i = 1, 10 do records[i] = type(record) == "function" and record(i) or record end
  return records
end

local function looks_up(self, record)
  self.seen:put(record.item, (self.seen:get(record.item) or 0) + 1)
  self.other:remove(record.name .. "!")
end

describe("the engine", function()
  it("is told each key of each record", function()
    local log = told(looks_up, ten(function(i) return { item = i, name = "n" .. i } end))
    assert.equal(20, #log)
    assert.same({ "entry 3", 2, 3 }, log[3])
    assert.same({ "entry 4", 1, "n4!" }, log[14])
    assert.equal(2, log.ended)
  end)

  it("is told nothing of maps that are small", function()
    local log = told(looks_up, ten({ item = 1, name = "n" }), { small = 2 })
    assert.equal(10, #log)
    assert.same({ "entry 1", 1, "n!" }, log[1])
  end)

  it("is told nothing of records whose fields are not what the function expects", function()
    local log = told(looks_up, ten(function(i)
      if i == 2 then return 7 end
      if i == 3 then return { item = mt.null, name = "n3" } end
      if i == 4 then return { name = true } end
      return { item = i, name = "n" .. i }
    end))
    local numbers, texts = {}, {}
    for _, hint in ipairs(log) do table.insert(hint[2] == 2 and numbers or texts, hint[3]) end
    assert.same({ 1, 5, 6, 7, 8, 9, 10 }, numbers)
    assert.same({ "n1!", "n3!", "n5!", "n6!", "n7!", "n8!", "n9!", "n10!" }, texts)
  end)

  it("is told nothing where all records fail, without a try for each of them", function()
    local records = {}
    for i = 1, 1000 do records[i] = i end
    assert.equal(0, #told(looks_up, records))
  end)

  it("is told nothing for a few records, none with a key, and the rest of a batch", function()
    assert.equal(0, #told(looks_up, { { item = 1, name = "n" } }))
    local log, call = {}, call_of(ten({ item = 1, name = "n" }))
    local tell = with_log(log).make(call, names, states, looks_up)
    call.index = 1
    tell()
    call.index, call.entries = 0, nil
    tell()
    assert.equal(0, #log)
  end)

  it("is not asked to listen where no key is known", function()
    local _, tell = told(function(self, record, ctx) self.seen:get(ctx:timestamp()) self.count:update(record) end, ten(1))
    assert.is_nil(tell)
  end)
end)

-- ---- A job, whose maps are large enough for hints, and plain tables ----

local function random_record()
  local kind, user, item = math.random(20), math.random(50), math.random(4000)
  if kind == 1 then return { user = user } end
  if kind == 2 then return { user = user, item = tostring(item) } end
  if kind == 3 then return { user = user, item = item % 2 == 0, name = item } end
  if kind == 4 then return { user = user, item = item + 0.5, name = ("long name "):rep(9) .. item } end
  return { user = user, item = item, name = "item " .. item }
end

local function build(input)
  return input:key_by("user"):process("items", {
    state = { seen = mt.map_state(), names = mt.map_state() },
    process_element = function(self, record, _, out)
      local name = record.name and self.names:get(record.name)
      local count = record.item ~= nil and self.seen:get(record.item) or 0
      if record.item ~= nil then self.seen:put(record.item, count + 1) end
      if record.name then self.names:put(record.name, { n = count, user = record.user }) end
      out:collect { count = count, before = name and name.n or -1, user = name and name.user or record.user }
    end,
  })
end

local function expected_of(tables, record)
  local user = tables[record.user] or { seen = {}, names = {} }
  tables[record.user] = user
  local before = record.name and user.names[record.name]
  local count = record.item ~= nil and user.seen[record.item] or 0
  if record.item ~= nil then user.seen[record.item] = count + 1 end
  if record.name then user.names[record.name] = count end
  return { count = count, before = before or -1, user = record.user }
end

local function push_all(harness, input, records)
  harness.inputs[input].channels[1]:push_all(records)
  return harness:values()
end

describe("maps of a job that tells of its keys", function()
  print(("map_hints_spec: SEED=%d"):format(seed))

  for name, options in pairs { ["in memory"] = { backend = "memory" }, ["with rows in the store"] = { backend = "rocksdb", memory = "8MB" } } do
    it("hold what they would otherwise, " .. name, function()
      math.randomseed(seed)
      local harness, tables = testing.harness(build, options), {}
      for _ = 1, 200 do
        local records, expected = {}, {}
        for i = 1, 1000 do
          records[i] = random_record()
          expected[i] = expected_of(tables, records[i])
        end
        for i, value in ipairs(push_all(harness, 1, records)) do
          local same = value.count == expected[i].count and value.before == expected[i].before and value.user == expected[i].user
          if not same then assert.same(expected[i], value, ("seed %d"):format(seed)) end
          expected[i] = nil
        end
        assert.is_nil(next(expected))
      end
      harness:close()
    end)
  end

  it("hold what they would otherwise, where two inputs fill them", function()
    math.randomseed(seed)
    local tables, states = {}, { seen = mt.map_state() }
    local harness = testing.harness(function(first, second)
      return first:key_by("user"):connect(second:key_by("user")):process("both", {
        state = states,
        process_element1 = function(self, record, _, out)
          local count = (self.seen:get(record.item) or 0) + 1
          self.seen:put(record.item, count)
          out:collect(count)
        end,
        process_element2 = function(self, record, _, out)
          local item = record.item .. "!"
          out:collect(self.seen:contains(item))
          self.seen:put(item, 0)
          self.seen:remove(record.item)
        end,
      })
    end, { inputs = 2 })
    for round = 1, 200 do
      local records, expected, input = {}, {}, round % 4 == 0 and 2 or 1
      for i = 1, 1000 do
        local record = { user = math.random(50), item = math.random(4000) }
        local key, text = record.user .. ":" .. record.item, record.user .. ":" .. record.item .. "!"
        records[i] = record
        if input == 1 then
          tables[key] = (tables[key] or 0) + 1
          expected[i] = tables[key]
        else
          expected[i] = tables[text] ~= nil
          tables[text], tables[key] = 0, nil
        end
      end
      assert.same(expected, push_all(harness, input, records), ("seed %d, round %d"):format(seed, round))
    end
    harness:close()
  end)
end)
