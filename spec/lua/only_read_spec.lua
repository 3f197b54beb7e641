-- A state's values are shown instead of copied only to functions whose byte code tells that they take fields of them and
-- do nothing else with them.
local only_read = require "moontide.runtime.only_read"

local kept

local function told(...)
  local names = {}
  for name in pairs(only_read.of({ ... }, { "rules", "other" })) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ",")
end

describe("the states whose values are only read", function()
  for name, fn in pairs {
    ["takes fields of what it asks for"] = function(self, v, _, out)
      local rule = self.rules:get(v.kind)
      if rule and v.amount > rule.min then out:collect { rule = rule.id, user = v.user } end
    end,
    ["takes fields of all"] = function(self, v, _, out)
      for id, rule in self.rules:entries() do
        if rule.kind == v.kind and v.amount > rule.min then out:collect(id) end
      end
      for rule in self.other:values() do out:collect(rule.id .. rule["odd key"]) end
    end,
    ["takes fields of one or of another value"] = function(self, v) kept = (self.rules:get(v) or v).min end,
    ["writes what did not come from them"] = function(self, v) self.rules:put(v.key, v.value) self.rules:remove(v.old) self.other:clear() end,
    ["looks whether a key is there"] = function(self, v) if self.rules:contains(v) then return self.other:is_empty() end end,
    ["puts something else into itself"] = function(self, v) self.last = v.id end,
    ["does nothing"] = function() end,
  } do
    it("are those of a function that " .. name, function()
      assert.equal("other,rules", told(fn))
    end)
  end

  for name, fn in pairs {
    ["writes a field"] = function(self, v) self.rules:get(v).count = 1 end,
    ["writes a field by a variable"] = function(self, v) self.rules:get(v)[v] = 1 end,
    ["writes an element"] = function(self, v) self.rules:get(v)[1] = 1 end,
    ["writes a field in a loop"] = function(self) for _, rule in self.rules:entries() do rule.count = 1 end end,
    ["writes a field in a loop over values"] = function(self) for rule in self.rules:values() do rule.count = 1 end end,
    ["writes to what may be one"] = function(self, v) local rule = self.rules:get(v) or v rule.x = 1 end,
    ["writes to it under another name"] = function(self, v) local rule = self.rules:get(v) local same = rule same.x = 1 end,
    ["passes one on"] = function(self, v) kept(self.rules:get(v)) end,
    ["passes one on at its end"] = function(self, v) return kept(self.rules:get(v)) end,
    ["passes one on behind other arguments"] = function(self, v) kept(1, 2, self.rules:get(v)) end,
    ["collects one"] = function(self, v, _, out) out:collect(self.rules:get(v)) end,
    ["calls a method of one"] = function(self, v) self.rules:get(v):change() end,
    ["returns one"] = function(self, v) return self.rules:get(v) end,
    ["returns one beside others"] = function(self, v) local rule = self.rules:get(v) return v, rule, v end,
    ["puts one into a table"] = function(self, v) local rule = self.rules:get(v) return { rule, v } end,
    ["keeps one in an upvalue"] = function(self, v) kept = self.rules:get(v) end,
    ["keeps one in itself"] = function(self, v) self.last = self.rules:get(v) end,
    ["puts one into a field"] = function(self, v) v.rule = self.rules:get(v) end,
    ["puts one under a variable"] = function(self, v) v[v.x] = self.rules:get(v) end,
    ["puts one back"] = function(self, v) self.rules:put(v, self.rules:get(v)) end,
    ["walks over one"] = function(self, v) for k in pairs(self.rules:get(v)) do kept = k end end,
    ["takes a field by a variable"] = function(self, v) return self.rules:get(v)[v] end,
    ["keeps the state"] = function(self) kept = self.rules end,
    ["keeps a method of the state"] = function(self) kept = self.rules.get end,
    ["calls a method of the state with another object"] = function(self, v) return self.rules.get(v, 1) end,
    ["calls an iteration itself"] = function(self) local nth = self.rules:values() nth().x = 1 end,
    ["keeps an iteration"] = function(self) kept = self.rules:values() end,
    ["gives the state to a function"] = function(self) kept(self.rules) end,
    ["puts another under the state's name"] = function(self, v) self.rules = v end,
    ["catches an error of what has one"] = function(self, v) pcall(kept, self.rules:get(v)) end,
    ["changes its key's list"] = function(self) for _, rule in self.rules:entries() do table.insert(rule, 1) end end,
  } do
    it("are not those of a function that " .. name, function()
      assert.equal("other", told(fn))
    end)
  end

  for name, fn in pairs {
    ["shows itself to others"] = function(self) kept(self) end,
    ["keeps itself"] = function(self) kept = self end,
    ["takes a state by a variable"] = function(self, v) return self[v]:get(v).x end,
    ["returns all that an iteration answers"] = function(self, v) return v, self.rules:values() end,
    ["has functions in it"] = function(self, v) local function change() self.rules:get(v).x = 1 end change() end,
    ["takes any number of arguments"] = function(...) local self = ... return self.rules:get(1).x end,
    ["is no Lua function"] = print,
    ["joins one to what a call answers"] = function(self, v) return { kept(self.rules:get(v), v.x()) } end,
  } do
    it("are none where one function " .. name, function()
      assert.equal("", told(function(self, v) return self.rules:get(v).x end, fn))
    end)
  end

  it("are those of a function that shows them to others which only read them", function()
    local function matches(rule, v) return rule.kind == v.kind and v.amount > rule.min end
    local function first(self, v) for _, rule in self.rules:entries() do if matches(rule, v) then return rule.id end end end
    local function change(rule) rule.count = 1 end
    local function one_of(self, v) return self.rules:get(v) end
    assert.equal("other,rules", told(function(self, v) return matches(self.rules:get(v), v) end))
    assert.equal("other,rules", told(function(self, v) return first(self, v) end))
    assert.equal("other,rules", told(function(self, v) return one_of(self, v).id end))
    assert.equal("other", told(function(self, v) change(self.rules:get(v)) end))
    assert.equal("other", told(function(self, v) change(one_of(self, v)) end))
    assert.equal("other", told(function(self, v) return one_of(self, v) end))
    assert.equal("rules", told(function(self, v) matches(self.other:get(v), v) change(self.other:get(v)) end))
  end)

  it("are those that all functions only read", function()
    assert.equal("rules", told(function(self, v) return self.rules:get(v).x, self.other:get(v).x end, function(self, v) self.other:get(v).x = 1 end))
  end)
end)
