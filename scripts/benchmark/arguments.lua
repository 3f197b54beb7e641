--- The command line of scripts/bench.
local command_line = require "command_line"

local M = {}

local function find(rows, name)
  for _, row in ipairs(rows) do
    if row.name == name then return row end
  end
end

--- What was asked for.
---@param words string[]
---@param rows table[] all there are
---@return { seconds: integer, repeat: integer, rows: table[], json: boolean?, list: boolean?, keep: boolean?, input: string?, profile: string? }
function M.read(words, rows)
  local chosen = {}
  local given = command_line.read_or_exit({
    usage = "scripts/bench [ROW...] [--list] [--json] [--seconds N] [--repeat N] [--input FILE] [--profile DIR] [--keep]",
    flags = { ["--json"] = "json", ["--list"] = "list", ["--keep"] = "keep" },
    values = {
      ["--seconds"] = command_line.whole(1), ["--repeat"] = command_line.whole(1),
      ["--input"] = command_line.text, ["--profile"] = command_line.text,
    },
    word = function(_, word)
      local row = find(rows, word)
      if not row then return ("there is no row '%s' (scripts/bench --list)"):format(word) end
      chosen[#chosen + 1] = row
    end,
  }, words)
  given.seconds, given["repeat"] = given.seconds or 10, given["repeat"] or 1
  given.rows = #chosen > 0 and chosen or rows
  return given
end

return M
