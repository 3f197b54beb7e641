--- Functions of random statements on a record `r`, as an author may write them: fields that are set, names that stand
--- for the same table, helpers that see it, keys that are made up at run time.
local draw = require "support.draw"

local M = {}

local names = { "a", "b", "c", "d", "x", "y", "z" }

--- What the functions may call, and a global by which they may keep a record.
M.prelude = [[
kept = nil
function helper(t) t.helped = (t.helped or 0) + 1 return t end
function reader(t) return t.a end
function setter(t, key, value) t[key] = value end
function deep(t)
  for _, inner in pairs(t) do
    if type(inner) == "table" and getmetatable(inner) == nil then inner.deep = 1 end
  end
end
]]

-- What they call by names that are never assigned again, but for `unsure`.
local locals = [[
local function mark(t) t.marked = (t.marked or 0) + 1 return t end
local function first(t) return t.a end
local function pair(one, two) return { a = one, p = two } end
local function within(t, name) return { [name] = 1, inside = t } end
local function wrap(t) local u = { a = t } return u, t end
local function keep(t) kept = t return t end
local function either(t, u) if t.a then return t end return u end
local function both(t, u) mark(t) return mark(either(u, t)) end
local function give(t, value) t.given = value end
local function emit(out, t) if out then out:collect(t) end end
local function inner(t) local function set() t.set = 1 end set() return t end
local function any(...) local t = ... t.any = (t.any or 0) + 1 end
local unsure = pair
if not unsure then unsure = mark end
]]

local Body = {}
Body.__index = Body

function Body:name() return draw.pick(self.random, self.names) end
function Body:table() return draw.pick(self.random, self.tables) end

local scalars = {
  function(self) return tostring(self.random(100)) end,
  function(self) return ("%q"):format(("s"):rep(self.random(3))) end,
  function() return "true" end,
  function() return "nil" end,
  function(self) return ("(r.%s)"):format(self:name()) end,
  function(self) return ("(r and r.%s)"):format(self:name()) end,
  function(self) return ("type(r.%s)"):format(self:name()) end,
  function() return "math.floor(3.7)" end,
}

function Body:scalar() return draw.pick(self.random, scalars)(self) end

