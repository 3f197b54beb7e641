-- Proves engine/dataflow/dead_letter.c.
local temporary = require "support.temporary"
local testing = require "moontide.testing"

describe("dead letters of a source", function()
  it("are UTF-8 where the bytes are not, or the error shows half a character", function()
    local dir = temporary.folder()
    temporary.write(dir .. "/in.jsonl", '1\n"\255\\\195\169\195\n2\n123456789012345' .. ("\195\169"):rep(9) .. "\n3\n")
    local result = testing.run(function()
      local mt = require "moontide"
      local job = mt.job "letters"
      job:from(mt.file { path = mt.args.dir .. "/in.jsonl", format = "json",
        on_error = { dead_letter = mt.file { dir = mt.args.dir .. "/dead", format = "json" } } }):to(mt.collect { name = "out" })
      return job
    end, { args = { dir = dir } })
    local letters = ""
    for _, name in ipairs(temporary.names(dir .. "/dead")) do
      if not name:find "^%." then letters = letters .. temporary.read(dir .. "/dead/" .. name) end
    end
    temporary.remove(dir)
    assert.same({ 1, 2, 3 }, result.sinks.out)
    assert.truthy(letters:find('"record":"\\"\\\\xff\\\\\195\169\\\\xc3"', 1, true), letters)
    assert.truthy(letters:find('"record":"123456789012345\195\169', 1, true), letters)
    assert.equal(2, select(2, letters:gsub("\n", "")))
  end)
end)
