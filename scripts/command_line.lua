--- The command line of the scripts: flags, options that take a value, and words.
local M = {}

---@class CommandLine
---@field usage string begins with the program's name
---@field flags? table<string, string> option -> name of the result that it makes true
---@field values? table<string, fun(text: string?, before: any): any, string?> the value (`before`: what the option gave earlier), or nil and what it takes
---@field word? fun(given: table, word: string): string? a complaint, if the word is none

--- A value that is any text.
function M.text(text)
  return text, "a value"
end

--- Reads whole numbers from `least` on.
---@param least integer
function M.whole(least)
  return function(text)
    local number = tonumber(text)
    local good = number and number >= least and number % 1 == 0
    return good and number or nil, "a whole number of at least " .. least
  end
end

--- Reads one of some words.
---@param ... string
function M.one_of(...)
  local words = { ... }
  return function(text)
    for _, word in ipairs(words) do
      if word == text then return word end
    end
    return nil, table.concat(words, " or ")
  end
end

-- Takes what stands at `at`; answers how many words that were, or nil and a complaint.
local function take(line, given, words, at)
  local word = words[at]
  if line.flags and line.flags[word] then
    given[line.flags[word]] = true
    return 1
  end
  local read = line.values and line.values[word]
  if read then
    local name = word:match("^%-%-(.*)$"):gsub("-", "_")
    local value, wanted = read(words[at + 1], given[name])
    if value == nil then return nil, ("%s takes %s"):format(word, wanted) end
    given[name] = value
    return 2
  end
  if word:sub(1, 1) == "-" or not line.word then return nil, ("unknown option '%s'"):format(word) end
  local complaint = line.word(given, word)
  if complaint then return nil, complaint end
  return 1
end

--- What was given, by name (`--fail-at X` is `fail_at`); or nil and what is wrong.
---@param line CommandLine
---@param words string[]
---@return table?, string?
function M.read(line, words)
  local given, at = {}, 1
  while words[at] do
    local count, complaint = take(line, given, words, at)
    if not count then return nil, complaint end
    at = at + count
  end
  return given
end

--- The same for a script: --help shows the usage and ends it with 0, what is wrong ends it with 2.
---@param line CommandLine
---@param words string[]
---@return table
function M.read_or_exit(line, words)
  for _, word in ipairs(words) do
    if word == "--help" or word == "-h" then
      print("usage: " .. line.usage)
      os.exit(0)
    end
  end
  local given, complaint = M.read(line, words)
  if not given then
    io.stderr:write(line.usage:match("^%S+"), ": ", complaint, "\nusage: ", line.usage, "\n")
    os.exit(2)
  end
  return given
end

return M
