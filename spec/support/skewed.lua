-- A job in which one key has 90 % of the records, before a slow sink that tells what came and how much memory it took.
-- settings: records, rounds (of the sink's work, for each record)
local mt = require "moontide"

local rounds = tonumber(mt.args.rounds)
local job = mt.job("skewed", { checkpoint = { interval = "20ms" }, state = { memory = "4MB" } })

local function count_by(name)
  return {
    state = { count = mt.value_state { default = 0 } },
    process_element = function(self, record, _, out)
      local count = self.count:value() + 1
      self.count:update(count)
      out:collect { key = record.key, i = record.i, fill = record.fill, [name] = count, first = record.first or count }
    end,
  }
end

local function peak_kb()
  for line in io.lines "/proc/self/status" do
    local kb = line:match "^VmHWM:%s+(%d+)"
    if kb then return tonumber(kb) end
  end
end

local function checksum(text)
  local sum = 1
  for _ = 1, rounds do
    for i = 1, #text do sum = (sum * 31 + text:byte(i)) % 65521 end
  end
  return sum
end

job:from(mt.generator { count = tonumber(mt.args.records), seed = 3, fn = function(i, random)
    return { key = random(10) > 1 and "hot" or "cold" .. i % 7, i = i, fill = ("%04d"):format(i % 10000):rep(1000) }
  end })
  :key_by("key"):process("first", count_by "first")
  :key_by(function(record) return record.key .. "!" end):process("second", count_by "second")
  :to(mt.sink {
    open = function(self) self.last, self.written = {}, 0 end,
    write = function(self, record)
      self.sum = checksum(record.fill)
      assert(record.second == (self.last[record.key] or 0) + 1 and record.first == record.second, "out of order")
      self.last[record.key], self.written = record.second, self.written + 1
    end,
    close = function(self) print(("written %d hot %d peak %d kB"):format(self.written, self.last.hot or 0, peak_kb())) end,
  })

return job
