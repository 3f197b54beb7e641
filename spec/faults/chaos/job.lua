-- The job that is killed. Every line of its input carries its place in the input, every line
-- of its output that place and what the state of its keys became by it; so an output tells by
-- itself, line by line, whether anything was lost, doubled or forgotten (see model.lua).
-- mt.args: input, out; kind = plain | lua_sink | rows; split; and those of common.lua
package.path = "spec/?.lua;" .. package.path
local mt = require "moontide"
local common = require "faults.chaos.common"

local args, own = mt.args, common.own
local job = common.job()

-- One state of each kind under a key; a map's values are long, so that a small memory does not hold them.
local filler = ("x"):rep(100)

local first = {
  parallelism = own "first",
  state = { seen = mt.value_state { default = 0 }, per_b = mt.map_state(), recent = mt.list_state() },
  process_element = function(self, record, _, out)
    local count = self.seen:value() + 1
    self.seen:update(count)
    local entry = self.per_b:get(record.b)
    local times = entry and entry.times + 1 or 1
    if times == 4 then
      self.per_b:remove(record.b)
    else
      self.per_b:put(record.b, { times = times, filler = filler })
    end
    self.recent:add(record.v)
    local recent = self.recent:get()
    local sum = 0
    for _, v in ipairs(recent) do sum = sum + v end
    if #recent == 16 then self.recent:clear() end
    out:collect { n = record.n, a = record.a, b = record.b, v = record.v, count = count, times = times, sum = sum }
  end,
}

local first_plain = {
  parallelism = own "first",
  state = { seen = mt.value_state { default = 0 }, total = mt.value_state { default = 0 } },
  process_element = function(self, record, _, out)
    local count, sum = self.seen:value() + 1, self.total:value() + record.v
    self.seen:update(count)
    self.total:update(sum)
    out:collect { n = record.n, a = record.a, b = record.b, v = record.v, count = count, times = 0, sum = sum }
  end,
}

local second = {
  parallelism = own "second",
  state = { pair = mt.value_state() },
  process_element = function(self, record, _, out)
    local pair = self.pair:value() or { count = 0, sum = 0 }
    pair.count, pair.sum = pair.count + 1, pair.sum + record.v
    self.pair:update(pair)
    out:collect(("%d,%s,%d,%d,%d,%d,%d,%d"):format(record.n, record.a, record.b, record.count, record.times, record.sum, pair.count, pair.sum))
  end,
}

-- A sink of two phases, as an author would write it: prepared files get their names at the commit.
local function lua_sink(directory)
  local function exists(path)
    local file = io.open(path)
    if file then file:close() end
    return file ~= nil
  end
  local urandom = assert(io.open("/dev/urandom", "rb"))
  local own = urandom:read(8):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
  urandom:close()
  local counter = 0
  return mt.sink {
    open = function(self) self.lines = {} end,
    write = function(self, line) self.lines[#self.lines + 1] = line end,
    prepare = function(self)
      if #self.lines == 0 then return nil end
      counter = counter + 1
      local name = ("%s-%d"):format(own, counter)
      local file = assert(io.open(directory .. "/." .. name, "w"))
      assert(file:write(table.concat(self.lines, "\n"), "\n"))
      assert(file:close())
      self.lines = {}
      return name
    end,
    commit = function(_, name)
      if not exists(directory .. "/" .. name) then assert(os.rename(directory .. "/." .. name, directory .. "/" .. name)) end
    end,
  }
end

local rows = args.kind == "rows"
local input = mt.file { path = args.input, format = rows and "json" or "csv", split = args.split or false }
local sink = args.kind == "lua_sink" and lua_sink(args.out) or mt.file { dir = args.out, format = "lines", roll_size = "16KB" }

job:from(input, { name = "lines", parallelism = own "lines" })
   :map(common.pace(256))
   :key_by("a")
   :process("first", rows and first or first_plain)
   :key_by("b")
   :process("second", second)
   :to(sink, { name = "out", parallelism = own "sink" })

return job
