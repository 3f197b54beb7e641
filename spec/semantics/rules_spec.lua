-- Every rule of time and every case of it has a spec that says so in its name: "S2, S8: ...".
local rules = {
  "S1", "S2", "S2c", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12", "S13", "S14", "S15", "S16", "S17", "S18", "S18b", "S18c", "S18d",
  "S19", "S20", "S21", "S22", "S23", "S24", "S25", "S26", "S27", "S28", "S29", "S29b", "S29c", "S29d", "S30", "S31", "S32", "S57", "S58", "S60",
  "F1", "F2", "F3", "F4", "F5",
}
local cases = {
  "T1", "T2", "T3", "T7", "T8", "T9", "T11", "T13", "T14", "T16", "T22", "T23a", "T23b", "T24", "T26", "T27",
  "T30", "T31", "T32", "T33", "T34", "T37", "T41", "T42", "T44", "T46", "T47", "T51",
}

-- What the names of tests in a file begin with: "S2, S8: ..." gives S2 and S8.
local function numbers_in(path, found)
  for line in io.lines(path) do
    for name in line:gmatch("[\"']([SFT]%d[%w, ]*): ") do
      for number in name:gmatch("[SFT]%d+%l?") do found[number] = path end
    end
  end
end

local function lines_of(command)
  local pipe, list = assert(io.popen(command)), {}
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

local function missing(wanted, folders)
  local found, without = {}, {}
  for _, path in ipairs(lines_of("find " .. folders .. " -name '*_spec.lua'")) do numbers_in(path, found) end
  for _, number in ipairs(wanted) do
    if not found[number] then without[#without + 1] = number end
  end
  return table.concat(without, " ")
end

describe("rules of time", function()
  it("are proved by steps in a harness and by whole jobs, each under its number", function()
    assert.are.equal("", missing(rules, "spec/semantics spec/jobs spec/lua"))
  end)

  it("have their cases", function()
    assert.are.equal("", missing(cases, "spec/semantics spec/engine/time"))
  end)
end)
