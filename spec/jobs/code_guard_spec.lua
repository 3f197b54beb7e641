-- What LuaJIT of March 2022 records wrongly is not compiled so: values of `...` in a loop (LuaJIT #864), lengths of a
-- list that goes by two names, fields that are set twice before a branch (LuaJIT #1128), tables that a loop keeps for its next
-- round (LuaJIT #994). Each answer says how many rounds were right. And loops that are too much for it are compiled otherwise.
local runs = require "support.run"

describe("a job", function()
  local run
  before_each(function() run = runs.new() end)
  after_each(function() run:destroy() end)

  local function right_of(text, rounds)
    local started = run:run(run:write("job.lua", ([[
local mt = require "moontide"
%s
local job = mt.job("rounds", { restart = { strategy = "none" } })
job:from(mt.values { %d }):map(function(rounds) return { right = answer(rounds) } end):to(mt.stdout { format = "json" })
return job
]]):format(text, rounds)))
    assert.equal(0, started:wait(), started.err)
    return tonumber(started.out:match '"right":(%d+)')
  end

  it("takes its varargs from where they are within a loop, and behind one", function()
    assert.equal(4000, right_of([[
local function within(count, ...)
  local sum = 0
  for _ = 1, count do
    local a, b = ...
    sum = sum + 10 * a + b
  end
  return sum
end

local function count_to(last)
  local sum = 0
  for _ = 1, last do sum = sum + 1 end
  return sum
end

local function behind(...)
  local count = count_to(100)
  local a, b = ...
  return count * (10 * a + b)
end

function answer(rounds)
  local right = 0
  for i = 1, rounds do
    local a, b = i % 7, i % 5
    if within(100, a, b, 9) == 100 * (10 * a + b) then right = right + 1 end
    if behind(a, b, 9) == 100 * (10 * a + b) then right = right + 1 end
  end
  return right
end
]], 2000))
  end)

  -- The list has room, so that an append is a plain store.
  local function two_names(body)
    return right_of(([[
local function list_of_two()
  local list = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 }
  for i = 3, 16 do list[i] = nil end
  return list
end
jit.off(list_of_two)

local function add(list, value) list[#list + 1] = value end
local function added(list, same) %s end

function answer(rounds)
  local right = 0
  for _ = 1, rounds do
    local list = list_of_two()
    if added(list, list) == 12 then right = right + 1 end
  end
  return right
end
]]):format(body), 1000)
  end

  it("knows how long a list is that was appended to by another name", function()
    assert.equal(1000, two_names [[
      local length = #list
      add(same, 3)
      table.insert(same, 4)
      return 10 + #list - length]])
  end)

  it("knows it in each round of a loop", function()
    assert.equal(1000, two_names [[
      local rounds = 0
      repeat
        add(same, 3)
        rounds = rounds + 1
      until #list >= 14 or rounds > 20
      return rounds]])
  end)

  it("knows it in each round of a loop that is left by a return", function()
    assert.equal(1000, two_names [[
      for i = 1, 20 do
        if #list >= 14 then return i - 1 end
        add(same, i)
      end]])
  end)

  -- The branch is taken from the second half on, by a trace of its own: that makes the table.
  it("reads the last value of a field that was set twice", function()
    assert.equal(1000, right_of([[
local is_late = false

local function is_number(value)
  local answer = {}
  answer.same = false
  answer.same = value == value
  if is_late then end
  return answer.same
end

-- Not compiled, so that no caller's trace goes on into the function.
local function call(value) return is_number(value) end
jit.off(call)

function answer(rounds)
  local right = 0
  for i = 1, rounds do
    is_late = i > rounds / 2
    if call(i) then right = right + 1 end
  end
  return right
end
]], 1000))
  end)

  -- A loop that keeps the last of tables of two shapes, as the text says, and reads it in the next round.
  local function kept(texts)
    return right_of(([[
local kept = {}
local function sum_of(count, every)
  local last, sum = nil, 0
  kept.last = nil
  for i = 1, count do
    %s
    last = i %% every == 0 and %s or %s
    kept.last = last
  end
  return sum
end

function answer(rounds)
  local right = 0
  for i = 1, rounds do
    local count, every = 40 + i %% 100, i %% 5 + 1
    if sum_of(count, every) == expected_of(count, every) then right = right + 1 end
  end
  return right
end

function expected_of(count, every)
  local sum = 0
  for i = 1, count - 1 do
    if i %% every == 0 then sum = sum + 1 end
  end
  return sum
end
jit.off(expected_of)
]]):format(texts.read, texts.rare, texts.usual), 400)
  end

  local tables = {
    ["whether a field is true"] = {
      read = "if last and last.late then sum = sum + 1 end", rare = "{ late = true, n = i }", usual = "{ n = i }",
    },
    ["a number that is not there"] = {
      read = "if last and last.weight then sum = sum + last.weight / last.n end", rare = "{ weight = i, n = i }", usual = "{ filler = i, n = i }",
    },
    ["a text that is not there"] = {
      read = "if kept.last and kept.last.name == 'a' then sum = sum + 1 end", rare = "{ n = i, name = 'a' }", usual = "{ n = i }",
    },
    ["an element of another type"] = {
      read = "if last and last[2] == 'b' then sum = sum + 1 end", rare = "{ i, 'b' }", usual = "{ i, false }",
    },
  }
  -- Debug hooks do not fire in compiled code. What is answered is thousands of interpreted instructions.
  it("is compiled where a loop holds more from round to round than a trace has room for", function()
    assert.equal(0, right_of([[
local names, values, lines = {}, {}, {}
for i = 1, 100 do
  names[i], values[i] = "a" .. i, i
  lines[i] = ("a%d = a%d + a%d"):format(i, i, i % 100 + 1)
end
local text = "return function(rounds) local %s = %s for i = 1, rounds do %s if i % 1000 == 0 then a1, a50 = 0, 1 end end return a1 end"
local parts = { table.concat(names, ","), table.concat(values, ","), table.concat(lines, " ") }
local loop = assert(loadstring((text:gsub("%%s", function() return table.remove(parts, 1) end))))()

function answer(rounds)
  local thousands = 0
  loop(rounds)
  debug.sethook(function() thousands = thousands + 1 end, "", 1000)
  loop(rounds)
  debug.sethook()
  return thousands
end
jit.off(answer)
]], 20000))
  end)

  for what, texts in pairs(tables) do
    it("reads in the table of the round before " .. what, function() assert.equal(400, kept(texts)) end)
  end
end)
