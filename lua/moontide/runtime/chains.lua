--- Steps that are joined by forward edges are a chain, which the engine runs as one: it
--- takes barriers and watermarks from all that leads into it before it passes them on. So
--- no chain may send to itself through exchanges, by whatever way: a stream that is connected
--- with its own rebalanced self, dead letters of steps before and behind a key_by. Edges
--- that would close such a circle are cut: their records go through an exchange that
--- leaves them in their worker.
local M = {}

local Graph = {}
Graph.__index = Graph

-- Node i is operator i, or the sending half of an exchange, whose receiving half is node -i.
local function new(operators, edges)
  local self = setmetatable({ joined = {}, leaving = {} }, Graph)
  for i, operator in ipairs(operators) do
    if operator.kind == "exchange" then self:add(i, -i, true) end
  end
  for _, edge in ipairs(edges) do
    local from = operators[edge.from].kind == "exchange" and -edge.from or edge.from
    edge.way = self:add(from, edge.to, false)
  end
  return self
end

-- A way from one node to another; `ring`: through an exchange.
function Graph:add(from, to, ring)
  local way = { from = from, to = to, ring = ring }
  self.leaving[from] = self.leaving[from] or {}
  table.insert(self.leaving[from], way)
  self.joined[from], self.joined[to] = self.joined[from] or { from }, self.joined[to] or { to }
  return way
end

-- Does any way, or one and then others, lead from a chain through a ring to another one?
function Graph:leads(from, to)
  local seen, waiting = { [false] = {}, [true] = {} }, {}
  local function reach(chain, ring)
    if seen[ring][chain] then return end
    seen[ring][chain] = true
    waiting[#waiting + 1] = { chain = chain, ring = ring }
  end
  reach(from, false)
  while #waiting > 0 do
    local at = table.remove(waiting)
    if at.chain == to and at.ring then return true end
    for _, node in ipairs(at.chain) do
      for _, way in ipairs(self.leaving[node] or {}) do reach(self.joined[way.to], at.ring or way.ring) end
    end
  end
  return false
end

function Graph:join(from, to)
  if from == to then return end
  for _, node in ipairs(to) do
    from[#from + 1] = node
    self.joined[node] = from
  end
end

-- Joins what edges connect, where that closes no circle; the others are rings from then on. That closes none either:
-- a way through such a ring, back to where it came from, would have been one through a ring before.
function Graph:join_all(edges)
  for _, edge in ipairs(edges) do
    local from, to = self.joined[edge.way.from], self.joined[edge.way.to]
    if self:leads(from, to) or self:leads(to, from) then edge.way.ring = true else self:join(from, to) end
  end
end

--- Cut edges of a plan until no chain sends to itself. `add(edge)` makes the exchange and answers its index.
---@param operators Operator[]
---@param edges { from: integer, port: integer, to: integer, input: integer? }[]
---@param add fun(edge: table): integer
function M.cut(operators, edges, add)
  local graph = new(operators, edges)
  graph:join_all(edges)
  for i = 1, #edges do
    local edge = edges[i]
    if edge.way.ring then
      local to, input = edge.to, edge.input
      edge.to, edge.input = add(edge), nil
      edges[#edges + 1] = { from = edge.to, port = 0, to = to, input = input }
    end
    edge.way = nil
  end
end

return M
