-- Rules for everybody: limits that change while payments go by reach all subtasks, and a payment is judged by the limit of its time.
-- You will see the payments above the limit: 900 at first, 700 from the 20th minute on, 950 from the 40th.
local mt = require "moontide"

local minute = 60000
local start = 978307200000 -- 1 January 2001

local job = mt.job("broadcast_rules")

local limits = job:from(mt.values {
     { from = start, limit = 900 },
     { from = start + 20 * minute, limit = 700 },
     { from = start + 40 * minute, limit = 950 },
   }, { name = "limits" })
   :assign_timestamps { field = "from", name = "time_of_limits" }
   :broadcast { limits = mt.map_state() }

local payments = job:from(mt.generator { count = 60, seed = 11, fn = function(i, random)
     return { account = "acct-" .. random(3), amount = random(1000), time = start + i * minute }
   end }, { name = "payments" })
   :assign_timestamps { field = "time", name = "time_of_payments" }
   :key_by("account")

payments:connect(limits):process("judged", {
     state = { waiting = mt.map_state() },
     process_broadcast_element = function(self, rule) self.limits:put(rule.from, rule.limit) end,
     process_element = function(self, payment, ctx)
       self.waiting:put(payment.time, payment.amount)
       ctx:timers():register_event_time_timer(payment.time) -- then all rules up to this time are here
     end,
     on_timer = function(self, time, ctx, out)
       local amount, limit = self.waiting:get(time), nil
       for from, at_most in self.limits:entries() do
         if from <= time then limit = at_most end
       end
       self.waiting:remove(time)
       if amount > limit then
         out:collect { account = ctx:current_key(), minute = (time - start) / minute, amount = amount, limit = limit }
       end
     end,
   })
   :to(mt.stdout { format = "json" })

return job
