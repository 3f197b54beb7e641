-- What tables of any size and form leave to the interpreter: little (support/interpreted.lua).
local interpreted = require "support.interpreted"
local mt = require "moontide"

-- Comparing what comes out takes longest: there is less of it than of plain records. The way from one loop to the next
-- may be left to the interpreter.
local size = { singles = 500, warm = 60, measured = 15, records = 400 }

local function numbers(first, count)
  local list = {}
  for i = 1, count do list[i] = first + i end
  return list
end

local function compiles(name, build) interpreted.it_mostly(it, name, numbers, build, size) end

-- A value state that holds a table which `make` answers, and which `change` changes a little with each record.
local function keeps(name, make, change)
  compiles(name .. " in a value state", function(input)
    return input:key_by(function(n) return n % 20 end):process("keep", {
      state = { kept = mt.value_state() },
      process_element = function(self, n, _, out)
        local kept = self.kept:value() or make(n)
        change(kept, n)
        self.kept:update(kept)
        out:collect(n)
      end,
    })
  end)
end

-- Records with a table that is another one each time, and a state that holds the last of them.
local function passes(name, make)
  local made = {}
  for i = 1, 500 do made[i] = make(i) end
  compiles(name .. " in records", function(input)
    return input:map(function(n) return { id = n % 20, inner = made[n % 500 + 1] } end)
      :key_by("id")
      :process("last", {
        state = { last = mt.value_state() },
        process_element = function(self, record, _, out)
          local last = self.last:value()
          self.last:update(record.inner)
          if last and record.id == 3 then out:collect { last = last, inner = record.inner } else out:collect(record.id) end
        end,
      })
  end)
end

local function list_of(length, element)
  local list = {}
  for i = 1, length do list[i] = element(i) end
  return list
end

local function number(i) return i * 1.5 end
local function text(i) return "text" .. i end
local function row(i) return { a = i, b = "x" } end
local function mixed(i)
  if i % 3 == 0 then return "x" .. i end
  return i % 3 == 1 and i or i % 2 == 0
end
local function change_list(list, n) list[n % #list + 1] = list[1] end

local function map_of(length, key)
  local map = {}
  for i = 1, length do map[key(i)] = i end
  return map
end

describe("lists:", function()
  teardown(function() jit.flush() end)

  for _, kind in ipairs { { "numbers", number }, { "texts", text }, { "rows", row }, { "values of all kinds", mixed } } do
    local name, element = kind[1], kind[2]
    keeps("30 " .. name, function() return list_of(30, element) end, change_list)
    passes("0 to 30 " .. name, function(i) return list_of(i * 7 % 31, element) end)
  end

  passes("13 to 20 numbers", function(i) return list_of(13 + i * 5 % 8, number) end)
  passes("0 to 5 numbers", function(i) return list_of(i * 5 % 6, number) end)
  passes("lists of lists", function(i) return list_of(10, function() return list_of(8 + i % 2, number) end) end)
  passes("texts between two numbers", function(i)
    local list = list_of(i % 30 + 3, text)
    list[1], list[#list] = 1, 2
    return list
  end)

  compiles("one that grows and begins anew", function(input)
    return input:key_by(function(n) return n % 20 end):process("grow", {
      state = { list = mt.value_state() },
      process_element = function(self, n, _, out)
        local list = self.list:value()
        if list == nil or #list > n % 90 then list = {} end
        list[#list + 1] = n
        self.list:update(list)
        out:collect(#list)
      end,
    })
  end)
end)

describe("maps:", function()
  teardown(function() jit.flush() end)

  for _, fields in ipairs { 20, 30, 100 } do
    local function field(i) return "field" .. i end
    keeps("a row of " .. fields .. " fields", function() return map_of(fields, field) end, function(map, n) map.field7 = n end)
  end

  passes("dictionaries of texts", function(i) return map_of(i * 7 % 31, function(k) return "word" .. i * k % 500 end) end)
  passes("dictionaries of few texts", function(i) return map_of(i * 7 % 8, function(k) return "word" .. i * k % 9 end) end)
  passes("dictionaries of numbers", function(i) return map_of(i * 7 % 31, function(k) return i * k % 500 + 0.5 end) end)
  passes("tables in seven tables", function(i)
    local value = i
    for k = 1, 7 do value = { value = value, level = k } end
    return value
  end)
end)
