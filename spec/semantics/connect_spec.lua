local case = require "support.case"
local mt = require "moontide"
local variants = require "support.variants"

-- T32 for two inputs: the first element of a key is kept and its timer set; the second one, on either input, takes both back.
local function stateful(self, value, ctx, out, input)
  if self.kept:value() == nil then
    out:collect(("INPUT%d:%d"):format(input, value))
    self.kept:update(value)
    ctx:timers():register_event_time_timer(ctx:timers():current_watermark() + 5)
  else
    self.kept:clear()
    ctx:timers():delete_event_time_timer(ctx:timers():current_watermark() + 4)
  end
end

local definition = {
  state = { kept = mt.value_state() },
  process_element1 = function(self, value, ctx, out) stateful(self, value, ctx, out, 1) end,
  process_element2 = function(self, value, ctx, out) stateful(self, value, ctx, out, 2) end,
  on_timer = function(self, _, _, out) out:collect("STATE:" .. self.kept:value()) end,
}

local function same(value) return value end

local function keyed(first, second) return first:key_by(same):connect(second:key_by(same)):process("both", definition) end

describe("a step of two keyed inputs", function()
  after_each(case.close)

  variants.it(it, "T32: of two inputs shares state and timers between them", { key = same, harness = { inputs = 2 } }, function(open)
    local h = open(keyed)
    h:watermarks(1)
    h.inputs[1]:push(17, 0)
    h.inputs[1]:push(13, 0)
    h:expect "W(1) INPUT1:17@0 INPUT1:13@0"
    h.inputs[1]:watermark(2)
    h:expect ""
    h.inputs[2]:watermark(2)
    h.inputs[2]:push(42, 1)
    h:expect "W(2) INPUT2:42@1"
    h.inputs[2]:push(13, 1)
    h.inputs[1]:watermark(6)
    h:expect ""
    h.inputs[2]:watermark(6)
    h:expect "STATE:17@6 W(6)"
    h:watermarks(7)
    h:expect "STATE:42@7 W(7)"
    assert.equal(0, h:timer_count("event"))
  end)

  local by_key = { key = function(value, input) return input == 1 and value.id or value.name end, harness = { inputs = 2 } }

  variants.it(it, "S43: forgets nothing of what several keys hold", by_key, function(open)
    local h = open(function(first, second)
      return first:key_by("id"):connect(second:key_by("name")):process("sum", {
        state = { sum = mt.value_state { default = 0 }, names = mt.map_state(), list = mt.list_state() },
        process_element1 = function(self, value)
          self.sum:update(self.sum:value() + value.n)
          self.list:add(value.n)
        end,
        process_element2 = function(self, value, ctx, out)
          self.names:put(value.n, true)
          local count = 0
          for _ in self.names:keys() do count = count + 1 end
          out:collect(("%s:%d:%d:%s"):format(ctx:current_key(), self.sum:value(), count, table.concat(self.list:get(), "+")))
        end,
      })
    end)
    for i = 1, 12 do h.inputs[1]:push { id = "k" .. i % 5, n = i } end
    h.inputs[2]:push { name = "k2", n = 1 }
    for _ = 1, 2 do h.inputs[2]:push { name = "k2", n = 2 } end
    h.inputs[2]:push { name = "k4", n = 1 }
    h:expect "k2:21:1:2+7+12 k2:21:2:2+7+12 k2:21:2:2+7+12 k4:13:1:4+9"
  end)

  it("S54: finds its state by its name after a restore", function()
    local h = case.new(keyed, { inputs = 2 })
    h.inputs[1]:push(5, 0)
    local build = h.build
    h.build = function(first, second)
      return build(first:filter(function() return true end), second:map(same))
    end
    h:snap()
    h.inputs[2]:push(5, 0)
    h.inputs[2]:push(5, 1)
    assert.equal("INPUT2:5@1", h:words())
  end)

  it("takes the state of a record back whose callback failed, on either input", function()
    local h = case.new(function(first, second)
      local function add(self, value, ctx, out)
        self.sum:update(self.sum:value() + value.n)
        if value.bad then error("bad") end
        out:collect(self.sum:value())
      end
      return first:key_by("k"):connect(second:key_by("k")):process("sum", {
        state = { sum = mt.value_state { default = 0 } }, process_element1 = add, process_element2 = add, on_error = "skip",
      })
    end, { inputs = 2 })
    h.inputs[1]:push { k = 1, n = 1 }
    h.inputs[2]:push { k = 1, n = 10, bad = true }
    h.inputs[1]:push { k = 1, n = 100, bad = true }
    h.inputs[2]:push { k = 1, n = 1000 }
    assert.equal("1 1001", h:words())
  end)
end)

describe("a step of two inputs without keys", function()
  after_each(case.close)

  local function build(first, second)
    return first:map(function(n) return n + 1 end):connect(second):process("both", {
      open = function(self) self.seen = 0 end,
      process_element1 = function(self, value, ctx, out)
        self.seen = self.seen + 1
        out:collect { "first", value, self.seen }
        ctx:output("odd", value)
      end,
      process_element2 = function(self, value, ctx, out)
        self.seen = self.seen + 1
        assert(ctx:current_key() == nil)
        out:collect { "second", value, self.seen }
      end,
    })
  end

  it("calls one callback for each", function()
    local h = case.new(build, { inputs = 2 })
    h.inputs[1]:push(1, 5)
    h.inputs[2]:push("x")
    h.inputs[1]:push(2)
    assert.equal("{first,2,1}@5 {second,x,2} {first,3,3}", h:words())
    assert.equal("2@5 3", h:side("odd"))
  end)

  it("S18d: has the lower watermark of both, and that of one while the other is idle", function()
    local h = case.new(build, { inputs = 2 })
    h.inputs[1]:watermark(10)
    assert.equal("", h:words())
    h.inputs[2]:watermark(4)
    h.inputs[2]:watermark(7)
    assert.equal("W(4) W(7)", h:words())
    h.inputs[2]:idle()
    assert.equal("W(10)", h:words())
    h.inputs[1]:idle()
    assert.equal("IDLE", h:words())
  end)

  it("F1: an input that ends while the other is idle does not end time", function()
    local h = case.new(build, { inputs = 2 })
    h.inputs[2]:watermark(7)
    h.inputs[2]:idle()
    h.inputs[1]:watermark(10)
    assert.equal("W(10)", h:words())
    h.inputs[1]:finish()
    assert.equal("IDLE", h:words())
    h.inputs[2]:push("x", 8)
    h.inputs[2]:watermark(12)
    assert.equal("ACTIVE {second,x,1}@8 W(12)", h:words())
    h.inputs[2]:idle()
    h.inputs[2]:finish()
    assert.equal("IDLE ACTIVE W(MAX) END", h:words())
  end)

  it("may be a stream connected to itself", function()
    local h = case.new(function(input)
      return input:connect(input):process("both", {
        process_element1 = function(_, value, _, out) out:collect("1:" .. value) end,
        process_element2 = function(_, value, _, out) out:collect("2:" .. value) end,
      })
    end)
    h:push("a")
    assert.equal("1:a 2:a", h:set())
  end)
end)
