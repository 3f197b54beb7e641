-- The loops over batches are compiled. Debug hooks do not fire in compiled code:
-- what a count hook counts while the worker runs is what is left to the interpreter.
local mt = require "moontide"
local testing = require "moontide.testing"

-- While a hook is set nothing is compiled: the first trial of a renewed loop (runtime/renewal.lua) is over before.
local single_count, warm_batches, measured_batches, batch_records = 2000, 80, 40, 1024
-- Interpreted instructions for each record, where the loop itself is compiled; tens, where it is not.
local interpreted_max = 1
local hook_each = 50

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

-- Feeds batches of 1, then of 1024. Answers what came out of some of it, and the instructions interpreted per record.
local function feed(build, make)
  jit.flush()
  local h = testing.harness(build)
  local run, channel, count, counting = h._run, h.inputs[1].channels[1], 0, false
  h._run = function(self)
    if counting then debug.sethook(function() count = count + 1 end, "", hook_each) end
    run(self)
    if counting then debug.sethook() end
  end
  for _, value in ipairs(make(0, single_count)) do channel:push(value) end
  local values = h:values()
  for i = 1, warm_batches do
    channel:push_all(make(i * batch_records, batch_records))
    if i < 4 then for _, value in ipairs(h:values()) do values[#values + 1] = value end end
    h:values()
  end
  counting = true
  for i = 1, measured_batches do
    channel:push_all(make(i, batch_records))
    h:values()
  end
  h:close()
  return values, count * hook_each / (measured_batches * batch_records)
end

-- The compiler rolls dice over which try it gives up for good; what can be compiled is, on one try of three.
local function feed_until_compiled(build, make, enough)
  local values, interpreted, fewest = nil, nil, math.huge
  for _ = 1, 3 do
    values, interpreted = feed(build, make)
    fewest = math.min(fewest, interpreted)
    if fewest < enough then break end
  end
  return values, fewest
end

local function feed_interpreted(build, make)
  jit.off()
  local ok, values, interpreted = pcall(feed, build, make)
  jit.on()
  assert(ok, values)
  return values, interpreted
end

local function compiles(name, make, build)
  it(name .. " is compiled, and answers the same as without the JIT", function()
    local values, interpreted = feed_until_compiled(build, make, interpreted_max)
    assert.is_true(#values > 0)
    assert.is_true(interpreted < interpreted_max, ("%.1f instructions interpreted for each record"):format(interpreted))
    local plain, all = feed_interpreted(build, make)
    assert.are.same(plain, values)
    assert.is_true(all > interpreted_max, ("the count is of no use: %.1f without the JIT"):format(all))
  end)
end

-- Where loops that are short now and then lie in each other, parts are left to the interpreter.
local function compiles_mostly(name, make, build)
  it(name .. " is compiled for the most part, and answers the same as without the JIT", function()
    local values, interpreted = feed_until_compiled(build, make, 0)
    assert.is_true(#values > 0)
    local plain, all = feed_interpreted(build, make)
    assert.is_true(interpreted < all / 6, ("%.1f of %.1f instructions interpreted for each record"):format(interpreted, all))
    assert.are.same(plain, values)
  end)
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

  it("a step with a policy is compiled too", function()
    local values, interpreted = feed(function(input)
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
    assert.is_true(interpreted < interpreted_max, ("%.1f instructions interpreted for each record"):format(interpreted))
  end)
end)
