-- Records that are tables of two texts and two numbers; a state that is a table of three numbers.
-- settings: keys, interval, memory
local mt = require "moontide"
local args = mt.args

local kinds = { [0] = "card", "cash", "wire", "check" }
local job = mt.job("table_records", { checkpoint = { interval = args.interval or "1s" }, state = { memory = args.memory or "256MB" } })

job:from(mt.random_keys { keys = tonumber(args.keys or 100000), shape = "string", fields = 1 })
  :map(function(record)
    return { account = record.key, kind = kinds[record.value % 4], amount = record.field_01 * 1.1 + 1, number = record.value }
  end)
  :filter(function(payment) return payment.kind ~= "wire" end)
  :key_by("account")
  :process("figures", {
    state = { figures = mt.value_state() },
    process_element = function(self, payment, ctx, out)
      local figures = self.figures:value() or { count = 0, sum = 0, max = 0 }
      figures.count = figures.count + 1
      figures.sum = figures.sum + payment.amount
      figures.max = math.max(figures.max, payment.amount)
      self.figures:update(figures)
      out:collect { account = ctx:current_key(), number = payment.number, mean = figures.sum / figures.count, max = figures.max }
    end,
  })
  :to(mt.blackhole {})

return job
