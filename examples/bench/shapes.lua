-- The same work in other shapes: nothing may be fast for the listed ones alone.
-- settings: shape, one of the names below
local mt = require "moontide"

local function count_and_collect(self, value, out)
  local count = self.count:value() + 1
  self.count:update(count)
  out:collect(value)
end

local counting = { count = mt.value_state { default = 0 } }

local shapes = {}

-- Eight fields, three states of other kinds, a table out.
function shapes.three_states(job)
  return job:from(mt.random_keys { keys = 100000, shape = "row", fields = 6 })
    :key_by("key")
    :process("three", {
      state = { visits = mt.value_state { default = 0 }, last_page = mt.value_state(), returning = mt.value_state { default = false } },
      process_element = function(self, visit, ctx, out)
        local visits = self.visits:value() + 1
        self.visits:update(visits)
        if self.last_page:value() == visit.field_02 then self.returning:update(true) end
        self.last_page:update(visit.field_02)
        out:collect { user = ctx:current_key(), page = visit.field_02, visits = visits, returning = self.returning:value() }
      end,
    })
end

-- Tables in tables, as records and as state.
function shapes.nested(job)
  return job:from(mt.random_keys { keys = 100000, shape = "string", fields = 2 })
    :map(function(row) return { user = { id = row.key, age = row.field_01 % 90 }, basket = { row.field_01, row.field_02 }, at = row.value } end)
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
end

-- A key of two fields, 650 thousand different ones.
function shapes.key_of_two(job)
  return job:from(mt.random_keys { keys = 10, shape = "string", fields = 1 })
    :key_by { "field_01", "key" }
    :process("pairs", { state = counting, process_element = function(self, row, _, out) count_and_collect(self, row.value, out) end })
end

-- 64-bit keys beyond what a double holds.
function shapes.wide_integers(job)
  return job:from(mt.random_keys { keys = 1000000 })
    :key_by(function(number) return 2LL ^ 60 + number end)
    :process("wide", { state = counting, process_element = function(self, number, _, out) count_and_collect(self, number, out) end })
end

-- The last ten of each key, as a list.
function shapes.lists(job)
  return job:from(mt.random_keys { keys = 10000, shape = "row" })
    :key_by("key")
    :process("newest", {
      state = { newest = mt.list_state(), count = mt.value_state { default = 0 } },
      process_element = function(self, row, _, out)
        local count = self.count:value() + 1
        if count > 10 then
          self.newest:clear()
          count = 1
        end
        self.newest:add(row.value)
        self.count:update(count)
        out:collect(count)
      end,
    })
end

-- Records made by Lua, with names of their own, some without a field.
function shapes.made_in_lua(job)
  return job:from(mt.generator {
      seed = 1,
      fn = function(i, random)
        local account = random(100000)
        if i % 10 == 0 then return { account = account, cents = i % 1000, note = "gift" } end
        return { account = account, cents = i % 1000 }
      end,
    })
    :key_by("account")
    :process("sums", {
      state = { sum = mt.value_state { default = 0 } },
      process_element = function(self, payment, _, out)
        local sum = self.sum:value() + payment.cents
        self.sum:update(sum)
        out:collect { account = payment.account, sum = sum, note = payment.note }
      end,
    })
end

local function payment_of(row) return { account = row.key, cents = row.value } end
local function is_large(payment) return payment.cents > 100 end
local function add_to(sum, payment) return { n = sum.n + 1, cents = sum.cents + payment.cents } end
local function emit_mean(out, account, sum) out:collect { account = account, mean = sum.cents / sum.n } end

-- The work in functions of their own, which the steps call.
function shapes.in_functions(job)
  return job:from(mt.random_keys { keys = 100000, shape = "row" })
    :map(function(row) return payment_of(row) end)
    :filter(function(payment) return is_large(payment) end)
    :key_by("account")
    :process("means", {
      state = { sum = mt.value_state { default = { n = 0, cents = 0 } } },
      process_element = function(self, payment, _, out)
        local sum = add_to(self.sum:value(), payment)
        self.sum:update(sum)
        emit_mean(out, payment.account, sum)
      end,
    })
end

-- Ten rules in broadcast state, all of which are held against each record.
function shapes.broadcast_rules(job)
  local list = {}
  for i = 1, 10 do list[i] = { id = i, remainder = i % 7, least = 900 + i } end
  local rules = job:from(mt.values(list), { name = "rules" }):broadcast { rules = mt.map_state() }
  return job:from(mt.random_keys { keys = 100000, shape = "row" })
    :key_by("key")
    :connect(rules)
    :process("match", {
      process_element = function(self, row, _, out)
        for id, rule in self.rules:entries() do
          if row.key % 7 == rule.remainder and row.value > rule.least then out:collect { key = row.key, rule = id } end
        end
      end,
      process_broadcast_element = function(self, rule) self.rules:put(rule.id, rule) end,
    })
end

local shape = mt.args.shape or "three_states"
local job = mt.job("shapes", { checkpoint = { interval = "1s" } })
assert(shapes[shape], "no such shape")(job):to(mt.blackhole {})
return job
