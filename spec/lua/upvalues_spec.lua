-- An upvalue says whether its local is assigned again, wherever it is captured.
local upvalues = require "moontide.runtime.upvalues"

local above = 1
local changed_above = 1

local function is_constant(fn) return upvalues.is_constant(fn, 1) end

describe("an upvalue", function()
  it("is constant where nobody assigns to its local again", function()
    local here = 2
    local function named() return here end
    assert.is_true(is_constant(function() return above end))
    assert.is_true(is_constant(function() return here end))
    assert.is_true(is_constant(function() return named end))
    assert.is_true(is_constant((function(parameter) return function() return parameter end end)(3)))
    assert.is_true(is_constant((function() return function() return above end end)()))
    for i = 1, 2 do assert.is_true(is_constant(function() return i end)) end
  end)

  it("is not where somebody does, before or behind, in a function or outside of it", function()
    local before = 1
    before = 2
    local function of_before() return before end
    local behind = 1
    local function of_behind() return behind end
    local inside = 1
    local function of_inside(value) inside = value return inside end
    local later
    local function of_later() return later() end
    behind = 2
    function later() return 1 end
    assert.is_false(is_constant(of_before))
    assert.is_false(is_constant(of_behind))
    assert.is_false(is_constant(of_inside))
    assert.is_false(is_constant(of_later))
    assert.is_false(is_constant(function() return changed_above end))
  end)
end)

changed_above = 2
