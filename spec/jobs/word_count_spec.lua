-- T83 as a whole job, with and without kills.
local testing = require "moontide.testing"

-- Hamlet III.1, as a job's function must bring it along: it runs in another process.
local function word_count()
  local mt = require "moontide"
  local job = mt.job("word count", { checkpoint = { interval = "3ms" } })
  job:from(mt.source {
    open = function(self)
      self.lines, self.next = {}, 1
      for line in io.lines(mt.args.text) do self.lines[#self.lines + 1] = line end
    end,
    -- Slow, so that there are many checkpoints: after each line it has nothing for a while.
    poll = function(self, out)
      self.turn = not self.turn
      if not self.turn then return false end
      local line = self.lines[self.next]
      if not line then return "end" end
      out:collect(line)
      self.next = self.next + 1
      return true
    end,
    snapshot = function(self) return self.next end,
    restore = function(self, position) self.next = position end,
  }):flat_map(function(line, out)
    for word in line:lower():gmatch("[%w_]+") do out:collect(word) end
  end):key_by(function(word) return word end):count("count"):to(mt.collect { name = "counts" })
  return job
end

local text = [[
To be, or not to be,--that is the question:--
Whether 'tis nobler in the mind to suffer
The slings and arrows of outrageous fortune
Or to take arms against a sea of troubles,
And by opposing end them?--To die,--to sleep,--
No more; and by a sleep to say we end
The heartache, and the thousand natural shocks
That flesh is heir to,--'tis a consummation
Devoutly to be wish'd. To die,--to sleep;--
To sleep! perchance to dream:--ay, there's the rub;
For in that sleep of death what dreams may come,
When we have shuffled off this mortal coil,
Must give us pause: there's the respect
That makes calamity of so long life;
For who would bear the whips and scorns of time,
The oppressor's wrong, the proud man's contumely,
The pangs of despis'd love, the law's delay,
The insolence of office, and the spurns
That patient merit of the unworthy takes,
When he himself might his quietus make
With a bare bodkin? who would these fardels bear,
To grunt and sweat under a weary life,
But that the dread of something after death,--
The undiscover'd country, from whose bourn
No traveller returns,--puzzles the will,
And makes us rather bear those ills we have
Than fly to others that we know not of?
Thus conscience does make cowards of us all;
And thus the native hue of resolution
Is sicklied o'er with the pale cast of thought;
And enterprises of great pith and moment,
With this regard, their currents turn awry,
And lose the name of action.--Soft you now!
The fair Ophelia!--Nymph, in thy orisons
Be all my sins remember'd.
]]

describe("word count (T83)", function()
  local path

  setup(function()
    path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
  end)
  teardown(function() os.remove(path) end)

  -- Every word's counts must be 1, 2, ... in order: a record that is lost, doubled or overtaken shows.
  local function final_counts(results)
    local counts = {}
    for _, row in ipairs(results) do
      assert.are.equal((counts[row.key] or 0) + 1, row.count, row.key)
      counts[row.key] = row.count
    end
    return counts
  end

  local function check(result)
    local counts, words = final_counts(result.sinks.counts), 0
    for _ in pairs(counts) do words = words + 1 end
    assert.are.equal(287, #result.sinks.counts)
    assert.are.equal(170, words)
    for word, count in pairs { the = 22, to = 15, of = 15, ["and"] = 12, that = 7, a = 5, sleep = 5, s = 5, be = 4, we = 4, d = 4 } do
      assert.are.equal(count, counts[word], word)
    end
  end

  for parallelism = 1, 2 do
    it(("counts 287 words at parallelism %d"):format(parallelism), function()
      local result = testing.run(word_count, { parallelism = parallelism, args = { text = path } })
      check(result)
      assert.are.equal(0, result.kills)
      assert.is_true(result.checkpoints >= 1)
    end)

    it(("counts them exactly once at parallelism %d, killed after every 3 checkpoints"):format(parallelism), function()
      local result = testing.run(word_count, { parallelism = parallelism, args = { text = path }, kill_after = { checkpoints = 3, times = 3 } })
      check(result)
      assert.are.equal(3, result.kills)
      assert.is_true(result.checkpoints > 9)
    end)
  end

  it("at parallelism 1 emits the words in the order of the text", function()
    local result = testing.run(word_count, { parallelism = 1, args = { text = path }, kill_after = { checkpoints = 2, times = 2 } })
    local shown = {}
    for i = 1, 10 do shown[i] = result.sinks.counts[i].key .. "," .. result.sinks.counts[i].count end
    assert.are.equal("to,1 be,1 or,1 not,1 to,2 be,2 that,1 is,1 the,1 question,1", table.concat(shown, " "))
    local last = result.sinks.counts[287]
    assert.are.same({ "d", 4 }, { last.key, last.count })
  end)
end)
