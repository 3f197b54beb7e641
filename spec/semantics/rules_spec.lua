-- Every rule of time and every case has a spec that says so in its name, "S2, S8: ...", and a case one for each way
-- in which it is to be played (support/variants.lua).
local variants = require "support.variants"

local rules = {
  "S1", "S2", "S2c", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12", "S13", "S14", "S15", "S16", "S17", "S18", "S18b", "S18c", "S18d",
  "S19", "S20", "S21", "S22", "S23", "S24", "S25", "S26", "S27", "S28", "S29", "S29b", "S29c", "S29d", "S30", "S31", "S32", "S57", "S58", "S60",
  "F1", "F2", "F3", "F4", "F5",
}

-- Cases over keys, of streams without any, and of plain functions, which keep nothing.
local cases = {
  keyed = {
    "T1", "T2", "T3", "T7", "T8", "T9", "T11", "T13", "T14", "T16", "T22", "T23a", "T23b", "T26", "T30", "T31", "T32", "T33", "T34", "T37",
    "T41", "T42", "T44", "T58", "T59", "T60", "T61",
  },
  unkeyed = { "T46", "T47", "T51", "T53", "T55" },
  functions = { "T24", "T26", "T27" },
}

local function lines_of(command)
  local pipe, list = assert(io.popen(command)), {}
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

-- The numbers at the beginning of a test's name: "S2, S8: ..." gives S2 and S8.
local function numbers_in(name, found)
  for number in name:gmatch("[SFT]%d+%l?") do found[number] = true end
end

-- What the names of tests in the files of some folders begin with.
local function written_in(folders)
  local found = {}
  for _, path in ipairs(lines_of("find " .. folders .. " -name '*_spec.lua'")) do
    for line in io.lines(path) do
      for name in line:gmatch("[\"']([SFT]%d[%w, ]*): ") do numbers_in(name, found) end
    end
  end
  return found
end

-- By way: the numbers of the tests that busted would run in it.
local function played()
  local found = {}
  for _, line in ipairs(lines_of("busted --list spec/semantics 2>/dev/null")) do
    local name, way = line:match("([SFT]%d[%w, ]*): .*(%([^()]*%))$")
    if name then
      found[way] = found[way] or {}
      numbers_in(name, found[way])
    end
  end
  return found
end

local function missing(wanted, found)
  local without = {}
  for _, number in ipairs(wanted) do
    if not found[number] then without[#without + 1] = number end
  end
  return table.concat(without, " ")
end

describe("rules of time", function()
  it("are proved by steps in a harness and by whole jobs, each under its number", function()
    assert.are.equal("", missing(rules, written_in "spec/semantics spec/jobs spec/lua"))
  end)

  it("have their cases, each played in every way", function()
    local found = played()
    for _, backend in ipairs(variants.backends) do
      for _, way in ipairs(variants.ways) do
        local title = variants.title("", backend, way):sub(2)
        assert.are.equal("", missing(cases.keyed, found[title] or {}), title)
        if not way.keyed then assert.are.equal("", missing(cases.unkeyed, found[title] or {}), title) end
      end
    end
    assert.are.equal("", missing(cases.functions, written_in "spec/engine/time"))
  end)
end)
