--- What scripts/mutate does: look for all faults, try the specs without any, then each
--- fault by itself.
local copies = require "mutation.copy"
local edit = require "mutation.edit"
local faults = require "mutation.faults"
local pool = require "mutation.pool"
local process = require "benchmark.process"
local report = require "mutation.report"

local function chosen(rules)
  local list = {}
  for _, fault in ipairs(faults) do
    if not rules or rules[fault.rule] then list[#list + 1] = fault end
  end
  return list
end

-- Answers how many are not where they are looked for.
local function locate(root, list)
  local wrong = 0
  for _, fault in ipairs(list) do
    local found, complaint = edit.find(root, fault)
    if found then
      fault.line = found.line
    else
      wrong = wrong + 1
      io.stderr:write("error: ", complaint, "\n")
    end
  end
  return wrong
end

local function specs_of(list)
  local specs, known = {}, {}
  for _, fault in ipairs(list) do
    for _, spec in ipairs(fault.specs) do
      if not known[spec] then specs[#specs + 1] = spec end
      known[spec] = true
    end
  end
  return specs
end

local function next_of(list)
  local at = 0
  return function()
    at = at + 1
    return list[at]
  end
end

-- Builds every copy and runs the specs as they are. Answers the seconds of each, or nil.
local function try_without(trees, specs)
  local seconds, failed, more = {}, false, next_of(specs)
  pool.run(#trees, function(slot)
    local built, log = trees[slot]:build()
    if not built then
      failed = true
      return report.complain("the tree does not build", log)
    end
    for spec in more do
      local begin = process.now()
      local red, spec_log = trees[slot]:run(spec, 900)
      seconds[spec] = process.now() - begin
      if red then red, spec_log = trees[slot]:run(spec, 900) end -- red by chance does not stop everything
      if red then
        failed = true
        report.complain("red without any fault: " .. red, spec_log)
      end
    end
  end)
  return not failed and seconds or nil
end

-- The test that sees the fault; nil: none; or false and why nothing can be said.
local function try_fault(tree, fault, seconds)
  local mend = tree:break_by(fault)
  local built, log = tree:build()
  local seen
  for _, spec in ipairs(built and fault.specs or {}) do
    seen = tree:run(spec, 30 + 4 * seconds[spec])
    if seen then break end
  end
  mend()
  if not built then return false, log end
  return seen
end

local function try_all(trees, list, seconds)
  local more, results = next_of(list), {}
  pool.run(#trees, function(slot)
    for fault in more do
      local begin = process.now()
      local seen, log = try_fault(trees[slot], fault, seconds)
      results[#results + 1] = { fault = fault, seen = seen, log = log, seconds = process.now() - begin }
      report.row(results[#results])
    end
  end)
  return results
end

local function new_directory()
  local pipe = assert(io.popen "mktemp -d")
  local path = pipe:read "*l"
  pipe:close()
  return assert(path, "no temporary directory")
end

local function run_in(directory, root, list, jobs)
  local trees = {}
  for i = 1, math.min(jobs, #list) do trees[i] = copies.new(root, directory .. "/tree-" .. i) end
  local seconds = try_without(trees, specs_of(list))
  if not seconds then return 2 end
  report.begin()
  return report.finish(try_all(trees, list, seconds))
end

--- The exit status.
---@param root string
---@param options { list: boolean?, keep: boolean?, jobs: integer, rule: table<string, true>? }
---@return integer
return function(root, options)
  local list = chosen(options.rule)
  if #list == 0 then
    io.stderr:write("there is no fault of such a rule (scripts/mutate --list)\n")
    return 2
  end
  local wrong = locate(root, list)
  if options.list then
    for _, fault in ipairs(list) do report.listed(fault) end
  end
  if wrong > 0 then return 2 end
  if options.list then return 0 end
  local directory = new_directory()
  local ok, status = pcall(run_in, directory, root, list, options.jobs)
  if options.keep then print("kept: " .. directory) else os.execute("rm -rf '" .. directory .. "'") end
  if not ok then error(status, 0) end
  return status
end
