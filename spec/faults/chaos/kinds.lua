-- The jobs that can be killed, by name: script, model, how many records, and whether their state may have to do with
-- little memory, and whether their parallelism changes in every round. They are played in the order of `names`.
local model = require "faults.chaos.model"
local order_model = require "faults.chaos.order.model"
local states_model = require "faults.chaos.states.model"
local time_model = require "faults.chaos.time_model"

local job, time_job = "spec/faults/chaos/job.lua", "spec/faults/chaos/time_job.lua"

return {
  names = { "plain", "time", "lua_sink", "rows", "states", "order" },
  plain = { script = job, model = model, records = 60000 },
  time = { script = time_job, model = time_model, records = 30000, small = true },
  lua_sink = { script = job, model = model, records = 60000 },
  rows = { script = job, model = model, records = 30000, small = true },
  order = { script = "spec/faults/chaos/order/job.lua", model = order_model, records = 4000, small = true, rescaled = true },
  states = { script = "spec/faults/chaos/states/job.lua", model = states_model, records = 4000, small = true },
}
