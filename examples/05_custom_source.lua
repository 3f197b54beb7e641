-- A source and a sink in Lua: the source remembers where it is, so that a restart goes on from there.
-- You will see the prime numbers below 60, ten to a line at most, written by the sink.
local mt = require "moontide"

local function is_prime(n)
  for divisor = 2, math.floor(math.sqrt(n)) do
    if n % divisor == 0 then return false end
  end
  return n > 1
end

local primes = mt.source {
  open = function(self) self.next = 2 end,
  poll = function(self, out)
    if is_prime(self.next) then out:collect(self.next) end
    self.next = self.next + 1
    return self.next < 60 or "end"
  end,
  snapshot = function(self) return self.next end,
  restore = function(self, position) self.next = position end,
}

local lines = mt.sink {
  open = function(self) self.line = {} end,
  write = function(self, prime)
    self.line[#self.line + 1] = prime
    if #self.line == 10 then
      print(table.concat(self.line, " "))
      self.line = {}
    end
  end,
  close = function(self)
    if #self.line > 0 then print(table.concat(self.line, " ")) end
  end,
}

local job = mt.job("custom_source")
job:from(primes):global():to(lines)
return job
