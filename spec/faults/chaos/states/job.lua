-- The job of keyed state that is killed: all kinds of state and timers in a step, and a second one of two inputs behind it.
-- mt.args: see common.lua
package.path = "spec/?.lua;" .. package.path
local mt = require "moontide"
local common = require "faults.chaos.common"
local first = require("faults.chaos.states.first")(mt)
local second = require("faults.chaos.states.second")(mt)

first.parallelism, second.parallelism = common.own "first", common.own "second"

local job = common.job()
local records = common.timed_records(job, 16)
local told = records:key_by("a"):process("first", first):key_by("b"):connect(records:key_by "b"):process("second", second)
common.write_parts(told:map(function(value) return value.line end))

return job
