-- What packs a value makes 0 of -0; so does all that takes one, or a restore would change it.
local mt = require "moontide"
local testing = require "moontide.testing"

describe("-0", function()
  it("is 0 in records, keys (L4) and state, before a restore as after it", function()
    local function build(input)
      return input:map(function(n) return { n = n, zero = -0.0, list = { -0.0 } } end):key_by(function() return -0.0 end):process("zeros", {
        state = { number = mt.value_state(), row = mt.value_state(), list = mt.list_state(), map = mt.map_state(), again = mt.value_state() },
        process_element = function(self, record, ctx, out)
          if record.n == 1 then
            self.number:update(-0.0)
            self.row:update { zero = -0.0 }
            self.list:update { -0.0, { -0.0 } }
            self.map:put("zero", -0.0)
          end
          if record.n < 3 then self.again:update(-0.0) end
          local list = self.list:get()
          local all = { record.zero, record.list[1], ctx:current_key(), self.number:value(), self.row:value().zero, list[1], list[2][1], self.map:get "zero",
            self.again:value() }
          for i, zero in ipairs(all) do all[i] = 1 / zero end
          out:collect(table.concat(all, " "))
        end,
      })
    end
    local function zeros(records, backend, snapshot)
      local h = testing.harness(build, { backend = backend, restore = snapshot and { snapshot } or nil })
      h.inputs[1].channels[1]:push_all(records)
      local values, taken = h:values(), h:snapshot()
      h:close()
      return values, taken
    end
    local same = ("inf "):rep(8) .. "inf"
    for _, backend in ipairs { "memory", "rocksdb" } do
      local values, snapshot = zeros({ 1, 2, 3 }, backend)
      assert.are.same({ same, same, same }, values)
      assert.are.same({ same }, (zeros({ 3 }, backend, snapshot)))
    end
  end)

  it("is 0 as a default, and as an average", function()
    local h = testing.harness(function(input)
      return input:key_by(function() return 1 end):process("default", {
        state = { number = mt.value_state { default = -0.0 }, row = mt.value_state { default = { x = -0.0 } } },
        process_element = function(self, _, _, out) out:collect { 1 / self.number:value(), 1 / self.row:value().x } end,
      })
    end)
    h:push(1)
    assert.are.same({ { math.huge, math.huge } }, h:values())
    h:close()
    h = testing.harness(function(input)
      return input:key_by(function() return 1 end):window(mt.tumbling { size = 10 })
        :aggregate("avg", mt.aggregates { avg = mt.agg.avg "x" }):map(function(row) return 1 / row.avg end)
    end)
    for i, x in ipairs { -5e-324, 0, 0 } do h:push({ x = x }, i) end
    h:watermark(100)
    assert.are.same({ math.huge }, h:values())
    h:close()
  end)
end)
