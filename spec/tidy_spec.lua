package.path = "scripts/?.lua;" .. package.path
local temporary = require "support.temporary"
local tidy = require "tidy"

describe("the tree", function()
  it("keeps the floors, lengths and contracts of scripts/tidy.lua", function()
    local offences, file_count = tidy.check(".")
    assert.are.equal("", table.concat(offences, "\n"))
    assert.is_true(file_count > 50)
  end)
end)

describe("scripts/tidy.lua", function()
  local root

  before_each(function() root = temporary.folder() end)
  after_each(function() temporary.remove(root) end)

  local function write(path, text)
    os.execute(("mkdir -p '%s/%s'"):format(root, path:match("^(.*)/") or ""))
    temporary.write(root .. "/" .. path, text)
  end

  local function offences() return (table.concat((tidy.check(root)), "\n")) end

  local contract = "/* What it is. */\n#pragma once\n"

  it("accepts a small tree without offences", function()
    write("engine/base/a.h", contract)
    write("engine/codec/b.c", '#include "base/a.h"\n\nint b(void)\n{\n    return 1;\n}\n')
    assert.are.equal("", offences())
  end)

  it("reports includes that point upward, are not written from engine/ or lead nowhere", function()
    write("engine/base/a.h", contract)
    write("engine/codec/b.h", contract)
    write("engine/base/a.c", '#include "base/a.h"\n#include "codec/b.h"\n#include "a.h"\n#include "base/absent.h"\n')
    assert.are.equal('engine/base/a.c:2: floor base includes upward: "codec/b.h"\n'
      .. 'engine/base/a.c:3: an include not written from engine/: "a.h"\n'
      .. 'engine/base/a.c:4: no such header: "base/absent.h"', offences())
  end)

  it("reports who includes headers of other projects", function()
    write("engine/script/vm.c", "#include <lua.h>\n#include <rocksdb/c.h>\n")
    write("engine/state/store_rocksdb.c", "#include <rocksdb/c.h>\n#include <lauxlib.h>\n")
    write("engine/codec/json.cpp", "#include <simdjson.h>\n#include <msgpack.h>\n")
    write("engine/codec/csv.cpp", "#include <simdjson.h>\n")
    assert.are.equal("engine/codec/csv.cpp:1: may not include <simdjson.h>\n"
      .. "engine/codec/json.cpp:2: may not include <msgpack.h>\n"
      .. "engine/script/vm.c:2: may not include <rocksdb/c.h>\n"
      .. "engine/state/store_rocksdb.c:2: may not include <lauxlib.h>", offences())
  end)

  it("reports memory that is fetched by what compilers drop", function()
    write("engine/base/a.c", "__builtin_prefetch(a);\nfetch_line(a);\n")
    write("engine/base/fetch.h", "/* Fetches. */\n#pragma once\n__builtin_prefetch(a);\n")
    write("engine/base/b.c", '#include "base/fetch.h"\n')
    assert.are.equal("engine/base/a.c:1: fetch_line() of base/fetch.h is what is kept", offences())
  end)

  it("reports headers without contract or guard, and those that nobody includes", function()
    write("engine/base/a.h", "int a;\n")
    assert.are.equal("engine/base/a.h:1: a file that nobody includes, requires or names\n"
      .. "engine/base/a.h:1: a header that does not begin with its contract\n"
      .. "engine/base/a.h:1: no #pragma once", offences())
  end)

  it("reports long files, functions and lines", function()
    write("engine/base/a.c", "int a(void)\n{\n" .. ("    a();\n"):rep(69) .. "}\n")
    write("lua/a.lua", 'require "a"\nlocal function f()\n' .. ("  if x then y() end -- end\n"):rep(69) .. "end\n")
    write("scripts/b", ("#\n"):rep(501))
    write("scripts/c", ("x"):rep(171) .. "\n")
    write("spec/a_spec.lua", 'require "a"\ndescribe(function()\n  it(function()\n' .. ("    x()\n"):rep(69) .. "  end)\nend)\n")
    assert.are.equal("engine/base/a.c:2: a function of 71 lines\nlua/a.lua:2: a function of 71 lines\n"
      .. "scripts/b:501: a file of more than 500 lines\nscripts/c:1: a line of more than 170 characters\n"
      .. "spec/a_spec.lua:3: a function of 71 lines", offences())
  end)

  it("reports tabs, trailing blanks, paths of one machine and strangers at the top", function()
    write("scripts/a", "\tx\ny \n/" .. "home/someone\n")
    write("notes.txt", "x\n")
    assert.are.equal("notes.txt:1: does not belong at the top\nscripts/a:1: a tab\n"
      .. "scripts/a:2: trailing blanks\nscripts/a:3: a path of one machine", offences())
  end)
end)
