-- A worker's small heap is collected sooner than Lua's default has it, a large one is not, and what the author sets stays.
local ffi = require "ffi"

local before

local function fresh()
  package.loaded["moontide.runtime.garbage"] = nil
  return require "moontide.runtime.garbage"
end

local function pause()
  local now = collectgarbage("setpause", 200)
  collectgarbage("setpause", now)
  return now
end

local function tend(garbage)
  for _ = 1, 1024 do garbage.tend() end
end

-- A heap of this many kilobytes: what the specs have left behind counts too, so that it is said and not made.
local function with_heap(kilobytes, fn)
  local real = collectgarbage
  rawset(_G, "collectgarbage", function(what, ...)
    if what == "count" then return kilobytes end
    return real(what, ...)
  end)
  local good, failure = pcall(fn)
  rawset(_G, "collectgarbage", real)
  assert(good, failure)
end

describe("garbage", function()
  before_each(function() before = collectgarbage("setpause", 200) end)
  after_each(function() collectgarbage("setpause", before) end)

  it("of a small heap is collected sooner", function()
    with_heap(2000, function() tend(fresh()) end)
    assert.equal(130, pause())
  end)

  it("of a large heap is collected as Lua has it, also once it has become large", function()
    local garbage = fresh()
    with_heap(5000, function() tend(garbage) end)
    assert.equal(200, pause())
    with_heap(2000, function() tend(garbage) end)
    assert.equal(130, pause())
    with_heap(5000, function() tend(garbage) end)
    assert.equal(200, pause())
  end)

  it("is collected as the author says", function()
    collectgarbage("setpause", 170)
    local garbage = fresh()
    with_heap(2000, function() tend(garbage) end)
    assert.equal(170, pause())
  end)

  it("is collected as the author says in the middle of the job", function()
    local garbage = fresh()
    with_heap(2000, function() tend(garbage) end)
    collectgarbage("setpause", 170)
    with_heap(5000, function() tend(garbage) end)
    assert.equal(170, pause())
    with_heap(2000, function() tend(garbage) end)
    assert.equal(170, pause())
  end)

  it("is collected when C may hold more for it than Lua does, and not before", function()
    local garbage, gone = fresh(), 0
    local function leave()
      ffi.gc(ffi.new "char[1]", function() gone = gone + 1 end)
      garbage.took(2 ^ 20)
    end
    collectgarbage "stop"
    with_heap(40 * 1024, function()
      for _ = 1, 39 do leave() end
      assert.equal(0, gone)
      garbage.gave(2 ^ 20)
      for _ = 1, 2 do leave() end
      assert.equal(0, gone)
      leave()
    end)
    collectgarbage "restart"
    assert.is_true(gone >= 40)
    collectgarbage "stop"
    with_heap(40 * 1024, function()
      for _ = 1, 40 do leave() end
    end)
    collectgarbage "restart"
    assert.is_true(gone <= 42)
  end)
end)
