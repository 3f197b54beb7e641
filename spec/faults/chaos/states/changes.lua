-- Changes of the states of first.lua, each by a number `n` and what is drawn; some stand twice, as they should come twice as often.
local draw = require "support.draw"
local null = require "moontide.null"

local LIST_MAX, MAP_KEYS = 10, 5
local cleared = { "any", "nested", "sum", "range", "recent", "list", "map" }

-- Now and then of about 100 KB.
local function text(n, random)
  local letter = string.char(97 + n % 26)
  if random(40) == 1 then return n .. letter:rep(100000) .. n end
  return letter:rep(random(0, 60))
end

-- Numbers and texts, some of which have their places in another order than their values.
local function map_key(random)
  local i = random(MAP_KEYS)
  return draw.pick(random, { i, 100 * i, "k" .. i })
end

local function any(self, n, random)
  self.any:update(draw.pick(random, { n, n + 0.5, n % 2 == 0, text(n, random), { n, { of = "any" } }, null }))
end

local function nested(self, n)
  local value = self.nested:value() or { count = 0, deep = { list = {} } }
  local list = value.deep.list
  value.count = value.count + 1
  table.insert(list, { n = n, name = "number " .. n })
  if #list > 5 then table.remove(list, 1) end
  self.nested:update(value)
end

local function fold(self, n)
  local v = n % 1000
  self.sum:add(v)
  self.range:add { low = v, high = v, seen = { count = 1 } }
  self.recent:add(v)
end

local function add(self, n, random) self.list:add(draw.pick(random, { n, text(n, random), { n }, null })) end
local function add_all(self, n) self.list:add_all { n, n + 1, { of = { n } } } end
local function replace(self, n) self.list:update(n % 4 == 0 and {} or { n, "two", { n } }) end

local function shorten(self)
  local list = self.list:get()
  while #list > LIST_MAX do table.remove(list, 1) end
  table.remove(list)
  self.list:update(list)
end

local function put(self, n, random)
  local key = map_key(random)
  local entry = self.map:get(key)
  if type(entry) ~= "table" or entry == null then entry = {} end
  entry.times, entry.filler = (entry.times or 0) + 1, text(n, random)
  self.map:put(key, entry)
end

local function put_null(self, _, random) self.map:put(map_key(random), null) end
local function put_all(self, n) self.map:put_all { [1] = n, [200] = { n }, k1 = { n = n, list = { n } }, k2 = -n / 2 } end

local function remove(self, _, random)
  local key = map_key(random)
  if self.map:contains(key) then self.map:remove(key) end
end

-- S52: while an iteration goes on.
local function remove_some(self, n)
  local at = n
  for key in self.map:keys() do
    at = at + 1
    if at % 3 == 0 then self.map:remove(key) end
  end
end

local function change_some(self, n)
  local at = n
  for key, value in self.map:entries() do
    at = at + 1
    if at % 4 == 0 then self.map:remove(key) end
    if at % 4 == 1 then self.map:put(key, { times = n, before = type(value) }) end
  end
end

local function clear(self, _, random) self[draw.pick(random, cleared)]:clear() end

return { any, any, nested, nested, fold, fold, add, add, add_all, replace, shorten, put, put, put, put_null, put_all, remove, remove, remove_some,
  change_some, clear }
