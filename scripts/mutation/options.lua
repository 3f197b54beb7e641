--- The command line of scripts/mutate.
local M = {}

local function usage(message)
  io.stderr:write("scripts/mutate: ", message, "\n", "usage: scripts/mutate [--list] [--rule RULE]... [--jobs N] [--keep]\n")
  os.exit(2)
end

local function cores()
  local pipe = assert(io.popen "nproc")
  local count = tonumber(pipe:read "*l")
  pipe:close()
  return count or 1
end

local readers = {
  ["--rule"] = function(options, text)
    if not text then usage("--rule takes a rule, such as S20") end
    options.rules = options.rules or {}
    options.rules[text] = true
  end,
  ["--jobs"] = function(options, text)
    local count = tonumber(text)
    if not count or count < 1 or count % 1 ~= 0 then usage("--jobs takes a whole number of at least 1") end
    options.jobs = count
  end,
}

--- list, keep, jobs; `rules` is a set, or nil for all.
---@param words string[]
---@return { list: boolean?, keep: boolean?, jobs: integer, rules: table<string, true>? }
function M.parse(words)
  local options, i = {}, 1
  while words[i] do
    local word = words[i]
    if word == "--list" or word == "--keep" then
      options[word:sub(3)] = true
    elseif readers[word] then
      i = i + 1
      readers[word](options, words[i])
    else
      usage("unknown option " .. word)
    end
    i = i + 1
  end
  options.jobs = options.jobs or cores()
  return options
end

return M
