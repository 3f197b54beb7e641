local C = require "support.engine"
local child = require "engine.connectors.child"
local ffi = require "ffi"
local temporary = require "support.temporary"

-- A small engine: two subtasks write numbered records, checkpoints are a file that is renamed into place, commits may be
-- lost. It goes on from its newest checkpoint, or from the one before where `older` is asked for. arg: folder, records, older.
local engine = [[
  local dir, total, older = arg[1], tonumber(arg[2]), arg[3] == "older"
  local function load(name) local text = temporary.read(dir .. "/" .. name) return text and loadstring("return " .. text)() end
  local function store(name, text)
    temporary.write(dir .. "/" .. name .. ".tmp", text)
    os.rename(dir .. "/" .. name .. ".tmp", dir .. "/" .. name)
  end
  local run = (load "run" or 0) + 1
  store("run", tostring(run))
  local state = load(older and "checkpoint.old" or "checkpoint") or { id = 0, position = 0, committables = {} }
  local newest = load "checkpoint" or state
  local options = { dir = dir .. "/out", format = "lines", roll_interval = 1000000, roll_size = 150 }
  assert(drive.recover("file", options, { run_id = run }, state.committables, older) == 0, drive.message())
  local sinks = {}
  for i = 1, 2 do sinks[i] = drive.sink("file", options, { run_id = run, subtask = i - 1, parallelism = 2 }) end
  local id, position, finished = newest.id, state.position, state.finished
  math.randomseed(run)
  while not finished do
    for _ = 1, math.random(1, 6) do
      local values = {}
      for i = 1, math.min(math.random(1, 9), total - position) do
        position = position + 1
        values[i] = ("record %04d"):format(position)
      end
      if #values > 0 then assert(sinks[math.random(1, 2)]:write(values) == 0, drive.message()) end
    end
    id, finished = id + 1, position == total
    local committables = {}
    for i, sink in ipairs(sinks) do committables[i] = ("%q"):format(sink:prepare(id, finished)):gsub("\r", "\\r"):gsub("%z", "\\0") end
    os.rename(dir .. "/checkpoint", dir .. "/checkpoint.old")
    store("checkpoint", ("{ id = %d, position = %d, finished = %s, committables = { %s, %s } }"):format(id, position, tostring(finished),
      committables[1], committables[2]))
    if math.random() < 0.7 or finished then for _, sink in ipairs(sinks) do sink:commit(id) end end
  end
]]

local total = 300

describe("sink file, killed", function()
  local dir

  before_each(function() dir = temporary.folder() end)
  after_each(function() temporary.remove(dir) end)

  --- Killed (true) or finished (false).
  local function run(point, older)
    local status, _, errors = child.run(dir, engine, {
      args = { dir, total, older and "older" or "newest" },
      environment = point and "MOONTIDE_CRASH_POINT=" .. point or "",
    })
    assert.is_true(status == 0 or status == 137, tostring(status) .. " " .. tostring(errors))
    return status == 137
  end

  -- As a reader does who wants to see each part once.
  local function take_published()
    os.execute(("mkdir -p '%s/taken' && find '%s/out' -type f -not -name '.*' -exec mv -t '%s/taken' {} +"):format(dir, dir, dir))
  end

  local function check()
    local lines = {}
    take_published()
    for _, name in ipairs(temporary.names(dir .. "/taken")) do
      for line in temporary.read(dir .. "/taken/" .. name):gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
    end
    for _, name in ipairs(temporary.names(dir .. "/out")) do assert.is_nil(name:find "%.open$", name .. " is left behind") end
    table.sort(lines)
    assert.equal(total, #lines)
    for i = 1, total do assert.equal(("record %04d"):format(i), lines[i]) end
  end

  local function points(prefix)
    local list, names, i = {}, C.crash_points(), 0
    while names[i] ~= nil do
      local name = ffi.string(names[i])
      if name:find("^" .. prefix .. "%.") then list[#list + 1] = name end
      i = i + 1
    end
    return list
  end

  it("finishes without a kill", function()
    assert.is_false(run())
    check()
  end)

  for _, point in ipairs(points "sink") do
    it("S42: at " .. point .. ", has every record once", function()
      for _, passage in ipairs { 1, 3, 7 } do
        os.execute(("cd '%s' && rm -rf out taken run checkpoint checkpoint.old"):format(dir))
        assert.is_true(run(point .. ":" .. passage), "not passed " .. passage .. " times")
        assert.is_false(run())
        check()
      end
    end)
  end

  for _, point in ipairs(points "recover") do
    it("S42: at " .. point .. ", has every record once", function()
      local kills = 0
      for _, before in ipairs { "sink.before_sync:3", "sink.after_sync:7", "sink.before_directory_sync:3" } do
        for _, older in ipairs { false, true } do
          for passage = 1, 2 do
            os.execute(("cd '%s' && rm -rf out taken run checkpoint checkpoint.old"):format(dir))
            assert.is_true(run(before))
            -- A restore of an older checkpoint needs one.
            local back = older and temporary.read(dir .. "/checkpoint.old") ~= nil
            if run(point .. ":" .. passage, back) then
              kills = kills + 1
              assert.is_false(run(nil, back))
            end
            check()
          end
        end
      end
      assert.is_true(kills > 0, "never passed")
    end)

    it("S42: at " .. point .. ", where a reader takes away at once what is published, has every record once", function()
      os.execute(("cd '%s' && rm -rf out taken run checkpoint checkpoint.old"):format(dir))
      assert.is_true(run "sink.after_sync:7")
      take_published()
      local killed = run(point .. ":1")
      take_published()
      assert.is_false(killed and run() or false)
      check()
    end)
  end
end)
