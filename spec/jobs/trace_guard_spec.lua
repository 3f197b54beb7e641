-- A trace that LuaJIT has written wrongly is thrown away before it runs: a walk through nested tables does not
-- end its worker (LuaJIT #829), nor does a loop over pairs() end too early (LuaJIT #827). What pairs() answered is
-- what it was then.
local guard = require "moontide.runtime.trace_guard"
local process = require "support.process"
local runs = require "support.run"

local rdx_and_rax_swapped, swapped_whole = "\x92", "\x48\x92"

-- A call at address 0x1000 of what lies `distance` behind the call, and what follows it.
local function code(distance, rest)
  local bytes = {}
  for i = 1, 4 do bytes[i] = string.char(math.floor(distance / 256 ^ (i - 1)) % 256) end
  return "\x33\xF6\xE8" .. table.concat(bytes) .. rest .. "\xC3"
end

local function flawed(rest, distance, target)
  return guard.is_flawed(code(distance or 0x500, rest), 0x1000, { [target or 0x1507] = true })
end

describe("machine code", function()
  it("is refused where the results of a call are swapped by halves", function()
    assert.is_true(flawed(rdx_and_rax_swapped))
    assert.is_true(flawed("\x48\x89\x44\x24\x28" .. rdx_and_rax_swapped), "one was stored before")
    assert.is_true(flawed("\x89\x94\x24\x80\x01\x00\x00\x48\x89\x44\x24\x28" .. rdx_and_rax_swapped), "both were, one far off")
    assert.is_true(flawed(rdx_and_rax_swapped, -0x807 % 2 ^ 32, 0x800), "what is called lies before")
  end)

  it("is let be where they are swapped whole, or there is neither such a call nor a swap", function()
    assert.is_false(flawed(swapped_whole))
    assert.is_false(flawed("\x48\x8B\x7C\x24\x30" .. rdx_and_rax_swapped))
    assert.is_false(flawed(rdx_and_rax_swapped, 0x500, 0x1508), "bytes that look like a call")
    assert.is_false(guard.is_flawed("\xE8\x01\x02", 0x1000, {}))
    assert.is_false(guard.is_flawed("", 0x1000, {}))
  end)
end)

-- A loop that calls C, behind which traces begin. Before, what the guard asks of a function is asked so often that it is
-- about to be compiled, as it may be by chance: functions share the counters of their calls.
local own_functions = [==[
local guard = require "moontide.runtime.trace_guard"
jit.off(true)
local function upvalue(fn, wanted)
  for i = 1, 60 do
    local name, value = debug.getupvalue(fn, i)
    if name == wanted then return value end
    local found = type(value) == "function" and upvalue(value, wanted)
    if found then return found end
  end
end
local operation_at = assert(upvalue(guard.install, "operation_at"))
for _ = 1, tonumber(arg[1]) do operation_at(upvalue, 1) end
guard.install()
local text = [=[
  local args, settings = ...
  for _, setting in ipairs(settings) do
    local key, value = setting:match("^([^=]+)=(.*)$")
    if not key then error(setting) end
    args[key] = value
  end
]=]
local args, settings = {}, {}
for i = 1, 200 do settings[i] = ("key%d=%d"):format(i, i) end
assert(loadstring(text))(args, settings)
for i = 1, 200 do assert(args["key" .. i] == tostring(i)) end
]==]

describe("the guard of traces", function()
  it("is not compiled itself: it is called while LuaJIT begins a trace", function()
    local here = runs.new()
    local path = here:write("guarded.lua", ("package.path = %q\n%s"):format(package.path, own_functions))
    for calls = 90, 115 do
      local _, status, err = process.run({ "luajit", path, tostring(calls) }, { program = "/usr/bin/env" })
      assert.are.same({ 0, "" }, { status, err })
    end
    here:destroy()
  end)
end)

-- Walks two by two through rows of nested tables, with many values alive across a recursion. Which field comes first
-- tells which registers are free: each round has other names, and a new function. Shape and names were found by
-- trial: most others meet the fault in one round of thousands.
local rounds = [==[
local guard = require "moontide.runtime.trace_guard"
local text = [=[
local walk = {}
function walk.same(a, b, unused, seen, low, high)
  local kind, other_kind = type(a), type(b)
  if kind ~= other_kind then return false end
  if kind ~= "table" or other_kind ~= "table" then return a == b end
  seen = seen or { {}, {} }
  low, high = low or 1, high or 1
  seen[1][a] = seen[1][a] or 0
  seen[2][b] = seen[2][b] or 0
  seen[1][a] = seen[1][a] + 1
  seen[2][b] = seen[2][b] + 1
  for key, value in next, a do
    local other = b[key]
    if other == nil then return false, { key } end
    local same, path = walk.same(value, other, nil, seen, low, high)
    if not same then
      path = path or {}
      table.insert(path, key)
      return false, path
    end
  end
  for key, _ in next, b do
    if a[key] == nil then return false, { key } end
  end
  seen[1][a] = seen[1][a] - 1
  seen[2][b] = seen[2][b] - 1
  return true
end
return walk.same
]=]

local names_count, empty = 50, {}
local function rows(names, count)
  local list = {}
  for i = 1, count do
    local place, row = { [names[30]] = { "two", empty } }, {}
    place[names[31]], place[names[32]] = i, i
    row[names[1]] = i
    row[names[11]] = i % 2 == 0 and "a" or "b"
    row[names[12]] = i % 2 == 0 and "a" or "b"
    row[names[21]], row[names[22]] = ("t"):rep(i % 40), ("t"):rep(i % 40)
    row[names[9]] = place
    list[i] = { [names[41]] = row, [names[42]] = i }
  end
  return list
end
jit.off(rows)

math.randomseed(100)

local function round()
  local names = {}
  for i = 1, names_count do names[i] = "n" .. math.random(100000) .. "x" end
  jit.flush()
  return assert(loadstring(text))()(rows(names, 60), rows(names, 60))
end

local function answer(count)
  local same = 0
  for _ = 1, count do same = same + (round() and 1 or 0) end
  local is_later = pcall(require, "table.nkeys") -- luajit2, OpenResty's branch as of 2023
  local faulty = jit.arch == "x64" and jit.version == "LuaJIT 2.1.0-beta3" and not is_later
  return { same = same, dropped = guard.dropped, faulty = faulty and 1 or 0 }
end
]==]

describe("a job", function()
  local run
  before_each(function() run = runs.new() end)
  after_each(function() run:destroy() end)

  -- One number through `answer`, which says how many traces were dropped, among others.
  local function start(text, number)
    return run:run(run:write("job.lua", ([[
local mt = require "moontide"
%s
local job = mt.job("walk", { restart = { strategy = "none" } })
job:from(mt.values { %d }):map(answer):to(mt.stdout { format = "json" })
return job
]]):format(text, number)))
  end

  local function answer_of(started, name)
    return tonumber(started.out:match('"' .. name .. '":(%d+)'))
  end

  -- Unguarded, one round of fifty ends the worker: so many do not all miss the fault by luck.
  it("walks through nested tables and lives", function()
    local count = 4000
    local started = start(rounds, count)
    assert.equal(0, started:wait(), started.err)
    assert.equal(count, answer_of(started, "same"))
    assert.equal(answer_of(started, "faulty") == 1, answer_of(started, "dropped") > 0, started.out)
  end)

  it("leaves to the interpreter what is never written rightly", function()
    local started = start([[
local guard = require "moontide.runtime.trace_guard"
guard.is_flawed = function() return true end
local function sum(count)
  local total = 0
  for i = 1, count do total = total + i % 2 end
  return total
end
local function answer(count)
  local before = guard.dropped
  for _ = 1, 100 do sum(count) end
  return { sum = sum(count), dropped = guard.dropped - before }
end
]], 100000)
    assert.equal(0, started:wait(), started.err)
    assert.equal(50000, answer_of(started, "sum"))
    local dropped = answer_of(started, "dropped")
    assert.is_true(dropped >= 3 and dropped <= 6, started.out) -- three tries of each of two functions at most
  end)

  -- The loop is given up after some 40,000 rounds.
  it("walks through loops within loops over pairs() to their ends", function()
    local started = start([[
local guard = require "moontide.runtime.trace_guard"
local inner = { 1, 2, 3, 4, 5 }
local outer = { a = inner, b = inner, c = inner, d = inner, e = inner }
local function compiled(...) for _ = 1, 100 do end end -- behind it the interpreter goes on

local function answer(count)
  local whole = 0
  for _ = 1, count do
    compiled()
    local rounds = 0
    for _, list in pairs(outer) do
      for _ in pairs(list) do end
      rounds = rounds + 1
    end
    whole = whole + (rounds == 5 and 1 or 0)
  end
  return { whole = whole, made_plain = guard.despecialized }
end
]], 100000)
    assert.equal(0, started:wait(), started.err)
    assert.equal(100000, answer_of(started, "whole"))
    assert.is_true(answer_of(started, "made_plain") > 0, started.out)
  end)

  -- Each round is compiled on its own. The second loop is part of the trace that leaves the first one, where it does
  -- not loop: unguarded, three rounds of four add what they should not.
  it("adds what pairs() answered, not what lies there by now", function()
    local started = start([[
local text = [=[
local function sum(numbers, named)
  local total = 0
  for _, value in pairs(numbers) do total = total + value end
  for key, value in pairs(named) do
    if value % 2 == 0 then named[key] = nil end
    total = total + value
  end
  return total
end

local right = 0
for i = 1, 1000 do
  local numbers, named, entries = {}, {}, i % 9
  for j = 1, entries do
    numbers[j] = j
    named["k" .. j] = j
  end
  if sum(numbers, named) == entries * (entries + 1) then right = right + 1 end
end
return right
]=]

local function answer(rounds)
  local right = 0
  for _ = 1, rounds do right = right + assert(loadstring(text))() end
  return { right = right }
end
jit.off(answer)
]], 20)
    assert.equal(0, started:wait(), started.err)
    assert.equal(20000, answer_of(started, "right"))
  end)
end)
