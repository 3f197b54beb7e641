local example = require "support.example"
local temporary = require "support.temporary"

local function sorted(lines)
  table.sort(lines)
  return lines
end

--- Run an example that must end well; answers its lines of output.
local function lines_of(name, options)
  local out, status, err = example.run("examples/" .. name .. ".lua", options)
  assert.are.equal(0, status, err)
  return example.lines(out)
end

local function expected(name)
  return example.lines(temporary.read("examples/expected/" .. name .. ".out"))
end

describe("examples", function()
  local directory

  before_each(function() directory = temporary.folder() end)
  after_each(function() temporary.remove(directory) end)

  local names = { "01_hello", "02_word_count", "03_running_average", "04_map_state", "05_custom_source", "06_errors", "07_side_outputs",
    "09_windows", "10_sessions", "11_interval_join", "12_broadcast_rules", "13_top_per_window", "flights" }
  -- Several sinks write to the same output, or two sources are read beside each other: there is no order between them.
  local unordered = { ["06_errors"] = true, ["07_side_outputs"] = true, ["09_windows"] = true, ["11_interval_join"] = true }
  -- What is late depends on how far time has come, and two subtasks do not begin at the same moment (S13).
  local alone = { ["09_windows"] = true }

  for _, name in ipairs(names) do
    it(name .. " gives its recorded output at parallelism 1", function()
      local order = unordered[name] and sorted or function(lines) return lines end
      assert.are.same(order(expected(name)), order(lines_of(name, "--parallelism 1 --set out=" .. directory .. "/out")))
    end)

    if not alone[name] then
      it(name .. " gives the same lines, in any order, at parallelism 2", function()
        assert.are.same(sorted(expected(name)), sorted(lines_of(name, "--parallelism 2 --set out=" .. directory .. "/out")))
      end)
    end
  end

  it("has all of them here and in their order", function()
    local pipe = assert(io.popen("ls examples/*.lua | LC_ALL=C sort"))
    local found = {}
    for path in pipe:lines() do found[#found + 1] = path:match("([^/]+)%.lua$") end
    pipe:close()
    local tested = { "08_exactly_once", unpack(names) }
    assert.are.same(sorted(tested), found)
  end)

  it("01_hello is the first program of the README, word for word", function()
    local program = temporary.read("examples/01_hello.lua")
    assert.are.equal(program, temporary.read("README.md"):match("```lua\n(.-)```"))
  end)
end)

describe("02_word_count", function()
  --- The last count of each word, as sorted "word count" lines.
  local function final_counts(lines)
    local counts, list = {}, {}
    for _, line in ipairs(lines) do
      local count, word = tonumber(line:match('"count":(%d+)')), line:match('"key":"(%w+)"')
      counts[word] = math.max(counts[word] or 0, count)
    end
    for word, count in pairs(counts) do list[#list + 1] = word .. " " .. count end
    return sorted(list), counts
  end

  local function sha256(text)
    local directory = temporary.folder()
    local file = assert(io.open(directory .. "/text", "w"))
    file:write(text)
    file:close()
    local pipe = assert(io.popen("sha256sum <" .. directory .. "/text"))
    local sum = pipe:read("*l"):match("^%x+")
    pipe:close()
    temporary.remove(directory)
    return sum
  end

  for parallelism = 1, 2 do
    it("T83: counts 287 tokens of 170 words at parallelism " .. parallelism, function()
      local lines = lines_of("02_word_count", "--parallelism " .. parallelism)
      local words, counts = final_counts(lines)
      assert.are.equal(287, #lines)
      assert.are.equal(170, #words)
      for word, count in pairs { the = 22, to = 15, of = 15, ["and"] = 12, that = 7, a = 5, sleep = 5, s = 5, be = 4, we = 4, d = 4 } do
        assert.are.equal(count, counts[word], word)
      end
      assert.are.equal("6aaeec12b8d05c825274c6a220624465470e145eddcff76631c7fb6e18065c5d", sha256(table.concat(words, "\n")))
    end)
  end
end)

describe("08_exactly_once", function()
  local directory

  before_each(function() directory = temporary.folder() end)
  after_each(function() temporary.remove(directory) end)

  local count = 200000

  local function run(parallelism, crash_point)
    local options = ("--parallelism %d --set home=%s --set to=%d"):format(parallelism, directory, count)
    return example.run("examples/08_exactly_once.lua", options, crash_point and "MOONTIDE_CRASH_POINT=" .. crash_point)
  end

  --- How often each number is in the part files, and how many sums are not those of a plain loop.
  local function check_parts()
    local seen, wrong, sums, expected_sums = {}, 0, {}, {}
    for n = 1, count do
      sums[n % 10] = (sums[n % 10] or 0) + n
      expected_sums[n] = sums[n % 10]
    end
    for _, text in ipairs(example.parts(directory .. "/out")) do
      for digit, n, sum in text:gmatch("(%d+),(%d+),(%d+)\n") do
        n = tonumber(n)
        seen[n] = (seen[n] or 0) + 1
        if expected_sums[n] ~= tonumber(sum) or n % 10 ~= tonumber(digit) then wrong = wrong + 1 end
      end
    end
    return seen, wrong
  end

  local function assert_each_once()
    local seen, wrong = check_parts()
    assert.are.equal(0, wrong)
    assert.are.equal(count, #seen)
    for n = 1, count do
      if seen[n] ~= 1 then error(("%d came %d times"):format(n, seen[n])) end
    end
  end

  for parallelism = 1, 2 do
    for point, checkpoint in pairs { ["commit.before_rename:2"] = 1, ["commit.after_rename:2"] = 2 } do
      it(("S42: killed at %s and started again, gives each number once at parallelism %d"):format(point, parallelism), function()
        local _, status = run(parallelism, point)
        assert.are.equal(137, status)
        local _, second, err = run(parallelism)
        assert.are.equal(0, second, err)
        assert.is_truthy(err:find("goes on from checkpoint " .. checkpoint, 1, true), err)
        assert_each_once()
      end)
    end
  end

  it("reads nothing and writes nothing when a finished run is started again", function()
    local _, first, first_err = run(1)
    assert.are.equal(0, first, first_err)
    local parts = #example.parts(directory .. "/out")
    local _, second, err = run(1)
    assert.are.equal(0, second, err)
    assert.is_truthy(err:find("finished, 0 records", 1, true), err)
    assert.are.equal(parts, #example.parts(directory .. "/out"))
    assert_each_once()
  end)
end)

describe("09_windows", function()
  it("S20, S23, S25: has each flight in the newest count of its hour, or as late", function()
    local counts, flights, late = {}, 0, 0
    for _, line in ipairs(lines_of("09_windows", "--parallelism 1")) do
      local count, from = line:match('"flights":(%d+),"from":"([^"]+)"')
      if count then
        assert.is_true(tonumber(count) > (counts[from] or 0), line)
        counts[from] = tonumber(count)
      else
        late = late + 1
      end
    end
    for _, count in pairs(counts) do flights = flights + count end
    local all = 0
    for line in io.lines("examples/data/flights.csv") do
      if line:match(",ATL,%u+$") then all = all + 1 end
    end
    assert.are.equal(all, flights + late)
    assert.is_true(late > 0)
  end)
end)

describe("13_top_per_window", function()
  it("gives what a plain loop over the file gives", function()
    local counts = {}
    for line in io.lines("examples/data/flights.csv") do
      local day, hour, origin = line:match("^2001%-01%-(%d%d) (%d%d):.-,(%u%u%u),%u%u%u$")
      if origin then
        local from = ("%s %02d:00"):format(day, math.floor(hour / 6) * 6)
        counts[from] = counts[from] or {}
        counts[from][origin] = (counts[from][origin] or 0) + 1
      end
    end
    local lines = {}
    for from, airports in pairs(counts) do
      local list = {}
      for airport, count in pairs(airports) do list[#list + 1] = { airport, count } end
      table.sort(list, function(a, b) return a[2] > b[2] or (a[2] == b[2] and a[1] < b[1]) end)
      for rank = 1, 3 do
        lines[#lines + 1] = ('{"airport":"%s","flights":%d,"from":"%s","rank":%d}'):format(list[rank][1], list[rank][2], from, rank)
      end
    end
    assert.are.same(sorted(lines), sorted(lines_of("13_top_per_window", "--parallelism 2")))
  end)
end)
