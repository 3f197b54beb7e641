-- What the jobs that are killed have in common. mt.args: memory; backend; pause_us; tolerable; restart (a delay in ms);
-- storage; lines, first, second, sink: the parallelism of a step; input, out and split
local mt = require "moontide"
local ffi = require "ffi"

pcall(ffi.cdef, "int usleep(unsigned microseconds);")

local M = {}

local args = mt.args
local pause_us = tonumber(args.pause_us or 0)

function M.job()
  return mt.job("chaos", {
    checkpoint = { interval = "50ms", retain = 3, tolerable_failures = tonumber(args.tolerable or 0), storage = args.storage },
    state = { backend = args.backend or "rocksdb", memory = args.memory or "64MB" },
    restart = args.restart and { strategy = "fixed_delay", attempts = 1000, delay = tonumber(args.restart) } or "none",
  })
end

--- A map that pauses after so many records: slow enough that a kill finds the job in the middle of it.
function M.pace(every)
  return function(record)
    if pause_us > 0 and record.n % every == 0 then ffi.C.usleep(pause_us) end
    return record
  end
end

--- The parallelism of a step by its name in mt.args; nil: that of the job.
function M.own(step) return tonumber(args[step]) end

--- The records of time_model.lua, with their times; `every`: see pace().
function M.timed_records(job, every)
  return job:from(mt.file { path = args.input, format = "csv", split = args.split or false }, { name = "lines", parallelism = M.own "lines" })
    :assign_timestamps { field = "t", max_out_of_orderness = "1s", emit = 100 }
    :map(M.pace(every))
end

--- Write a stream of lines.
function M.write_parts(stream)
  stream:to(mt.file { dir = args.out, format = "lines", roll_size = "16KB" }, { name = "out", parallelism = M.own "sink" })
end

return M
