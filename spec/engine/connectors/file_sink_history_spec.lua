local drive = require "engine.connectors.drive"
local temporary = require "support.temporary"

-- Restores of any checkpoint, in any order: what is published afterwards is what that checkpoint had.
describe("sink file, restored to older checkpoints", function()
  local dir, out, world

  before_each(function()
    dir = temporary.folder()
    out = dir .. "/out"
    world = { run = 100, checkpoint = 0, record = 0, checkpoints = {}, subtasks = 2, roll_size = 60 }
  end)

  after_each(function()
    for _, sink in ipairs(world.sinks or {}) do sink:close() end
    temporary.remove(dir)
  end)

  local function options()
    return { dir = out, format = "lines", roll_interval = 1000000, roll_size = world.roll_size }
  end

  local function published()
    local lines = {}
    for _, name in ipairs(temporary.names(out)) do
      if name:sub(1, 1) ~= "." then
        for line in temporary.read(out .. "/" .. name):gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
      end
    end
    table.sort(lines)
    return lines
  end

  --- Every restore has a run number below the one before: nothing may follow from the order of numbers.
  local function restart(checkpoint, older)
    for _, sink in ipairs(world.sinks or {}) do sink:close() end
    world.sinks = {}
    world.run = world.run - 1
    local status = drive.recover("file", options(), { run_id = world.run }, checkpoint and checkpoint.committables, older)
    assert.equal(0, status, drive.message())
    world.lines = {}
    for i, line in ipairs(checkpoint and checkpoint.lines or {}) do world.lines[i] = line end
    assert.same(world.lines, published())
    for i = 1, world.subtasks do
      world.sinks[i] = drive.sink("file", options(), { run_id = world.run, subtask = i - 1, parallelism = world.subtasks })
    end
  end

  local function write(subtask, count)
    local values = {}
    for i = 1, count do
      world.record = world.record + 1
      values[i] = ("record %05d"):format(world.record)
      world.lines[#world.lines + 1] = values[i]
    end
    assert.equal(0, (world.sinks[subtask]:write(values)))
  end

  local function checkpoint(commit, final)
    world.checkpoint = world.checkpoint + 1
    local made = { committables = {}, lines = {} }
    for i, sink in ipairs(world.sinks) do made.committables[i] = sink:prepare(world.checkpoint, final) end
    for i, line in ipairs(world.lines) do made.lines[i] = line end
    world.checkpoints[#world.checkpoints + 1] = made
    for _, sink in ipairs(commit and world.sinks or {}) do sink:commit(world.checkpoint) end
    return made
  end

  it("withdraws what later checkpoints published, keeps the bytes, and takes them back", function()
    restart()
    write(1, 2)
    local first = checkpoint(true)
    write(1, 9)
    local second = checkpoint(true, true)
    assert.equal(11, #published())
    restart(first, true)
    assert.same({ "record 00001", "record 00002" }, published())
    local withdrawn = 0
    for _, name in ipairs(temporary.names(out)) do
      if name:find "^%.withdrawn%-part%-" then withdrawn = withdrawn + 1 end
    end
    assert.is_true(withdrawn > 0)
    restart(second, true)
    assert.equal(11, #published())
    restart(first, true)
    restart(second, true)
    assert.equal(11, #published())
  end)

  it("withdraws the parts of all later runs", function()
    restart()
    write(1, 3)
    local first = checkpoint(true)
    for _ = 1, 3 do
      restart(world.checkpoints[#world.checkpoints], false)
      write(2, 7)
      checkpoint(true, true)
    end
    assert.equal(24, #published())
    restart(first, true)
    assert.equal(3, #published())
    write(1, 2)
    local branch = checkpoint(true)
    restart(world.checkpoints[4], true)
    assert.equal(24, #published())
    restart(branch, true)
    assert.equal(5, #published())
  end)

  it("takes back what was published before it, when the folder's history is gone, and refuses what it cannot know", function()
    restart()
    write(1, 3)
    local first = checkpoint(true)
    restart(first, false)
    write(1, 30)
    local second = checkpoint(true, true)
    os.execute(("rm '%s'/.runs-*"):format(out))
    assert.is_true(drive.recover("file", options(), { run_id = 5 }, first.committables, true) < 0)
    assert.truthy(drive.message():find("published after the restored checkpoint is not known", 1, true), drive.message())
    assert.equal(33, #published())
    restart(second, false)
    assert.equal(33, #published())
  end)

  it("leaves out a line of the history that a crash cut off, and says that one is damaged", function()
    restart()
    write(1, 3)
    local first = checkpoint(true)
    write(1, 30)
    checkpoint(true, true)
    local pipe = io.popen("ls -d '" .. out .. "'/.runs-*")
    local history = pipe:read "*l"
    pipe:close()
    local text = temporary.read(history)
    temporary.append(history, "00000000000000")
    restart(first, true)
    assert.equal(text .. "0000000000000062 part 0000000000000063:0:0:39 0000000000000063:1:0:0\n", temporary.read(history))
    temporary.append(history, "0000000000000061 part 00:0\n")
    assert.is_true(drive.recover("file", options(), { run_id = 5 }, first.committables, true) < 0)
    assert.truthy(drive.message():find(history .. ": line 3 is damaged", 1, true), drive.message())
  end)

  it("S42: has exactly what the checkpoint had, whatever was restored before", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    print("seed " .. seed)
    math.randomseed(seed)
    for _ = 1, 12 do
      os.execute("rm -rf '" .. out .. "'")
      for _, sink in ipairs(world.sinks or {}) do sink:close() end
      world = { run = 10000, checkpoint = 0, record = 0, checkpoints = {}, subtasks = math.random(1, 3), roll_size = math.random(1, 150) }
      restart()
      for _ = 1, 60 do
        local dice = math.random()
        if dice < 0.45 then
          write(math.random(#world.sinks), math.random(1, 12))
        elseif dice < 0.8 then
          checkpoint(math.random() < 0.7, false)
        elseif #world.checkpoints > 0 then
          local newest = #world.checkpoints
          local chosen = math.random() < 0.4 and newest or math.random(newest)
          restart(world.checkpoints[chosen], chosen < newest)
        end
      end
    end
  end)
end)
