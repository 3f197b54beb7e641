local case = require "support.case"
local mt = require "moontide"
local variants = require "support.variants"

local function build(input)
  return input:process("lists", {
    state = { dealt = mt.operator_list_state {}, also = mt.operator_list_state {}, all = mt.union_list_state {} },
    process_element = function(self, value, _, out)
      if value == "show" then
        out:collect { self.dealt:get(), self.also:get(), self.all:get() }
      elseif value == "clear" then
        self.dealt:clear()
      elseif type(value) == "table" then
        self.dealt:update(value)
      else
        self.dealt:add(value)
        self.also:add(value)
        self.all:add(value)
        if value == "bad" then error("bad") end
      end
    end,
  })
end

-- Snapshots of subtasks that were fed these values.
local function snapshots_of(lists)
  local snapshots = {}
  for i, list in ipairs(lists) do
    local h = case.new(build, { parallelism = #lists, subtask = i - 1, max_parallelism = 128 })
    for _, value in ipairs(list) do h:push(value) end
    snapshots[i] = h:snapshot()
  end
  return snapshots
end

local function restored(snapshots, parallelism)
  local seen = {}
  for subtask = 0, parallelism - 1 do
    local h = case.new(build, { parallelism = parallelism, subtask = subtask, restore = snapshots })
    h:push("show")
    seen[subtask + 1] = h:words()
  end
  return seen
end

describe("operator list state", function()
  after_each(case.close)

  it("keeps its elements, copied, and takes updates", function()
    local h = case.new(build)
    h:push("a")
    h:push { "x", { 1 }, mt.null }
    h:push("show")
    assert.equal("{{x,{1},null},{a},{a}}", h:words())
    h:push("clear")
    h:push("show")
    assert.equal("{{},{a},{a}}", h:words())
  end)

  variants.it(it, "S46, S47: is the subtask's own again after a restore", {}, function(open)
    local h = open(build)
    h:push("a")
    h:push("b")
    h:push { "x", { 1 }, mt.null }
    h:push("show")
    h:expect "{{x,{1},null},{a,b},{a,b}}"
    h:push("clear")
    h:push("c")
    h:push("show")
    h:expect "{{c},{a,b,c},{a,b,c}}"
  end)

  it("takes back what a record wrote whose callback failed", function()
    local h = case.new(build, { on_error = "skip" })
    for _, value in ipairs { "a", "bad", "b", "show", "bad" } do h:push(value) end
    assert.equal("{{a,b},{a,b},{a,b}}", h:words())
    h:snap()
    h:push("show")
    assert.equal("{{a,b},{a,b},{a,b}}", h:words())
  end)

  it("S46: is everybody's own again at the same parallelism, and S47: a union is everybody's", function()
    local snapshots = snapshots_of { { "a", "b", "c" }, {}, { "d" } }
    assert.same({ "{{a,b,c},{a,b,c},{a,b,c,d}}", "{{},{},{a,b,c,d}}", "{{d},{d},{a,b,c,d}}" }, restored(snapshots, 3))
  end)

  it("S46: is cut into contiguous runs at another, what is left over beginning where it ended for the state before", function()
    local snapshots = snapshots_of { { 1, 2, 3 }, { 4, 5 } }
    -- "also" comes first by its name: 5 over 3 is 2, 2, 1; "dealt" then begins with subtask 2.
    assert.same({
      "{{3,4},{1,2},{1,2,3,4,5}}", "{{5},{3,4},{1,2,3,4,5}}", "{{1,2},{5},{1,2,3,4,5}}",
    }, restored(snapshots, 3))
    assert.same({ "{{1,2,3,4,5},{1,2,3,4,5},{1,2,3,4,5}}" }, restored(snapshots, 1))
  end)

  local function joined(lists)
    local all = {}
    for _, list in ipairs(lists) do
      for _, value in ipairs(list) do all[#all + 1] = value end
    end
    return all
  end

  -- Are these lists `all` in contiguous runs of one length, the first ones by one longer, from some subtask on?
  local function is_dealt(lists, all)
    local count, short = #lists, math.floor(#all / #lists)
    for start = 0, count - 1 do
      local runs, fits = {}, true
      for i = 1, count do
        runs[i] = lists[(start + i - 1) % count + 1]
        fits = fits and #runs[i] == short + (i <= #all % count and 1 or 0)
      end
      if fits and table.concat(joined(runs), " ") == table.concat(all, " ") then return true end
    end
    return false
  end

  -- One attempt of so many subtasks: what each of them was dealt and has in the union, and, after some numbers more, what it holds.
  local function attempt(parallelism, snapshots, numbers)
    local dealt, unions, held, saved = {}, {}, {}, {}
    for subtask = 0, parallelism - 1 do
      local h = case.new(build, { parallelism = parallelism, subtask = subtask, restore = snapshots, max_parallelism = 12 })
      h:push("show")
      local lists, more = h:values()[1], {}
      for i = 1, math.random(0, 3) do
        more[i] = numbers()
        h:push(more[i])
      end
      local i = subtask + 1
      dealt[i], unions[i], held[i], saved[i] = lists[1], table.concat(lists[3], " "), joined { lists[1], more }, h:snapshot()
    end
    case.close()
    return dealt, unions, held, saved
  end

  it("S46, S47: is all there, in order, however often the parallelism changes, at random", function()
    local seed = tonumber(os.getenv("MOONTIDE_SEED")) or os.time()
    math.randomseed(seed)
    for _ = 1, 30 do
      local held, snapshots, count, past = { {} }, nil, 0, {}
      local function numbers() count = count + 1 return count end
      for _ = 1, 5 do
        local parallelism = math.random(4)
        past[#past + 1] = parallelism
        local what = ("MOONTIDE_SEED=%d, subtasks %s"):format(seed, table.concat(past, " "))
        local dealt, unions, now, saved = attempt(parallelism, snapshots, numbers)
        for _, union in ipairs(unions) do assert.equal(unions[1], union, what) end
        if parallelism == #held then assert.same(held, dealt, what) else assert.is_true(is_dealt(dealt, joined(held)), what) end
        held, snapshots = now, saved
      end
    end
  end)

  it("S51: refuses nil and gaps", function()
    for _, given in ipairs { { [2] = 1 }, { a = 1 } } do
      local h = case.new(build)
      assert.is_false(pcall(h.harness.push, h.harness, given))
    end
  end)

  it("takes all of a list or nothing", function()
    local h = case.new(function(input)
      return input:process("p", {
        state = { list = mt.operator_list_state() },
        process_element = function(self, value, _, out)
          self.list:add(value)
          for _, method in ipairs { "add_all", "update" } do assert.is_false(pcall(self.list[method], self.list, { 2, print })) end
          out:collect(self.list:get())
        end,
      })
    end)
    h:push(1)
    assert.equal("{1}", h:words())
  end)

  -- A step over one state, which shows it for each record that is "show".
  local function lists(states)
    return function(input)
      return input:process("lists", {
        state = states,
        process_element = function(self, value, _, out)
          if value == "show" then out:collect(self.list:get()) else self.list:add(value) end
        end,
      })
    end
  end

  -- What each of so many subtasks shows that restores `snapshots`.
  local function shown(states, snapshots, parallelism)
    local seen = {}
    for subtask = 0, parallelism - 1 do
      local h = case.new(lists(states), { parallelism = parallelism, subtask = subtask, restore = snapshots })
      h:push("show")
      seen[subtask + 1] = h:words()
    end
    return seen
  end

  local function snapshot_of(states, values)
    local h = case.new(lists(states))
    for _, value in ipairs(values) do h:push(value) end
    return h:snapshot()
  end

  local function refused(states, snapshot)
    local ok, message = pcall(case.new, lists(states), { restore = snapshot })
    assert.is_false(ok)
    return message
  end

  it("S54: that no step has any more is refused, and so is one that has become another", function()
    local snapshot = snapshot_of({ list = mt.operator_list_state {}, gone = mt.union_list_state {} }, { 1 })
    assert.matches("has state 'gone' of step \"lists\", which the job does not have any more", refused({ list = mt.operator_list_state {} }, snapshot), 1, true)
    snapshot = snapshot_of({ list = mt.operator_list_state {} }, { 1 })
    assert.matches("state 'list' of step \"lists\" is a operator_list in the checkpoint and a union_list in the job",
      refused({ list = mt.union_list_state {} }, snapshot), 1, true)
    assert.same({ "{1}" }, shown({ list = mt.operator_list_state {}, new = mt.union_list_state {} }, { snapshot }, 1))
  end)

  -- Version 1 has numbers, version 2 { n = }, version 3 { m = }.
  local function migrate(value, version)
    return { m = version == 1 and value or value.n }
  end

  it("is migrated where its version has risen, once, at any parallelism", function()
    for _, kind in ipairs { "operator_list_state", "union_list_state" } do
      local first = snapshot_of({ list = mt[kind] {} }, { 1, 2, 3, 4 })
      local third = { list = mt[kind] { version = 3, migrate = migrate } }
      assert.same({ "{{m=1},{m=2},{m=3},{m=4}}" }, shown(third, { first }, 1))
      local second = snapshot_of({ list = mt[kind] { version = 2 } }, { { n = 5 }, { n = 6 }, { n = 7 } })
      local split = kind == "operator_list_state"
      assert.same(split and { "{{m=5},{m=6}}", "{{m=7}}" } or { "{{m=5},{m=6},{m=7}}", "{{m=5},{m=6},{m=7}}" }, shown(third, { second }, 2))
      local h = case.new(lists(third), { restore = second })
      h:push { m = 8 }
      h:snap()
      h:push("show")
      assert.equal("{{m=5},{m=6},{m=7},{m=8}}", h:words())
    end
  end)

  it("is refused where its version has risen without 'migrate', or has fallen", function()
    local snapshot = snapshot_of({ list = mt.operator_list_state { version = 2 } }, { 1 })
    assert.matches("state 'list' of step \"lists\" has version 2 in the checkpoint and 3 in the job, which has no 'migrate' for it",
      refused({ list = mt.operator_list_state { version = 3 } }, snapshot), 1, true)
    assert.matches("state 'list' of step \"lists\" has version 2 in the checkpoint, and only 1 in the job",
      refused({ list = mt.operator_list_state { migrate = migrate } }, snapshot), 1, true)
    local nothing = refused({ list = mt.operator_list_state { version = 3, migrate = function() end } }, snapshot)
    assert.matches("the 'migrate' of state 'list' answered nothing for a value of version 2", nothing, 1, true)
    assert.matches("\n  operator_state_spec.lua:%d+: in migrate", nothing)
  end)

  it("belongs to streams without keys, and state of keys to those with keys", function()
    local author = require "support.author"
    local function message(text) return select(2, pcall(author.run, "local job = mt.job('j')\n" .. text)) end
    assert.equal("fraud.lua:2: :process(\"p\"): state 's': mt.operator_list_state belongs to a subtask, and a keyed stream's state to a key: use mt.list_state",
      message "job:from(mt.values {}):key_by('a'):process('p', { state = { s = mt.operator_list_state {} }, process_element = print })")
    assert.equal("fraud.lua:2: :process(\"p\"): state 's' belongs to a key and this stream has none: call :key_by first",
      message "job:from(mt.values {}):process('p', { state = { s = mt.list_state() }, process_element = print })")
  end)
end)
