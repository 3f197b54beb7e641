-- What functions do to their records, in chains of steps, against the same functions called by hand: no field is lost
-- and none comes back, whatever is known of a function beforehand. SEED says which, FUNCTIONS how many.
local copy = require "support.copy"
local draw = require "support.draw"
local mt = require "moontide"
local random_function = require "support.random_function"
local testing = require "moontide.testing"

local seed = tonumber(os.getenv "SEED") or os.time()
local chains = tonumber(os.getenv "FUNCTIONS") or 400
local records = 40

local function draw_chain(random)
  local texts, kinds = {}, {}
  for i = 1, random(3) do
    kinds[i] = draw.pick(random, { "map", "map", "filter" })
  end
  kinds[#kinds + 1] = draw.pick(random, { "map", "flat_map", "process", "keyed" })
  for i, kind in ipairs(kinds) do texts[i] = random_function.text(random, kind) end
  return { texts = texts, kinds = kinds }
end

local function is_compiled() end

-- The functions of a chain, with globals of their own. `set_up`: what is done with the text of each before.
local function functions_of(chain, set_up)
  local globals = setmetatable({}, { __index = _G })
  setfenv(assert(loadstring(random_function.prelude)), globals)()
  local list = {}
  for i, text in ipairs(chain.texts) do
    local chunk = setfenv(assert(loadstring(text)), globals)
    set_up(chunk, true)
    list[i] = chunk()
  end
  return list
end

-- Steps behind a key are another operator: they get a copy. Those before it are one, and get the same table. Nothing of it
-- is compiled: a loop that hands tables of several shapes on ended the process in one run of thirty (LuaJIT #994).
local function called_by_hand(chain, input)
  local functions, emitted, last = functions_of(chain, jit.off), {}, nil
  local out = { collect = function(_, value) emitted[#emitted + 1] = copy(value) end }
  local self = { last = { update = function(_, value) last = copy(value) end, value = function() return copy(last) end } }
  local by_kind = {
    map = function(fn, value) return fn(value) end,
    filter = function(fn, value) if fn(value) then return value end end,
    flat_map = function(fn, value) fn(value, out) end,
    process = function(fn, value) fn(value, nil, out) end,
    keyed = function(fn, value) fn(self, copy(value), nil, out) end,
  }
  for _, record in ipairs(input) do
    local value = copy(record)
    for i, kind in ipairs(chain.kinds) do
      if value ~= nil then value = by_kind[kind](functions[i], value) end
    end
    if value ~= nil then out:collect(value) end
  end
  return emitted
end

jit.off(copy)
jit.off(called_by_hand, true)

local function add_step(stream, kind, fn)
  if kind == "process" then return stream:process("last", fn) end
  if kind ~= "keyed" then return stream[kind](stream, fn) end
  return stream:key_by(function() return 1 end):process("last", { state = { last = mt.value_state() }, process_element = fn })
end

local function run_as_steps(chain, input)
  local h = testing.harness(function(stream)
    for i, fn in ipairs(functions_of(chain, is_compiled)) do stream = add_step(stream, chain.kinds[i], fn) end
    return stream
  end)
  for _, record in ipairs(input) do h:push(copy(record)) end
  local values = h:values()
  h:close()
  return values
end

describe("random functions on random records", function()
  it("emit what they do when they are called by hand", function()
    print(("random_functions_spec: SEED=%d"):format(seed))
    local random, compared = draw.generator(seed), 0
    for number = 1, chains do
      local chain, input = draw_chain(random), {}
      for i = 1, records do input[i] = random_function.record(random, mt.null) end
      local what = ("SEED=%d, chain %d\n%s"):format(seed, number, table.concat(chain.texts, "\n"))
      local ok, expected = pcall(called_by_hand, chain, input)
      if ok then -- a function may fail: errors are other specs'
        compared = compared + #expected
        assert.same(expected, run_as_steps(chain, input), what)
      end
    end
    assert.is_true(compared > chains)
  end)
end)
