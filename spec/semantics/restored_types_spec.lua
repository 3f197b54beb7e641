-- What a restore refuses because the job means something else by a name than the checkpoint does.
local case = require "support.case"
local mt = require "moontide"

local function sum(a, b) return a + b end

local keyed = {
  value = mt.value_state(), list = mt.list_state(), map = mt.map_state(), reducing = mt.reducing_state { reduce = sum },
  aggregating = mt.aggregating_state { create = function() return 0 end, add = sum, result = function(acc) return acc end },
}
local of_subtasks = { operator_list = mt.operator_list_state {}, union_list = mt.union_list_state {} }

local fill = {
  value = function(state) state:update(1) end,
  map = function(state) state:put(1, 1) end,
}

local function build(types, type, is_keyed)
  return function(input)
    local stream = is_keyed and input:key_by(function(value) return value end) or input
    return stream:process("p", {
      state = { s = types[type] },
      process_element = function(self, _, _, out)
        (fill[type] or function(state) state:add(1) end)(self.s)
        out:collect(type == "value" and self.s:value() or "got")
      end,
    })
  end
end

local function restores(types, from, to, options)
  local first = case.new(build(types, from, types == keyed), options)
  first:push(1)
  local restore = first:snapshot()
  return pcall(case.new, build(types, to, types == keyed), { restore = restore, backend = options.backend })
end

describe("S54: a state that a restore finds by its name", function()
  after_each(case.close)

  case.each_backend(function(backend)
    it("is of the type that it was, on " .. backend, function()
      for _, types in ipairs { keyed, of_subtasks } do
        for from in pairs(types) do
          for to in pairs(types) do
            local ok, message = restores(types, from, to, { backend = backend })
            assert.equal(from == to, ok, from .. " to " .. to)
            if from ~= to then
              assert.is_truthy(message:find("state 's'", 1, true), message)
              assert.is_truthy(message:find(("is a %s in the checkpoint and a %s in the job"):format(from, to), 1, true), message)
            end
          end
        end
      end
    end)
  end)

  it("is what a window was reduced to, and no accumulator of an aggregate", function()
    local function windowed(finish)
      return function(input)
        return finish(input:key_by(function(value) return value end):window(mt.tumbling { size = 10 }))
      end
    end
    local reduced = windowed(function(stream) return stream:reduce("w", sum) end)
    local aggregated = windowed(function(stream) return stream:aggregate("w", keyed.aggregating) end)
    local h = case.new(reduced)
    h:push(1, 1)
    local restore = h:snapshot()
    local ok = pcall(case.new, aggregated, { restore = restore })
    assert.is_false(ok)
    local again = case.new(reduced, { restore = restore })
    again:push(1, 2)
    again:watermark(9)
    assert.equal("2@9 W(9)", again:words())
  end)
end)
