-- Keyed state whose version has risen since the checkpoint: `migrate` makes its values into those of today's.
local case = require "support.case"
local mt = require "moontide"

-- Version 1 has numbers, version 2 { n = }, version 3 { m = }.
local function migrate(value, version)
  return { m = version == 1 and value or value.n }
end

local function sum(a, b) return { m = a.m + b.m } end

local folding = {
  create = function() return { m = 0 } end,
  add = function(acc, value) return { m = acc.m + value.m } end,
  result = function(acc) return acc end,
}

-- By kind: the state of a version, what is put into it, and all that is in it as a text.
local kinds = {
  value = {
    new = function(given) return mt.value_state(given) end,
    put = function(state, value) state:update(value) end,
    text = function(state) return tostring((state:value() or { m = "-" }).m) end,
  },
  list = {
    new = function(given) return mt.list_state(given) end,
    put = function(state, value) state:add(value) end,
    text = function(state)
      local parts = {}
      for i, value in ipairs(state:get()) do parts[i] = tostring(value.m) end
      return table.concat(parts, ",")
    end,
  },
  map = {
    new = function(given) return mt.map_state(given) end,
    put = function(state, value, number) state:put("k" .. number, value) end,
    text = function(state)
      local parts = {}
      for key, value in state:entries() do parts[#parts + 1] = key .. "=" .. tostring(value.m) end
      table.sort(parts)
      return table.concat(parts, ",")
    end,
  },
}

-- What a record { k =, put = } puts, at the version; { k = } asks.
local function build(kind, given, of)
  return function(input)
    return input:key_by("k"):process("p", {
      state = { s = kinds[kind].new(given), beside = mt.value_state { default = 0 } },
      process_element = function(self, v, _, out)
        self.beside:update(self.beside:value() + 1)
        if v.put then kinds[kind].put(self.s, of(v.put), v.put) else out:collect(kinds[kind].text(self.s) .. "/" .. self.beside:value()) end
      end,
    })
  end
end

local first = function(n) return n end
local second = function(n) return { n = n } end

describe("keyed state of an earlier version", function()
  after_each(case.close)

  case.each_backend(function(backend)
    for kind, expected in pairs { value = "7/3", list = "5,7/3", map = "k5=5,k7=7/3" } do
      it(("S54: is migrated when the step opens, once: %s state, on %s"):format(kind, backend), function()
        for version, of in ipairs { first, second } do
          local old = case.new(build(kind, { version = version }, of), { backend = backend, max_parallelism = 16 })
          for key = 1, 40 do
            old:push { k = key, put = 5 }
            old:push { k = key, put = 7 }
          end
          local calls = 0
          local given = { version = 3, migrate = function(value, from)
            assert.equal(version, from)
            calls = calls + 1
            return migrate(value, from)
          end }
          local snapshot = old:snapshot()
          local new = case.new(build(kind, given), { backend = backend, restore = snapshot })
          assert.equal(kind == "value" and 40 or 80, calls)
          for key = 1, 41 do new:push { k = key } end
          local values = new:values()
          for key = 1, 40 do assert.equal(expected, values[key]) end
          assert.equal((kind == "value" and "-" or "") .. "/1", values[41])
          local again = case.new(build(kind, given), { backend = backend, restore = new:snapshot() })
          assert.equal(kind == "value" and 40 or 80, calls)
          again:push { k = 1 }
          assert.equal((expected:gsub("3$", "4")), again:values()[1])
          for parallelism = 2, 3 do
            local subtask_calls = calls
            for subtask = 0, parallelism - 1 do
              case.new(build(kind, given), { backend = backend, restore = snapshot, parallelism = parallelism, subtask = subtask })
            end
            assert.equal(kind == "value" and 40 or 80, calls - subtask_calls) -- each key by the subtask that has it
          end
        end
      end)
    end

    it("S54: is migrated as it is kept where it folds what is added, on " .. backend, function()
      local function reducing(given)
        given.reduce = sum
        return mt.reducing_state(given)
      end
      local function aggregating(given)
        for name, fn in pairs(folding) do given[name] = fn end
        return mt.aggregating_state(given)
      end
      local function steps(make, given)
        return function(input)
          return input:key_by("k"):process("p", {
            state = { s = make(given) },
            process_element = function(self, v, _, out)
              self.s:add { m = v.n }
              out:collect(self.s:get().m)
            end,
          })
        end
      end
      for _, make in ipairs { reducing, aggregating } do
        local old = case.new(steps(make, {}), { backend = backend })
        old:push { k = 1, n = 3 }
        old:push { k = 1, n = 4 }
        local new = case.new(steps(make, { version = 2, migrate = function(kept) return { m = kept.m * 100 } end }), { backend = backend, restore = old:snapshot() })
        new:push { k = 1, n = 1 }
        assert.same({ 701 }, new:values())
      end
    end)

    it("S54: is migrated where rows are only in the store, on " .. backend, function()
      local options = { backend = backend, memory = backend == "rocksdb" and 1 or nil }
      local old = case.new(build("map", {}, first), options)
      for key = 1, 500 do old:push { k = key, put = key } end
      options.restore = old:snapshot()
      local new = case.new(build("map", { version = 3, migrate = migrate }), options)
      for key = 1, 500 do new:push { k = key } end
      for key, text in ipairs(new:values()) do assert.equal(("k%d=%d/2"):format(key, key), text) end
    end)
  end)

  local function refused(given, restore)
    local ok, message = pcall(case.new, build("value", given), { restore = restore })
    assert.is_false(ok)
    return message
  end

  it("S54: is refused where the job has no migrate, or an older version, or migrate fails", function()
    local old = case.new(build("value", { version = 2 }, second), {})
    old:push { k = 1, put = 1 }
    local snapshot = old:snapshot()
    assert.matches("state 's' of step \"p\" has version 2 in the checkpoint and 3 in the job, which has no 'migrate' for it",
      refused({ version = 3 }, snapshot), 1, true)
    assert.matches("state 's' of step \"p\" has version 2 in the checkpoint, and only 1 in the job", refused({ migrate = migrate }, snapshot), 1, true)
    local nothing = refused({ version = 3, migrate = function() end }, snapshot)
    assert.matches("the 'migrate' of state 's' answered nothing for", nothing, 1, true)
    assert.matches("\n  state_migration_spec.lua:%d+: in migrate", nothing)
    assert.matches("as it is", refused({ version = 3, migrate = function() error("as it is") end }, snapshot), 1, true)
  end)
end)
