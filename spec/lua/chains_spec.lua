-- Where the edges of a plan are cut, so that no chain sends to itself.
local chains = require "moontide.runtime.chains"

-- "a>b a>x x>b": letters are operators, x to z exchanges. Answers the edges that were cut.
local function cut(text)
  local operators, numbers, edges, names = {}, {}, {}, {}
  local function number(name)
    if not numbers[name] then
      operators[#operators + 1] = { kind = name:match "^[xyz]" and "exchange" or "call" }
      numbers[name], names[#operators] = #operators, name
    end
    return numbers[name]
  end
  for from, to in text:gmatch "(%a%d?)>(%a%d?)" do edges[#edges + 1] = { from = number(from), to = number(to), port = 1, input = 1 } end
  local list, count = {}, #edges
  chains.cut(operators, edges, function(edge)
    list[#list + 1] = names[edge.from] .. ">" .. names[edge.to]
    operators[#operators + 1] = { kind = "exchange" }
    return #operators
  end)
  assert.are.equal(count + #list, #edges)
  for i = count + 1, #edges do assert.are.same({ 0, 1 }, { edges[i].port, edges[i].input }) end
  return table.concat(list, " "), operators, edges
end

-- Does any chain reach itself through an exchange? Halves of exchange i are nodes i and -i.
local function has_circle(operators, edges)
  local chain, behind = {}, {}
  local function root(node) return chain[node] and root(chain[node]) or node end
  local function half(from) return operators[from].kind == "exchange" and -from or from end
  for _, edge in ipairs(edges) do
    local a, b = root(half(edge.from)), root(edge.to)
    if a ~= b then chain[a] = b end
  end
  for i, operator in ipairs(operators) do
    if operator.kind == "exchange" then
      behind[root(i)] = behind[root(i)] or {}
      table.insert(behind[root(i)], root(-i))
    end
  end
  local state = {}
  local function circles(at)
    if state[at] then return state[at] == "open" end
    state[at] = "open"
    for _, next_one in ipairs(behind[at] or {}) do
      if circles(next_one) then return true end
    end
    state[at] = "done"
    return false
  end
  for at in pairs(behind) do
    if circles(at) then return true end
  end
  return false
end

describe("edges between chains", function()
  it("stay where exchanges only lead on", function()
    assert.equal("", cut "a>b b>x x>c c>d")
    assert.equal("", cut "a>b a>c b>d c>d d>x x>e")
    assert.equal("", cut "a>x x>b c>b b>d") -- another source beside what comes through the exchange
    assert.equal("", cut "a>x x>b a>y y>b") -- both ways lead through exchanges
    assert.equal("", cut "a>x x>b x>c b>d c>d")
  end)

  it("are cut where one way to a step leads through an exchange and another does not", function()
    assert.equal("a>b", cut "a>x x>b a>b")
    assert.equal("a>c", cut "a>x x>b b>c a>c")
    assert.equal("a>c", cut "a>c a>x x>b b>c")
    assert.equal("b>d", cut "a>b b>x x>c c>d b>d") -- as dead letters of two steps in one sink
    assert.equal("x>c", cut "a>x x>b b>y y>c x>c") -- behind an exchange as well
  end)

  it("are cut where chains that are joined by a third one would send to each other", function()
    assert.equal("c>e", cut "a>f b>f b>e c>e c>z z>a")
    assert.equal("b>f", cut "a>f b>f b>x x>a")
  end)

  it("of random graphs leave no circle", function()
    local seed = tonumber(os.getenv "MOONTIDE_SEED") or os.time()
    print(("chains_spec: SEED=%d"):format(seed))
    math.randomseed(seed)
    local with_cuts = 0
    for number = 1, 500 do
      local parts, names = {}, {}
      for i = 1, math.random(3, 9) do
        names[i] = (math.random(3) == 1 and "x" or "a") .. i
        for _ = 1, i > 1 and math.random(2) or 0 do parts[#parts + 1] = names[math.random(i - 1)] .. ">" .. names[i] end
      end
      local text = table.concat(parts, " ")
      local list, operators, edges = cut(text)
      assert.is_false(has_circle(operators, edges), ("seed %d, number %d: %s"):format(seed, number, text))
      with_cuts = with_cuts + (list ~= "" and 1 or 0)
    end
    assert.is_true(with_cuts > 50 and with_cuts < 450)
  end)
end)
