-- Random loops that keep tables from one round to the next, compiled against interpreted: LuaJIT of March 2022 takes such a table
-- for one of other fields, or ends the process (LuaJIT #994; lua/moontide/runtime/kept_tables.lua).
-- SEED says which.
local runs = require "support.run"
local seed = tonumber(os.getenv "SEED") or os.time()

local job = [==[
local mt = require "moontide"

local random, keys = math.random, { "a", "b", "[1]", "[2]" }
math.randomseed(SEED)

local function draw(list) return list[random(#list)] end

local function field(place, key) return place .. (key:find "^%[" and key or "." .. key) end

local function value() return draw { "true", "false", "7", "'text'", "'t' .. i % 3", "i", "i % 3 == 0" } end

local function constructor()
  local fields = {}
  for _, key in ipairs(keys) do
    if random(2) == 1 then fields[#fields + 1] = key .. " = " .. value() end
  end
  return "{ " .. table.concat(fields, ", ") .. " }"
end

local function read(place)
  local here = field(place, draw(keys))
  return draw {
    ("if %s and %s then sum = sum + 1 end"):format(place, here),
    ("if %s and type(%s) == 'number' then sum = sum + %s end"):format(place, here, here),
    ("if %s and %s == 'text' then sum = sum + 5 end"):format(place, here),
    ("if %s and type(%s) == 'string' then sum = sum + #%s end"):format(place, here, here),
    ("if %s and type(%s) == 'string' then sum = sum + #('<' .. %s .. '>') end"):format(place, here, here),
    ("sum = sum + #tostring(%s and %s)"):format(place, here),
  }
end

local heads = {
  "for i = 1, count do", "for i = 1, count do", "local i = 0 while i < count do i = i + 1",
  "local list = {} for i = 1, count do list[i] = i end for _, i in ipairs(list) do",
}

local function program()
  local place = draw { "last", "kept.last", "global" }
  local lines = { "local kept, last = {}, nil", "return function(count, every)", "last, global, kept.last = nil, nil, nil", "local sum = 0", draw(heads) }
  if random(2) == 1 then table.insert(lines, 3, "local last") end
  for _ = 1, random(3) do lines[#lines + 1] = read(place) end
  lines[#lines + 1] = ("%s = i %% every == 0 and %s or %s"):format(place, constructor(), constructor())
  if random(3) == 1 then lines[#lines + 1] = field(place, draw(keys)) .. " = " .. value() end
  lines[#lines + 1] = "end return sum end"
  return table.concat(lines, "\n")
end

local function is_right(text)
  local compiled, interpreted = assert(loadstring(text))(), assert(loadstring(text))()
  jit.off(interpreted)
  for _ = 1, 60 do
    local count, every = random(40, 200), random(5)
    local ok, sum = pcall(compiled, count, every)
    if not ok or sum ~= interpreted(count, every) then return false end
  end
  return true
end

local job = mt.job("loops", { restart = { strategy = "none" } })
job:from(mt.values { 1 }):flat_map(function(_, out)
  for _ = 1, 200 do
    local text = program()
    if not is_right(text) then out:collect { wrong = text } end
  end
  out:collect { done = true }
end):to(mt.stdout { format = "json" })
return job
]==]

describe("loops that keep the table of the round before", function()
  it("compute what they do when they are interpreted", function()
    print(("random_loops_spec: SEED=%d"):format(seed))
    local run = runs.new()
    local started = run:run(run:write("job.lua", (job:gsub("SEED", seed))))
    assert.equal(0, started:wait(), started.err)
    assert.equal('{"done":true}\n', started.out)
    run:destroy()
  end)
end)