function Body:add(text, ...) self.lines[#self.lines + 1] = text:format(...) end

function Body:named(text, ...)
  local name = "t" .. #self.lines
  self:add("local " .. name .. " = " .. text, ...)
  self.tables[#self.tables + 1] = name
end

-- A table in a table is changed.
function Body:within(place, name)
  place = self:table() .. place:format(name)
  self:add("if type(%s) == 'table' and getmetatable(%s) == nil then %s.%s = %s end", place, place, place, self:name(), self:scalar())
end

-- Names that a block makes end with it.
function Body:block()
  local before = #self.tables
  for _ = 1, self.random(2) do self:statement() end
  for i = #self.tables, before + 1, -1 do self.tables[i] = nil end
end

local function set(self) self:add("%s.%s = %s", self:table(), self:name(), self:scalar()) end

-- For some records only: what is known of a function has to hold for all of them.
local function branch(self)
  if self.depth == 2 then return set(self) end
  self.depth = self.depth + 1
  self:add("if r.%s%s then", self:name(), draw.pick(self.random, { "", " == 3", " ~= nil", " == 'ss'" }))
  self:block()
  if self.random(2) == 1 then
    self:add("else")
    self:block()
  end
  self:add("end")
  self.depth = self.depth - 1
end

local statements = {
  set, set, set, set, branch, branch, branch, branch, branch, branch,
  function(self) self:named("%s", self:table()) end,
  function(self) self:named("{ %s = %s, %s = %s }", self:name(), self:scalar(), self:name(), self:scalar()) end,
  function(self) self:named("{ %s, %s }", self:scalar(), self:scalar()) end,
  function(self) self:named("{ %s = { %s, %s }, %s = { %s = %s } }", self:name(), self:scalar(), self:scalar(), self:name(), self:name(), self:scalar()) end,
  function(self) self:named("{ { %s = %s }, { %s = %s, %s = %s } }", self:name(), self:scalar(), self:name(), self:scalar(), self:name(), self:scalar()) end,
  function(self) self:add("%s[%d] = %s", self:table(), self.random(3), self:scalar()) end,
  function(self) self:add("%s.%s = %s", self:table(), self:name(), self:table()) end,
  function(self) self:add("%s['made' .. %q] = %s", self:table(), self:name(), self:scalar()) end,
  function(self) self:add("helper(%s)", self:table()) end,
  function(self) self:add("%s.%s = reader(%s)", self:table(), self:name(), self:table()) end,
  function(self) self:add("setter(%s, 'given', %s)", self:table(), self:scalar()) end,
  function(self) self:add("%s(%s)", draw.pick(self.random, { "mark", "keep", "inner", "any" }), self:table()) end,
  function(self) self:add("give(%s, %s)", self:table(), draw.pick(self.random, { self:scalar(), self:table() })) end,
  function(self) self:add("%s.%s = first(%s)", self:table(), self:name(), self:table()) end,
  function(self) self:named("pair(%s, %s)", self:scalar(), draw.pick(self.random, { self:scalar(), self:table() })) end,
  function(self) self:named("wrap(%s)", self:table()) end,
  function(self) self:named("within(%s, %q)", self:table(), self:name()) end,
  function(self) self:named("%s(%s, %s)", draw.pick(self.random, { "either", "both", "unsure" }), self:table(), self:table()) end,
  function(self) self:add("%s = %s(%s, %s)", self:table(), draw.pick(self.random, { "either", "both", "pair" }), self:table(), self:table()) end,
  function(self) self:add("kept = %s", self:table()) end,
  function(self) self:add("if kept then kept.later = %s end", self.random(9)) end,
  function(self) self:add "for key, value in pairs(r) do if value == 3 then r[key] = 33 end end" end,
  function(self) self:add("%s.nested = { %s = %s, %d }", self:table(), self:name(), self:scalar(), self.random(5)) end,
  function(self) self:add("local _ = (function() r.inner = %s end)()", self:scalar()) end,
  function(self) self:add("rawset(%s, 'raw', %s)", self:table(), self:scalar()) end,
  function(self) self:add("for i = 1, %d do %s['n' .. i] = i end", self.random(3), self:table()) end,
  function(self) self:add("%s = %s", self:table(), self:table()) end,
  function(self) self:add("%s.%s = %s.%s", self:table(), self:name(), self:table(), self:name()) end,
  function(self) self:add("local list = { r } list[1].listed = %s", self:scalar()) end,
  function(self) self:add("r = { %s = r.%s, %s = %s }", self:name(), self:name(), self:name(), self:scalar()) end,
}

local function within_name(self) self:within(".%s", self:name()) end
local function within_number(self) self:within("[%d]", self.random(2)) end

local nesting = {
  set, within_name, within_name, within_number,
  function(self) self:add("%s[%d] = %s", self:table(), self.random(3), self:scalar()) end,
  function(self) self:add("%s.%s = %s", self:table(), self:name(), self:table()) end,
  function(self) self:add("if r.%s then %s.%s = %s end", self:name(), self:table(), self:name(), self:scalar()) end,
  function(self) self:add("kept = %s", self:table()) end,
  function(self) self:add("if type(kept) == 'table' then kept.later = %s end", self:scalar()) end,
  function(self) self:add("helper(%s)", self:table()) end,
  function(self) self:add("deep(%s)", self:table()) end,
  function(self) self:add("%s(%s)", draw.pick(self.random, { "mark", "inner", "any" }), self:table()) end,
  function(self) self:add("give(%s, %s)", self:table(), self:table()) end,
  function(self) self:named("%s(%s, %s)", draw.pick(self.random, { "pair", "either", "both" }), self:table(), self:table()) end,
}

function Body:statement() draw.pick(self.random, statements)(self) end

local function new_body(random, tables, own_names)
  return setmetatable({ random = random, lines = {}, tables = tables, names = own_names or names, depth = 0 }, Body)
end

local function body(random, tables, statements_max)
  local self = new_body(random, tables)
  for _ = 1, random(statements_max) do self:statement() end
  return self
end

-- A table in a table in a table, and a little that is done to them. Few names, so that they are met again.
local function nested_body(random)
  local self = new_body(random, {}, { "a", "b", "c" })
  self:named("{ %s = %s, %s = %s }", self:name(), self:scalar(), self:name(), self:scalar())
  self:named("{ %s, %s }", random(2) == 1 and self:table() or self:scalar(), self:scalar())
  self:named("{ %s = %s, %s = { %s = %s } }", self:name(), self:table(), self:name(), self:name(), self:table())
  for _ = 1, random(3) do draw.pick(random, nesting)(self) end
  return self
end

local heads = { map = "r", filter = "r", flat_map = "r, out", process = "r, ctx, out", keyed = "self, r, ctx, out" }

--- The text of a function of this kind: "map", "filter", "flat_map", "process" or "keyed" (with a value state `last`).
---@param random fun(low: integer, high?: integer): integer
---@param kind string
---@return string
function M.text(random, kind)
  local is_nested = random(3) == 1
  local made = is_nested and nested_body(random) or body(random, { "r" }, 6)
  local result = (is_nested or random(4) == 1) and made:table() or "r"
  if kind == "filter" then
    made.lines = { ("return r.%s ~= 3"):format(made:name()) }
  elseif kind == "map" then
    made:add("return %s", result)
  else
    made:add(random(3) == 1 and "emit(out, %s)" or "out:collect(%s)", result)
    if random(3) == 1 then made:add("r.after = 1 out:collect(%s)", result) end
    if kind == "keyed" then made:add("self.last:update(r) out:collect(self.last:value())") end
  end
  return ("%sreturn function(%s)\n%s\nend"):format(locals, heads[kind], table.concat(made.lines, "\n"))
end

local rules_of = {
  "for key, rule in self.rules:entries() do",
  "for rule in self.rules:values() do",
  "local rule = self.rules:get(type(r.a) == 'number' and r.a or 2) if rule then",
  "local rule = self.rules:get(1) or r do",
}

--- The text of a function of (self, r, ctx, out) with a broadcast state `rules`: it shows what a rule has, and then does something.
---@return string
function M.ruled_text(random)
  local head, seen = draw.pick(random, rules_of), {}
  for i, name in ipairs(names) do seen[i] = ("%s = rule.%s"):format(name, name) end
  local made = body(random, { "r", "r", "rule" }, 3)
  if random(4) == 1 then made:add "out:collect(rule)" end
  return ("%sreturn function(self, r, ctx, out)\n%s\nout:collect { %s }\n%s\nend\nend"):format(locals, head, table.concat(seen, ", "), table.concat(made.lines, "\n"))
end

local values = {
  function(random) return random(5) end,
  function(random) return ("s"):rep(random(3)) end,
  function(random) return random(2) == 1 end,
  function(random) return { p = random(3), q = { 1, 2 } } end,
  function(_, null) return null end,
  function() return 3 end,
}

--- A record: some of six fields, now and then many more.
function M.record(random, null)
  local record = {}
  for _, name in ipairs { "a", "b", "c", "d", "e", "f" } do
    if random(3) > 1 then record[name] = draw.pick(random, values)(random, null) end
  end
  if random(6) == 1 then
    for i = 1, random(50) do record["wide" .. i] = i end
  end
  return record
end

return M
