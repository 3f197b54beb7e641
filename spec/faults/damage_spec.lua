-- Checkpoints that were torn or damaged after they were written: a run goes on from the newest
-- whole one, with the right output, or refuses by name; it never crashes and never goes wrong.
local bit = require "bit"
local clock = require "support.clock"
local rounds = require "faults.chaos.round"
local temporary = require "support.temporary"

local function shell(command)
  assert(os.execute(command) == 0, command)
end

-- A new file in its place: RocksDB's row files are shared with others by hard links.
local function replace(path, bytes)
  assert(os.remove(path))
  temporary.write(path, bytes)
end

local function files_below(directory)
  local list, pipe = {}, io.popen(("cd '%s' && find . -type f | LC_ALL=C sort"):format(directory))
  for path in pipe:lines() do list[#list + 1] = path:sub(3) end
  pipe:close()
  return list
end

local function flipped(bytes, random)
  local at = random(#bytes)
  return bytes:sub(1, at - 1) .. string.char(bit.bxor(bytes:byte(at), random(255))) .. bytes:sub(at + 1), at - 1
end

-- Thousands of starts: in memory where there is a file system for that, and only some of them by
-- default. MOONTIDE_DAMAGE=all: every file cut at every sixteenth, and 64 of its bytes changed.
local home = os.execute("test -w /dev/shm") == 0 and "/dev/shm" or nil
local thinned = os.getenv("MOONTIDE_DAMAGE") == "all" and 1 or os.getenv("MOONTIDE_PART") == "address" and 13 or 5

describe("a damaged checkpoint", function()
  local round

  --- A job that was killed once it had some checkpoints, kept beside for one start after another.
  local function prepare(case)
    case.home = home
    round = rounds.new(case)
    local ended = round:attempt("commit.after_sync:" .. case.checkpoints)
    assert.is_true(ended.killed, ended.err)
    case.pause_us = 0
    shell(("cd '%s' && mkdir kept && mv data out kept"):format(round.directory))
  end

  local function again()
    shell(("cd '%s' && rm -rf data out && cp -a kept/data kept/out ."):format(round.directory))
  end

  -- "older", "newest" or "refused"; anything else is a failure of the test.
  local function judge(what, newest)
    local ended = round:attempt()
    if ended.status == 3 then
      assert.is_truthy(ended.err:match("checkpoint %d+") or ended.err:match("%x+%-%d+%.%a+"), what .. ": " .. ended.err)
      return "refused"
    end
    assert.are.equal(0, ended.status, what .. ": " .. ended.err)
    local report = round:compare()
    assert.are.equal(0, report.count, what .. ": " .. table.concat(report, "\n") .. ended.err)
    return ended.checkpoint == newest and "newest" or "older"
  end

  after_each(function()
    if round then round:remove() end
    round = nil
  end)

  local cases = {
    { kind = "rows", backend = "rocksdb", memory = "1KB", parallelism = 2, checkpoints = 5, base_bytes = 20 * 1024, records = 7000, pause_us = 20000 },
    { kind = "plain", backend = "memory", memory = "64MB", parallelism = 1, checkpoints = 5, base_bytes = 8 * 1024, records = 7000, pause_us = 20000 },
  }

  for _, case in ipairs(cases) do
    it("is refused by name or passed over, whatever file of it is damaged, on " .. case.backend, function()
      case.seed = math.floor(clock.now_ms()) % 2 ^ 30
      math.randomseed(case.seed)
      print(("seed %d"):format(case.seed))
      prepare(case)
      again()
      local counts, number = { newest = 0, older = 0, refused = 0 }, 0
      local undamaged = judge("nothing damaged", case.checkpoints)
      assert.are.equal("newest", undamaged)

      local function damage(name, bytes, what)
        number = number + 1
        if number % thinned ~= 0 then return end
        again()
        replace(round.data .. "/checkpoints/" .. name, bytes)
        local answer = judge(name .. " " .. what, case.checkpoints)
        counts[answer] = counts[answer] + 1
      end

      for _, name in ipairs(files_below(round.directory .. "/kept/data/checkpoints")) do
        local bytes = temporary.read(round.directory .. "/kept/data/checkpoints/" .. name)
        for sixteenth = 0, 15 do
          local length = math.floor(#bytes * sixteenth / 16)
          if length < #bytes then damage(name, bytes:sub(1, length), ("cut to %d of %d bytes"):format(length, #bytes)) end
        end
        for _ = 1, #bytes > 0 and 64 or 0 do
          local changed, at = flipped(bytes, math.random)
          damage(name, changed, ("changed at %d of %d bytes"):format(at, #bytes))
        end
      end
      print(("newest used %d times, an older one %d times, refused %d times"):format(counts.newest, counts.older, counts.refused))
      assert.is_true(counts.older > 0)
    end)
  end
end)
