--- The command line of scripts/mutate.
local command_line = require "command_line"

local M = {}

local function rule(text, rules)
  if not text then return nil, "a rule, such as S20" end
  rules = rules or {}
  rules[text] = true
  return rules
end

local line = {
  usage = "scripts/mutate [--list] [--rule RULE]... [--jobs N] [--keep]",
  flags = { ["--list"] = "list", ["--keep"] = "keep" },
  values = { ["--rule"] = rule, ["--jobs"] = command_line.whole(1) },
}

local function cores()
  local pipe = assert(io.popen "nproc")
  local count = tonumber(pipe:read "*l")
  pipe:close()
  return count or 1
end

--- list, keep, jobs; `rule` is a set, or nil for all.
---@param words string[]
---@return { list: boolean?, keep: boolean?, jobs: integer, rule: table<string, true>? }
function M.parse(words)
  local given = command_line.read_or_exit(line, words)
  given.jobs = given.jobs or cores()
  return given
end

return M
