-- The command line of scripts/chaos.
local M = {}

local function usage(message)
  io.stderr:write("scripts/chaos: ", message, "\n",
    "usage: scripts/chaos [--kills N] [--seed S] [--backend rocksdb|memory] [--points] [--parallelism N] [--keep]\n")
  os.exit(2)
end

local function number(name, text, least)
  local value = tonumber(text)
  if not value or value < least or value % 1 ~= 0 then usage(name .. " takes a whole number of at least " .. least) end
  return value
end

local readers = {
  ["--kills"] = function(options, text) options.kills = number("--kills", text, 0) end,
  ["--seed"] = function(options, text) options.seed = number("--seed", text, 0) end,
  ["--parallelism"] = function(options, text) options.parallelism = number("--parallelism", text, 1) end,
  ["--backend"] = function(options, text)
    if text ~= "rocksdb" and text ~= "memory" then usage("--backend is rocksdb or memory") end
    options.backend = text
  end,
}

--- Kills, seed, points; backend and parallelism are nil unless given: all are tried then.
function M.parse(words)
  local options, i = {}, 1
  while words[i] do
    local word = words[i]
    if word == "--points" or word == "--keep" then
      options[word:sub(3)] = true
    elseif readers[word] then
      i = i + 1
      readers[word](options, words[i])
    else
      usage("unknown option " .. word)
    end
    i = i + 1
  end
  options.kills = options.kills or (options.points and 0 or 20)
  options.seed = options.seed or os.time()
  return options
end

return M
