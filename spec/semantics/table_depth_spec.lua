-- How deep tables may lie in each other: the same whether an encoder has met their kind or not, and never deeper than
-- what reads the bytes back.
local mt = require "moontide"
local testing = require "moontide.testing"

local deepest = 64

local function nested(depth)
  local value = 1
  for _ = 1, depth do value = { value } end
  return value
end

local kinds = {
  ["a row with a list"] = { make = function(depth) return { x = nested(depth - 1) } end, met = { x = { 1 } } },
  ["rows in rows"] = { met = { x = { x = 1 } }, make = function(depth)
    local value = 1
    for _ = 1, depth do value = { x = value } end
    return value
  end },
  ["lists in lists"] = { make = nested, met = { { 1 } } },
}

local function new(options, first, second)
  return testing.harness(function(input)
    return input:map(function(which) return which == 1 and first or second end)
      :key_by(function() return "k" end)
      :process("keeps", {
        state = { value = mt.value_state(), map = mt.map_state(), list = mt.list_state() },
        process_element = function(self, record)
          self.value:update(record)
          self.map:put("m", record)
          self.list:add(record)
        end,
      })
  end, options)
end

describe("S33, L3: tables in each other", function()
  for name, kind in pairs(kinds) do
    for _, backend in ipairs { "memory", "rocksdb" } do
      for _, met in ipairs { false, true } do
        local what = ("%s, %s, on %s"):format(name, met and "of a kind that was met before" or "of a new kind", backend)
        local function push(depth)
          local h = new({ backend = backend }, kind.met, kind.make(depth))
          if met then h:push(1) end
          return h, pcall(h.push, h, 2)
        end

        it("are kept and restored down to 64 levels: " .. what, function()
          local h, ok, message = push(deepest)
          assert.is_true(ok, message)
          local snapshot = h:snapshot()
          h:close()
          h = new({ backend = backend, restore = snapshot }, kind.met, kind.met)
          h:push(1)
          h:close()
        end)

        it("are refused below that: " .. what, function()
          local h, ok, message = push(deepest + 1)
          h:close()
          assert.is_false(ok)
          assert.is_truthy(tostring(message):find("a table is nested deeper than 64 levels", 1, true), message)
        end)
      end
    end
  end
end)
