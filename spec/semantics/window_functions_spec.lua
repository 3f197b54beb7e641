-- What a window function finds: its states, its window, the clocks, side outputs; and when it is cleared.
local mt = require "moontide"
local testing = require "moontide.testing"
local variants = require "support.variants"

local backends = { "memory", "rocksdb" }

-- A harness over windows of `key`, driven by `script`; `h.again()` puts a restored one in its place.
local function run(backend, build, script, options)
  local given = { backend = backend }
  for name, value in pairs(options or {}) do given[name] = value end
  local h = { it = testing.harness(build, given) }
  function h.again()
    given.restore = h.it:snapshot()
    h.it:close()
    h.it = testing.harness(build, given)
  end
  script(h)
  h.it:close()
end

-- What the script fails with.
local function failure_of(...)
  local ok, failure = pcall(run, ...)
  assert.is_false(ok, "it did not fail")
  return failure
end

local function push(h, key, value, time) h.it:push({ key = key, value = value }, time) end

local keyed = { key = function(record) return record.key end, sides = { "side" } }

describe("a window function", function()
  local counting = {
    state = { total = mt.value_state { default = 0 } },
    window_state = { fired = mt.value_state { default = 0 }, seen = mt.map_state(), sums = mt.list_state() },
    process = function(self, key, window, elements, _, out)
      self.total:update(self.total:value() + #elements)
      self.fired:update(self.fired:value() + 1)
      self.seen:put(#elements, true)
      self.sums:add(#elements)
      out:collect(("%s[%d:total=%d:fired=%d:sums=%s"):format(key, window.start, self.total:value(), self.fired:value(), table.concat(self.sums:get(), ",")))
    end,
  }

  variants.it(it, "S24: has state of the key, that stays, and of the window, that is dropped after clear", keyed, function(open)
    local cleared = {}
    local definition = { clear = function(self, key, window)
      cleared[#cleared + 1] = ("%s %d fired %d total %d"):format(key, window.start, self.fired:value(), self.total:value())
    end }
    for name, field in pairs(counting) do definition[name] = field end
    local h = open(function(input)
      return input:key_by("key"):window(mt.tumbling { size = 1000 }):allowed_lateness(500):process("p", definition)
    end)
    push({ it = h }, "a", 1, 10)
    push({ it = h }, "a", 2, 1010)
    push({ it = h }, "b", 3, 20)
    h:watermark(999)
    h:expect "a[0:total=1:fired=1:sums=1@999 b[0:total=1:fired=1:sums=1@999 W(999)"
    push({ it = h }, "a", 4, 30)
    h:expect "a[0:total=3:fired=2:sums=1,2@999"
    h:watermark(1499)
    table.sort(cleared)
    assert.same({ "a 0 fired 2 total 3", "b 0 fired 1 total 1" }, cleared)
    h:watermark(2499)
    h:expect "W(1499) a[1000:total=4:fired=1:sums=1@1999 W(2499)"
    assert.equal(2, h:state_size()) -- the totals of a and b
    assert.equal(0, h:timer_count())
  end)

  variants.it(it, "S31: what it emits has the time of the window's end, to side outputs too, and may have another", keyed, function(open)
    local h = open(function(input)
      return input:key_by("key"):window(mt.tumbling { size = 1000 }):allowed_lateness(500):reduce("p", function(a) return a end,
        function(key, window, element, ctx, out)
          out:collect(element.value)
          out:collect(-element.value, 5)
          ctx:output("side", ("%s:%d..%d:wm:%d:PT:%d"):format(key, window.start, window.max_timestamp, ctx:current_watermark(),
            ctx:current_processing_time()))
          ctx:output("side", "early", 6)
        end)
    end, { ordered = true, harness = { processing_time = 3 } })
    push({ it = h }, "a", 1, 10)
    h:watermark(1200)
    push({ it = h }, "a", 2, 20)
    h:expect "1@999 -1@5 W(1200) 1@999 -1@5"
    h:expect_side("side", "a:0..999:wm:1200:PT:3@999 early@6 a:0..999:wm:1200:PT:3@999 early@6")
  end)

  local function spans(stagger)
    return function(input)
      return input:key_by("key"):window(mt.tumbling { size = 5000, stagger = stagger }):process("p", function(_, window, _, _, out)
        out:collect(("[%d,%d)"):format(window.start, window["end"]))
      end)
    end
  end

  variants.it(it, "T26: stagger natural begins its windows at the first record", keyed, function(open)
    local h = open(spans "natural", { harness = { processing_time = 150 } })
    push({ it = h }, "a", 1, 150)
    push({ it = h }, "a", 1, 5300)
    h:watermark(20000)
    h:expect "[150,5150)@5149 [5150,10150)@10149 W(20000)"
  end)

  variants.it(it, "T26: stagger random is drawn once", keyed, function(open)
    local h = open(spans "random")
    local first
    for _, time in ipairs { 100000, 200000, 300000, 400000 } do
      push({ it = h }, "a", 1, time)
      h:watermark(time + 10000)
      local start = tonumber(h:values()[1]:match "%d+") % 5000
      first = first or start
      assert.equal(first, start)
    end
  end)
end)

for _, backend in ipairs(backends) do
  describe("a window function on " .. backend, function()
    it("is opened and closed with a context, where there is no state", function()
      local calls = {}
      local definition = {
        state = { s = mt.value_state() },
        open = function(self, ctx)
          calls[#calls + 1] = ("open %d/%d"):format(ctx:subtask(), ctx:parallelism())
          self.mine = 7
          calls[#calls + 1] = tostring(pcall(function() return self.s:value() end))
        end,
        close = function(self) calls[#calls + 1] = "close " .. self.mine end,
        process = function() end,
      }
      run(backend, function(input) return input:key_by("key"):window(mt.tumbling { size = 1 }):process("p", definition) end, function() end)
      assert.same({ "open 0/1", "false", "close 7" }, calls)
    end)

    it("fails with its name, key and record, and is taken back where records may be skipped", function()
      local function build(input)
        return input:key_by("key"):window(mt.tumbling { size = 1000 }):allowed_lateness(1000):process("p", function(_, _, elements, _, out)
          out:collect("emitted")
          if elements[#elements].value == 2 then error("no twos") end
          out:collect(#elements)
        end)
      end
      local failure = failure_of(backend, build, function(h)
        push(h, "a", 2, 10)
        h.it:watermark(999)
      end)
      assert.matches('step "p", subtask 0: .*no twos', failure)
      assert.matches("in process", failure, 1, true)
      assert.matches('key     "a"', failure, 1, true)
      run(backend, build, function(h)
        push(h, "a", 1, 10)
        h.it:watermark(999)
        push(h, "a", 2, 20)
        push(h, "a", 3, 30)
        assert.same({ "emitted", 1, "emitted", 2 }, h.it:values())
      end, { on_error = "skip" })
    end)

    it("S24: is forgotten at its end also where it failed there, and its record may be skipped", function()
      local function fails() error("no") end
      local windows = { mt.tumbling { size = 10 }, mt.session { gap = 10 }, mt.tumbling { size = 10, time = "processing" } }
      local ways = {
        function(windowed) return windowed:process("p", fails) end,
        function(windowed) return windowed:reduce("p", function(a) return a end, fails) end,
        function(windowed) return windowed:evictor { before = fails }:process("p", function() end) end,
      }
      for _, window in ipairs(windows) do
        for _, way in ipairs(ways) do
          run(backend, function(input) return way(input:key_by("key"):window(window)) end, function(h)
            for _, key in ipairs { "a", "b", "c" } do push(h, key, 1, 0) end
            h.it:watermark(20)
            h.it:set_processing_time(20)
            assert.same({}, h.it:values())
            assert.equal(0, h.it:state_size() + h.it:timer_count("event") + h.it:timer_count("processing"))
          end, { on_error = "skip" })
        end
      end
    end)

    it("S22: a record without a time is an error of the record; the others are handled", function()
      local windows = { mt.tumbling { size = 10 }, mt.sliding { size = 10, slide = 5 }, mt.session { gap = 10 } }
      local function counted(window, build)
        local failure = failure_of(backend, build, function(h) push(h, "a", 1) end)
        assert.matches("time", failure, 1, true)
        run(backend, build, function(h)
          push(h, "a", 1)
          push(h, "a", 1, 7)
          h.it:watermark(100)
          assert.equal(1, h.it:values()[1].count, window.kind)
        end, { on_error = "skip" })
      end
      for _, window in ipairs(windows) do
        counted(window, function(input) return input:key_by("key"):window(window):count("engine") end)
        counted(window, function(input)
          return input:key_by("key"):window(window):process("lua", function(_, _, elements, _, out) out:collect { count = #elements } end)
        end)
      end
    end)

    it("a key that is too long beside its window is an error of the record; the others of its batch are handled", function()
      for _, window in ipairs { mt.tumbling { size = 10 }, mt.sliding { size = 10, slide = 5 }, mt.session { gap = 10 } } do
        for bytes = 59985, 59997 do -- with its head a key has three more, of at most 60000
          run(backend, function(input)
            return input:assign_timestamps { field = "at" }:key_by("key"):window(window):process("p", function(key, _, elements, _, out)
              if key == "a" then out:collect(#elements) end
            end)
          end, function(h)
            h.it.inputs[1].channels[1]:push_all { { key = "a", at = 6 }, { key = ("k"):rep(bytes), at = 7 }, { key = "a", at = 8 } }
            h.it:finish()
            assert.equal(2, h.it:values()[1])
          end, { on_error = "skip" })
        end
      end
    end)

    it("S29d: a gap that is no duration above 0 is an error of the record", function()
      for _, gap in ipairs { 0, -5, 1.5, "soon", false } do
        local failure = failure_of(backend, function(input)
          return input:key_by("key"):window(mt.session { gap = function() return gap end }):count("c")
        end, function(h) push(h, "a", 1, 1) end)
        assert.matches("the gap of a session must be a duration above 0", failure, 1, true)
      end
      run(backend, function(input)
        return input:key_by("key"):window(mt.session { gap = function() return "1s" end }):count("c")
      end, function(h)
        push(h, "a", 1, 0)
        h.it:watermark(999)
        assert.equal(1000, h.it:values()[1].window_end)
      end)
    end)

    it("gets more windows of a batch than there is room for at once", function()
      run(backend, function(input)
        return input:key_by("key"):window(mt.sliding { size = 100, slide = 1 }):aggregate("n", {
          create = function() return 0 end, add = function(acc) return acc + 1 end, result = function(acc) return acc end,
        })
      end, function(h)
        local sum = 0
        for i = 1, 50 do push(h, "k" .. i % 7, 1, i) end
        h.it:watermark(math.huge)
        for _, count in ipairs(h.it:values()) do sum = sum + count end
        assert.equal(5000, sum)
        assert.equal(0, h.it:state_size() + h.it:timer_count("event"))
      end)
    end)
  end)
end
