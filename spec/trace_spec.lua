-- The loops over batches are compiled (support/interpreted.lua).
local interpreted = require "support.interpreted"
local mt = require "moontide"

local function compiles(name, make, build) interpreted.it(it, name, make, build) end
local function compiles_mostly(name, make, build) interpreted.it_mostly(it, name, make, build) end

local function numbers(first, count)
  local list = {}
  for i = 1, count do list[i] = first + i end
  return list
end

local function rows(first, count)
  local list = {}
  for i = 1, count do list[i] = { id = (first + i) % 300, name = "name" .. i % 20, price = i / 4, pieces = i % 9 } end
  return list
end

describe("the loop of", function()
  teardown(function() jit.flush() end)

  compiles("map and filter of numbers", numbers, function(input)
    return input:map(function(n) return n * 2 end):filter(function(n) return n % 3 == 0 end)
  end)

  compiles("map of strings", function(first, count)
    local list = {}
    for i = 1, count do list[i] = "word" .. (first + i) % 50 end
    return list
  end, function(input)
    return input:filter(function(word) return word ~= "word7" end):map(function(word) return word end)
  end)

  compiles("map and filter of tables", rows, function(input)
    return input:map(function(row) return { id = row.id, total = row.price * row.pieces } end):filter(function(row) return row.total > 100 end)
  end)

  compiles("process in its short form", rows, function(input)
    return input:process("plain", function(row, ctx, out) out:collect { id = row.id, total = row.price * row.pieces, at = ctx:timestamp() or 0 } end)
  end)

  compiles("tables passed on as they are", rows, function(input)
    return input:filter(function(row) return row.pieces > 2 end)
  end)

  compiles("flat_map", numbers, function(input)
    return input:flat_map(function(n, out)
      out:collect(n)
      if n % 2 == 0 then out:collect(-n) end
    end)
  end)

  compiles("key_by with a function, and a count", numbers, function(input)
    return input:key_by(function(n) return n % 100 end):process("count", {
      state = { count = mt.value_state { default = 0 } },
      process_element = function(self, _, _, out)
        local count = self.count:value() + 1
        self.count:update(count)
        out:collect(count)
      end,
    })
  end)

  compiles("key_by with a field, and a sum with its key and time", rows, function(input)
    return input:key_by("id"):process("sum", {
      state = { sum = mt.value_state { default = 0 } },
      process_element = function(self, row, ctx, out)
        self.sum:update(self.sum:value() + row.price)
        if ctx:timestamp() == nil then out:collect { key = ctx:current_key(), sum = self.sum:value() } end
      end,
    })
  end)

  compiles("key_by with a function that answers a string", rows, function(input)
    return input:key_by(function(row) return row.name end):process("last", {
      state = { last = mt.value_state() },
      process_element = function(self, row, ctx, out)
        self.last:update(row.price)
        out:collect(self.last:value())
      end,
    })
  end)

  compiles("map state", numbers, function(input)
    return input:key_by(function(n) return n % 10 end):process("map", {
      state = { seen = mt.map_state() },
      process_element = function(self, n, _, out)
        local count = (self.seen:get(n % 50) or 0) + 1
        self.seen:put(n % 50, count)
        out:collect(count)
      end,
    })
  end)

  compiles("tables in tables, as records and as state", rows, function(input)
    return input
      :map(function(row) return { user = { id = row.id, name = row.name }, basket = { row.price, row.pieces }, at = row.price } end)
      :key_by(function(order) return order.user.id end)
      :process("baskets", {
        state = { best = mt.value_state() },
        process_element = function(self, order, _, out)
          local best = self.best:value() or { total = 0, items = {} }
          local total = order.basket[1] + order.basket[2]
          if total > best.total then
            best.total, best.items = total, order.basket
            self.best:update(best)
          end
          out:collect { user = order.user, best = best.total }
        end,
      })
  end)

  compiles("a key of two fields", rows, function(input)
    return input:key_by { "name", "pieces" }:process("count", {
      state = { count = mt.value_state { default = 0 } },
      process_element = function(self, row, _, out)
        self.count:update(self.count:value() + 1)
        out:collect(row.price)
      end,
    })
  end)

  compiles("three states of other kinds, and a table out", rows, function(input)
    return input:key_by("id"):process("three", {
      state = { visits = mt.value_state { default = 0 }, last = mt.value_state(), returning = mt.value_state { default = false } },
      process_element = function(self, row, ctx, out)
        local visits = self.visits:value() + 1
        self.visits:update(visits)
        if self.last:value() == row.name then self.returning:update(true) end
        self.last:update(row.name)
        out:collect { user = ctx:current_key(), visits = visits, returning = self.returning:value() }
      end,
    })
  end)

  compiles("twenty states, each read and written", numbers, function(input)
    local state, lines = {}, {}
    for i = 1, 20 do
      state["s" .. i] = mt.value_state { default = 0 }
      lines[i] = ("self.s%d:update(self.s%d:value() + n) sum = sum + self.s%d:value()"):format(i, i, i)
    end
    local text = "return function(self, n, _, out) local sum = 0 " .. table.concat(lines, " ") .. " out:collect(sum) end"
    return input:key_by(function(n) return n % 100 end):process("many", { state = state, process_element = assert(loadstring(text))() })
  end)

  compiles("tables of two shapes", rows, function(input)
    return input:map(function(row)
      if row.pieces == 0 then return { id = row.id, cents = row.price, note = row.name } end
      return { id = row.id, cents = row.price }
    end):key_by("id"):process("sums", {
      state = { sum = mt.value_state() },
      process_element = function(self, row, _, out)
        local sum = self.sum:value() or { cents = 0, count = 0 }
        sum.cents, sum.count = sum.cents + row.cents, sum.count + 1
        self.sum:update(sum)
        out:collect { id = row.id, sum = sum.cents, note = row.note }
      end,
    })
  end)

  compiles("lists that are added to", rows, function(input)
    return input:key_by("id"):process("newest", {
      state = { newest = mt.list_state(), count = mt.value_state { default = 0 } },
      process_element = function(self, row, _, out)
        local count = self.count:value() + 1
        if count > 10 then
          self.newest:clear()
          count = 1
        end
        self.newest:add(row.price)
        self.count:update(count)
        out:collect(count)
      end,
    })
  end)

  for _, longest in ipairs { 3, 40 } do
    compiles_mostly(("lists of none to %d elements that are read and replaced"):format(longest), numbers, function(input)
      return input:key_by(function(n) return n % 10 end):process("lists", {
        state = { read = mt.list_state(), replaced = mt.list_state() },
        process_element = function(self, n, _, out)
          local read, replaced, sum = self.read:get(), self.replaced:get(), 0
          for i = 1, #read do sum = sum + read[i] end
          if #read == longest then self.read:clear() end
          self.read:add(n)
          if #replaced == longest then replaced = {} end
          replaced[#replaced + 1] = sum
          self.replaced:update(replaced)
          out:collect(sum)
        end,
      })
    end)
  end

  compiles_mostly("maps that are gone through", numbers, function(input)
    return input:key_by(function(n) return n % 10 end):process("maps", {
      state = { seen = mt.map_state() },
      process_element = function(self, n, _, out)
        local keys, sum = 0, 0
        self.seen:put(n % 70, n)
        for key, value in self.seen:entries() do keys, sum = keys + key, sum + value end
        if n % 3 == 0 then self.seen:remove((n + 10) % 70) end
        out:collect(keys + sum)
      end,
    })
  end)

  compiles("side outputs that are read", numbers, function(input)
    local stream = input:process("split", function(n, ctx, out)
      if n % 2 == 0 then ctx:output("even", n) else out:collect(n) end
    end)
    return stream:union(stream:side_output("even"))
  end)

  compiles("windows with a trigger", rows, function(input)
    return input:key_by("id"):window(mt.tumbling { size = 1000, time = "processing" }):trigger(mt.trigger.purging(mt.trigger.count(10)))
      :reduce("dearest", function(a, b) return a.price > b.price and a or b end)
  end)

  compiles("windows that the window's own trigger fires", rows, function(input)
    return input:key_by("id"):window(mt.sliding { size = 1000, slide = 500, time = "processing" }):aggregate("pieces", {
      create = function() return { sum = 0, count = 0 } end,
      add = function(acc, row)
        acc.sum, acc.count = acc.sum + row.pieces, acc.count + 1
        return acc
      end,
      result = function(acc) return acc end,
    }):union(input:map(function(row) return row.price end)) -- the clock stands still: no window fires
  end)

  -- LuaJIT takes no more than 15 tail calls into a trace: the library must make none of what a callback may ask for often.
  compiles("what asks for key, time, state and maps time and again", rows, function(input)
    local function many(text) return assert(loadstring("local self, row, ctx = ... " .. text:rep(6) .. " return 0")) end
    local ask = many [[
      if ctx:current_key() ~= row.id + 1e6 or ctx:timestamp() or ctx:timers():current_watermark() > 0 then error "no" end
      if self.names:value() ~= row.name and self.map:get "key" then error "no" end
    ]]
    return input:key_by(function(row) return row.id + 1e6 end):process("asked", {
      state = { names = mt.value_state(), map = mt.map_state() },
      process_element = function(self, row, ctx, out)
        ask(self, row, ctx)
        self.names:update(row.name)
        out:collect(row.id)
      end,
    })
  end)

  local function wide_rows(first, count)
    local list = {}
    for i = 1, count do
      local n = first + i
      list[i] = { id = n * 7919 % 100, at = n * 10 + math.floor(n / 500) * 2000, a = n, b = n, c = n, d = "abc" .. n % 10, e = n, f = n, g = n, h = n }
    end
    return list
  end

  local function timed(input) return input:assign_timestamps { field = "at", max_out_of_orderness = 0, emit = 1000 } end

  compiles("sessions of an aggregate in Lua", wide_rows, function(input)
    return timed(input):key_by("id"):window(mt.session { gap = 1500 }):aggregate("sums", {
      create = function() return { sum = 0, count = 0 } end,
      add = function(acc, row) return { sum = acc.sum + row.a, count = acc.count + 1 } end,
      merge = function(a, b) return { sum = a.sum + b.sum, count = a.count + b.count } end,
      result = function(acc) return acc.sum / acc.count end,
    })
  end)

  for _, each in ipairs { 1, 20 } do
    compiles(("windows of %d wide tables"):format(each), wide_rows, function(input)
      return timed(input):key_by("id"):window(mt.tumbling { size = 1200 * each }):process("all", function(key, _, elements, _, out)
        out:collect { key = key, count = #elements, last = elements[#elements].d }
      end)
    end)

    compiles(("joins over windows of %d wide tables"):format(each), wide_rows, function(input)
      local stream = timed(input)
      return stream:join(stream, { left = "id", right = function(row) return row.id end }):window(mt.tumbling { size = 1200 * each })
        :apply("pairs", function(l, r) return l.a + r.b end)
    end)
  end

  it("a step with a policy is compiled too", function()
    local values, left = interpreted.feed(function(input)
      return input:key_by(function(n) return n % 100 end, { on_error = "skip" }):process("count", {
        on_error = "skip",
        state = { count = mt.value_state { default = 0 } },
        process_element = function(self, _, _, out)
          self.count:update(self.count:value() + 1)
          out:collect(self.count:value())
        end,
      })
    end, numbers)
    assert.is_true(#values > 0)
    assert.is_true(left < interpreted.max, ("%.1f instructions interpreted for each record"):format(left))
  end)
end)
