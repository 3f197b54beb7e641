-- Dead letters are not lost, whatever the record holds, and end no job.
local run = require "support.run"

describe("a dead letter", function()
  local here

  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  -- What is printed by a job whose dead letters go to a sink.
  local function letters(sink, source, steps)
    local script = here:job(('{ parallelism = 1, restart = "none", on_error = { dead_letter = %s } }'):format(sink), steps, source)
    local started = here:run(script, "--fresh")
    assert.are.equal(0, started:wait(), started.err)
    return started.out
  end

  local refuse = ':map(function() error("no", 0) end):to(mt.blackhole {})'
  local odd = "mt.values { { a = 0 / 0, b = '\\255x', c = { 1 / 0, -1 / 0, 5 }, ['\\254'] = 9007199254740993LL }, { a = 1 } }"

  it("has texts in place of what JSON cannot say", function()
    assert.are.equal('{"error":"no","record":{"\\\\xfe":9007199254740993,"a":"NaN","b":"\\\\xffx","c":["Infinity","-Infinity",5]},"step":"map-1"}\n'
      .. '{"error":"no","record":{"a":1},"step":"map-1"}\n', letters("mt.stdout {}", odd, refuse))
  end)

  it("is written by steps of the library, by sinks and by functions alike", function()
    local source = "mt.values { { k = 'a', n = 0 / 0 }, { k = '\\255', n = 'x' } }"
    assert.are.equal('{"error":"field \'n\': JSON cannot hold NaN","record":{"k":"a","n":"NaN"},"step":"sink-1"}\n'
      .. '{"error":"field \'k\': JSON cannot hold a string that is not UTF-8","record":{"k":"\\\\xff","n":"x"},"step":"sink-1"}\n',
      letters("mt.stdout {}", source, ":to(mt.stdout { format = 'json' })"))
    assert.are.equal('{"error":"sum: field \'n\' must be a number, got \\"x\\"","key":"\\\\xff","record":{"k":"\\\\xff","n":"x"},"step":"s"}\n',
      letters("mt.stdout {}", source, ":key_by('k'):sum('s', 'n'):to(mt.blackhole {})"))
    assert.are.equal('{"error":"the record has no field \'m\' to key by","record":{"k":"a","n":"NaN"},"step":"key_by-1"}\n'
      .. '{"error":"the record has no field \'m\' to key by","record":{"k":"\\\\xff","n":"x"},"step":"key_by-1"}\n',
      letters("mt.stdout {}", source, ":key_by('m'):sum('s', 'n'):to(mt.blackhole {})"))
  end)

  it("is there where the error itself is no UTF-8", function()
    assert.are.equal('{"error":"no\\\\xff","record":1,"step":"map-1"}\n',
      letters("mt.stdout {}", "mt.values { 1 }", ":map(function() error('no\\255', 0) end):to(mt.blackhole {})"))
  end)

  it("holds a record of 64 levels, and one larger than a batch", function()
    local deep = "(function() local t = { 1 } for _ = 1, 61 do t = { t } end return t end)()"
    for _, value in ipairs { deep, "{ a = 0 / 0, deep = " .. deep .. "}" } do
      local out = letters("mt.stdout {}", "mt.values { " .. value .. " }", refuse)
      assert.is_truthy(out:find('"error":"no","record":', 1, true) and out:find(("["):rep(62), 1, true), out)
    end
    for _, value in ipairs { "{ a = ('x'):rep(70000) }", "{ a = ('x'):rep(70000), b = 0 / 0 }", "{ a = ('\\255'):rep(70000) }" } do
      for _, steps in ipairs { refuse, ":key_by('k'):count('c'):to(mt.blackhole {})" } do
        local out = letters("mt.stdout {}", "mt.values { " .. value .. ", { a = 1 } }", steps)
        local letter = '{"error":"[^"]+","record":{"a":%s},"step":"%%l[%%w_%%-]+"}\n'
        assert.is_truthy(out:find("^" .. letter:format('"[x\\f]+"[^}]*') .. letter:format("1") .. "$"), out:sub(1, 200))
        assert.is_true(#out > 70000)
      end
    end
  end)

  it("of bytes that are no record keeps their beginning and their place, also where they fill a batch", function()
    local path = here:write("in.jsonl", '{"a":1}\n' .. ("x"):rep(70000) .. "\n\255\n")
    local out = letters("mt.stdout {}", ("mt.file { path = '%s', format = 'json' }"):format(path), ":to(mt.blackhole {})")
    local first, second = out:match("^(.-)\n(.-)\n$")
    assert.is_truthy(first:find('^{"error":"not JSON: [^"]+","record":"x+","step":"source%-1","where":"[^"]+in.jsonl:2"}$'), first:sub(1, 200))
    assert.is_truthy(second:find('"record":"\\\\xff","step":"source-1","where":"' .. path .. ':3"}', 1, true), second)
  end)

  it("has all its columns in CSV, also those that other letters have", function()
    local steps = [[
:map(function(r) if r.a == 1 then error("no", 0) end return r end)
:key_by("k"):sum("s", "n"):to(mt.blackhole {})]]
    local out = letters("mt.stdout { format = 'csv' }", "mt.values { { a = 1, n = 0 / 0 }, { a = 2, k = 'x' }, { a = 3 } }", steps)
    local lines = {}
    for line in out:gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.are.equal("error,key,record,step,where", table.remove(lines, 1))
    table.sort(lines)
    assert.are.same({
      "\"sum: field 'n' must be a number, got nothing\",x,\"{\"\"a\"\":2,\"\"k\"\":\"\"x\"\"}\",s,", 'no,,"{""a"":1,""n"":""NaN""}",map-1,',
      "the record has no field 'k' to key by,,\"{\"\"a\"\":3}\",key_by-1,",
    }, lines)
  end)

  it("goes to a file by the same rules", function()
    letters(("mt.file { dir = '%s/letters', format = 'json' }"):format(here.directory), odd, refuse)
    local pipe = io.popen("cat '" .. here.directory .. "'/letters/*")
    local text = pipe:read("*a")
    pipe:close()
    assert.is_truthy(text:find('"a":"NaN"', 1, true), text)
    assert.are.equal(2, select(2, text:gsub("\n", "")))
  end)
end)
