-- Which keys a function asks its maps for is told from its byte code, as expressions over the record.
local map_keys = require "moontide.runtime.map_keys"

local maps = { seen = true, other = true }
local users, floor, library = 1000, math.floor, math
local kept

-- "map: what the expression answers for the record", one after the other.
local function told(fn, record)
  local texts = {}
  for i, key in ipairs((map_keys.of(fn, maps))) do
    local chunk = assert(loadstring("local value, functions = ... setfenv(1, functions) return " .. key.expression))
    texts[i] = key.map .. ": " .. tostring(chunk(record, map_keys.functions))
  end
  return table.concat(texts, ", ")
end

local function field_names(fn)
  local _, fields = map_keys.of(fn, maps)
  local names = {}
  for name in pairs(fields) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ",")
end

describe("the keys that a function asks maps for", function()
  it("are the record, and its fields", function()
    assert.equal("seen: 7", told(function(self, v) return self.seen:get(v) end, 7))
    assert.equal("seen: x", told(function(self, v) self.seen:put(v.item, v.count) end, { item = "x" }))
    assert.equal("seen: x", told(function(self, v) if self.seen:contains(v.item) then self.seen:remove(v.item) end end, { item = "x" }))
    assert.equal("seen: 3", told(function(self, v) local at = v.at self.seen:get(at.x) end, { at = { x = 3 } }))
    assert.equal("seen: total", told(function(self, v) self.seen:put("total", v) end, 1))
    assert.equal("seen: 1, other: 2", told(function(self, v) self.seen:get(v.a) self.other:get(v.b) end, { a = 1, b = 2 }))
    assert.equal("seen: 1, seen: 2", told(function(self, v) self.seen:get(v.a) self.seen:get(v.b) end, { a = 1, b = 2 }))
  end)

  it("are what is calculated from them", function()
    assert.equal("seen: 7", told(function(self, v) self.seen:get(math.floor(v / users)) end, 7100))
    assert.equal("seen: 7", told(function(self, v) self.seen:get(floor(v / 1000)) end, 7100))
    assert.equal("seen: 7", told(function(self, v) self.seen:get(library.floor(v * 0.001)) end, 7100))
    assert.equal("seen: 3", told(function(self, v) self.seen:get((10 - v.a) % 4) end, { a = 7 }))
    assert.equal("seen: -9", told(function(self, v) self.seen:get(-v.a ^ 2 - -v.b + 100000 - 1e5) end, { a = 4, b = 7 }))
    assert.equal("seen: 0.25", told(function(self, v) self.seen:get(1 / v) end, 4))
    assert.equal("seen: 5", told(function(self, v) self.seen:get(#v.text) end, { text = "abcde" }))
    assert.equal('seen: a"\n:1:b', told(function(self, v) self.seen:get(v.x .. '"\n:' .. v.n .. ":" .. v.y) end, { x = "a", n = 1, y = "b" }))
    assert.equal("seen: AB", told(function(self, v) self.seen:get(string.upper(string.sub(v, 1, 2))) end, "abc"))
    assert.equal("seen: 12", told(function(self, v) self.seen:get(tostring(v.n)) end, { n = 12 }))
  end)

  it("are what functions answer that it calls", function()
    local function minute(at) return floor(at / 60000) end
    local function key_of(v) return v.user .. ":" .. minute(v.at) end
    local function count(map, key) map:put(key, 1) end
    assert.equal("seen: ann:2", told(function(self, v) self.seen:get(key_of(v)) end, { user = "ann", at = 150000 }))
    assert.equal("seen: ann, other: 1", told(function(self, v) count(self.seen, v.user) count(self.other, minute(v.at)) end, { user = "ann", at = 60000 }))
    assert.equal("at,user", field_names(function(self, v) self.seen:get(key_of(v)) end))
  end)

  it("read no other fields of the record", function()
    assert.equal("a,b", field_names(function(self, v) self.seen:get(v.a .. v.b.c) end))
  end)

  it("are told from all calls, wherever they are", function()
    assert.equal("seen: 1, seen: 2", told(function(self, v)
      if v.a > 3 then return self.seen:get(v.a - 3) end
      for i = 1, 3 do self.seen:put(v.b, i) end
    end, { a = 4, b = 2 }))
  end)

  for name, fn in pairs {
    ["depends on a way through the function"] = function(self, v) self.seen:get(v.a or v.b) end,
    ["changes in a loop"] = function(self, v) local k = 0 for _ = 1, v do k = k + 1 self.seen:get(k) end end,
    ["is a loop's count"] = function(self, v) for i = 1, v do self.seen:get(i) end end,
    ["comes from a function that is not known"] = function(self, v) self.seen:get(kept(v)) end,
    ["comes from a function that answers each time another"] = function(self, v) self.seen:get(math.random(v)) end,
    ["comes from a state"] = function(self, v) self.seen:get(self.other:get(v.x) or 1) end,
    ["is an upvalue that is a table's field"] = function(self) self.seen:get(kept.x) end,
    ["is true"] = function(self) self.seen:get(true) end,
    ["is a table"] = function(self, v) self.seen:get({ v }) end,
    ["is a method's answer"] = function(self, v) self.seen:get(v:lower()) end,
    ["is of something that is no map"] = function(self, v) self.count:get(v) end,
    ["is of another object's map"] = function(_, v, other) other.seen:get(v) end,
    ["is missing"] = function(self) self.seen:get() end,
    ["is in an inner function"] = function(self, v) return function() self.seen:get(v) end end,
  } do
    it("are not told of a key that " .. name, function()
      if name == "comes from a state" then
        assert.equal("other: 1", told(fn, { x = 1 }))
      else
        assert.equal("", told(fn, { a = 1, b = 2 }))
      end
    end)
  end

  it("are not told where the expression has no end", function()
    local text = "return function(self, v) local k = v\n" .. ("k = k .. 'twenty bytes of text'\n"):rep(50) .. "self.seen:get(k) end"
    assert.equal("", told(assert(loadstring(text))(), "x"))
  end)
end)
