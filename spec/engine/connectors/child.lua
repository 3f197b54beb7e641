-- Runs a piece of Lua in a process of its own: for what ends a process, or needs another standard input.
local temporary = require "support.temporary"

local M = {}

--- Run `code` (it has `drive`, `temporary` and `arg`). `options`: args, input (file of stdin), output (file of stdout),
--- before (shell commands, e.g. a ulimit), environment ("NAME=value").
--- Answers the exit status (128 + number for a signal) and what it wrote to stdout, if that is no file, and stderr.
function M.run(dir, code, options)
  options = options or {}
  local script, output, errors, status = dir .. "/.child.lua", dir .. "/.child.out", dir .. "/.child.err", dir .. "/.child.status"
  temporary.write(script, "package.path = 'spec/?.lua;lua/?.lua;lua/?/init.lua;' .. package.path\n" ..
    "local drive, temporary = require 'engine.connectors.drive', require 'support.temporary'\n" .. code)
  local words = {}
  for i, word in ipairs(options.args or {}) do words[i] = "'" .. tostring(word) .. "'" end
  -- A session of its own: a crash point kills the whole process group.
  os.execute(("%s; %s setsid -w luajit '%s' %s < '%s' > '%s' 2> '%s'; echo $? > '%s'"):format(options.before or ":",
    options.environment or "", script, table.concat(words, " "), options.input or "/dev/null", options.output or output, errors, status))
  local code_text = temporary.read(status)
  local texts = { temporary.read(output), temporary.read(errors) }
  for _, path in ipairs { script, output, errors, status } do os.remove(path) end
  return tonumber(code_text), texts[1], texts[2]
end

return M
