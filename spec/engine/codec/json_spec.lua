-- Proves engine/codec/json.h and the "json" format.
local ffi = require "ffi"
local C = require "support.engine"
local codec = require "support.codec"
local formats = require "support.formats"

local arena, out = ffi.new "struct arena", ffi.new "struct buffer"

-- A document read and written again; or nil and the message.
local function again(text)
  arena.used = 0
  local cell = ffi.new "struct cell"
  if C.json_read(codec.exact(text), arena, cell) < 0 then
    assert.equal(0, tonumber(arena.used))
    return nil, ffi.string(C.error_message())
  end
  out.bytes = 0
  if C.json_write_cell(out, cell, arena.bytes) < 0 then return nil, ffi.string(C.error_message()) end
  return codec.text_of(out), cell
end

local function read(text)
  local _, cell = again(text)
  return cell
end

-- One document, with white space anywhere.
local function random_document(random, depth)
  local kind = random:below(depth > 4 and 5 or 7)
  if kind == 0 then return ({ "null", "true", "false" })[random:below(3) + 1] end
  if kind < 3 then return ("%.17g"):format(random:number()) end
  if kind < 5 then return random:json_string() end
  local parts = {}
  for i = 1, random:below(6) do
    local value = random_document(random, depth + 1)
    parts[i] = kind == 5 and value or random:json_string() .. random:space() .. ":" .. random:space() .. value
  end
  local open, close = "[", "]"
  if kind == 6 then open, close = "{", "}" end
  return open .. random:space() .. table.concat(parts, random:space() .. "," .. random:space()) .. random:space() .. close
end

describe("JSON documents", function()
  it("are read into the cells that fit them", function()
    local cases = { ["null"] = "null", ["true"] = "true", ["false"] = "false", ["1"] = "number", ["-1.5"] = "number", ["9007199254740993"] = "int64",
      ["18446744073709551615"] = "uint64", ['"a"'] = "string", ["{}"] = "row", ['{"a":1}'] = "row", ["[]"] = "packed", ['[{"a":1}]'] = "packed" }
    for text, tag in pairs(cases) do
      assert.equal(codec.tag[tag], read(text).tag, text)
      assert.equal(text, (again(text)))
    end
  end)

  it("become rows with fields in byte order of the names, nested ones in the canonical order (L6)", function()
    assert.equal('{"a":1,"ab":2,"b":3}', (again '{"b":3,"ab":2,"a":1}'))
    assert.equal('{"n":{"a":1,"b":3,"ab":2}}', (again '{"n":{"b":3,"ab":2,"a":1}}'))
    assert.equal(read('{"b":3,"a":1}').length, read('{"a":2,"b":4}').length)
  end)

  it("keep the last of repeated names", function()
    assert.equal('{"a":3,"b":2}', (again '{"a":1,"b":2,"a":3}'))
    assert.equal('[{"a":3,"b":2}]', (again '[{"a":1,"b":2,"a":3}]'))
    assert.equal('{"a":3}', (again '{"a":1,"\\u0061":3}'))
  end)

  it("unescape", function()
    local text = again [["\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00\u0000"]]
    assert.equal('"\\"\\\\/\\b\\f\\n\\r\\tA\195\169\226\130\172\240\159\152\128\\u0000"', text)
    assert.equal('{"n\\"":1}', (again '{"n\\u0022":1}'))
    assert.equal('["\\n"]', (again '["\\u000a"]'))
    assert.equal('"a\127b"', (again '"a\127b"'))
  end)

  it("of more than 250 fields are packed", function()
    local parts = {}
    for i = 1, 300 do parts[i] = ('"f%03d":%d'):format(i, i) end
    local text = "{" .. table.concat(parts, ",") .. "}"
    assert.equal(codec.tag.packed, read(text).tag)
    assert.equal(text, (again(text)))
  end)

  it("may span lines where there is only one", function()
    assert.equal('{"a":[1,2]}', (again '\n{ "a" :\r\n [ 1 ,\t2 ] }\n'))
  end)

  it("nest 64 deep, not 65", function()
    assert.equal(("["):rep(64) .. ("]"):rep(64), (again(("["):rep(64) .. ("]"):rep(64))))
    assert.truthy(again('{"a":' .. ("["):rep(63) .. ("]"):rep(63) .. "}"))
    for _, text in ipairs { ("["):rep(65) .. ("]"):rep(65), '{"a":' .. ("["):rep(64) .. ("]"):rep(64) .. "}", ("["):rep(100000) } do
      local got, message = again(text)
      assert.is_nil(got)
      assert.truthy(message:find "deeper than 64", message)
    end
  end)

  local refused = {
    ["value expected"] = { "", " ", "{\"a\":}", "[1,]", "[,1]", "tru", "truex", "nul", "nulll", "[nan]", "'a'",
      "{\"a\":1,\"b\":}", "]", "}", ":", ",", "\239\187\191" },
    ["number expected"] = { "01", "-", "1.", "1e", "-a", "1a", "1\"a\"", "1e999", "[1.5.5]", "0x1", "-01" },
    ["name expected"] = { "{1:2}", "{\"a\":1,}", "{,}", "{" },
    ["':' expected"] = { '{"a"}', '{"a" 1}', '{"a","b"}', '[{"a"}]' },
    ["',' or '}' expected"] = { '{"a":1', '{"a":1 "b":2}', '{"a":1]', '[{"a":1]]' },
    ["',' or ']' expected"] = { "[1", "[1 2]", "[1}", "[[1]", '["a" "b"]' },
    ["end of the document expected"] = { "1 2", "{} {}", '{"a":1} x', "[1]]", '"a" "b"', '"a"b' },
    ["does not end"] = { '"', '{"a', '["\\"]', '"a\1b"', '"a\nb"', '{"a":"b\t"}' },
    ["escape that means nothing"] = { [["\x"]], [["\u12"]], [["\u12g4"]], [["\ud800"]], [["\udc00"]], [["\ud800\u0041"]], [["\ud800\n"]], [[{"\q":1}]], [=[["\x"]]=] },
    ["not UTF-8"] = { '"\255"', '"\192\128"', '"\237\160\128"', '"\244\144\128\128"', '"\195"', '{"\255":1}' },
  }
  for problem, texts in pairs(refused) do
    it("are refused: " .. problem, function()
      for _, text in ipairs(texts) do
        local got, message = again(text)
        assert.is_nil(got, text)
        assert.truthy(message:find(problem, 1, true), text .. ": " .. message)
      end
    end)
  end

  it("come back as they were written, for random ones", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    local random = codec.random(seed)
    for _ = 1, 3000 do
      local text = random_document(random, 0)
      local first, problem = again(text)
      assert.truthy(first, text .. ": " .. tostring(problem) .. ", seed " .. seed)
      assert.equal(first, (again(first)), "seed " .. seed)
    end
  end)

  it("are refused when they are cut short, unless they are numbers", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    local random = codec.random(seed)
    for _ = 1, 150 do
      local text = '{"key":' .. random_document(random, 1) .. "}"
      for length = 0, #text - 1 do assert.is_nil((again(text:sub(1, length))), "seed " .. seed) end
    end
  end)

  it("do no harm with flipped bytes", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    local random = codec.random(seed)
    local good, bad = 0, 0
    for _ = 1, 10000 do
      local first = again(random:flip(random_document(random, 0)))
      if first then
        good = good + 1
        assert.equal(first, (again(first)), "seed " .. seed)
      else
        bad = bad + 1
      end
    end
    assert.is_true(good > 0 and bad > 0)
  end)
end)

describe("JSON that is written", function()
  local function write(cell, base)
    out.bytes = 3
    local status = C.json_write_cell(out, cell, base)
    if status < 0 then
      assert.equal(3, tonumber(out.bytes))
      return nil, ffi.string(C.error_message())
    end
    return codec.text_of(out):sub(4)
  end

  local function text_cell(tag, text)
    local cell = codec.bare(tag)
    cell.length, cell.offset = #text, 0
    return cell, text
  end

  it("escapes control characters at every place of a string", function()
    for length = 0, 40 do
      local plain = ("x"):rep(length)
      assert.equal('"' .. plain .. '"', write(text_cell("string", plain)))
      for at = 1, length do
        for byte, escaped in pairs { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\1"] = "\\u0001",
          ["\31"] = "\\u001f", ["\195\169"] = "\195\169", ["\11"] = "\\u000b" } do
          local before, after = ("x"):rep(at - 1), ("x"):rep(length - at)
          assert.equal('"' .. before .. escaped .. after .. '"', write(text_cell("string", before .. byte .. after)))
        end
      end
    end
  end)

  it("cannot hold NaN, infinity, bytes that are not UTF-8, and keys that are no text", function()
    local cases = { { "NaN", codec.number(0 / 0) }, { "infinite", codec.number(-math.huge) }, { "UTF-8", text_cell("string", "abcdefgh\255") },
      { "NaN", text_cell("packed", "\145\203\127\248\0\0\0\0\0\0") }, { "neither", text_cell("packed", "\129\195\1") },
      { "neither", text_cell("packed", "\129\145\1\1") }, { "UTF-8", text_cell("packed", "\129\161\255\1") }, { "cut short", text_cell("packed", "\146\1") } }
    for _, case in ipairs(cases) do
      local text, message = write(case[2], case[3])
      assert.is_nil(text)
      assert.truthy(message:find(case[1], 1, true), message)
    end
  end)

  it("names the field that it cannot hold", function()
    local input, cell = codec.slice "\129\163sum\203\127\248\0\0\0\0\0\0", ffi.new "struct cell"
    arena.used = 0
    assert.equal(0, C.msgpack_read_cell(input, arena, cell))
    local _, message = write(cell, arena.bytes)
    assert.truthy(message:find("'sum'", 1, true), message)
    input = codec.slice "\129\162a\255\1"
    assert.equal(0, C.msgpack_read_cell(input, arena, cell))
    _, message = write(cell, arena.bytes)
    assert.truthy(message:find("UTF-8", 1, true), message)
  end)

  it("has numbers as keys in their text", function()
    assert.equal('{"1":2,"0.5":3}', write(text_cell("packed", "\130\1\2\203\63\224\0\0\0\0\0\0\3")))
  end)
end)

describe("the json format", function()
  it("reads a document a line, skips blank lines, counts lines from 1", function()
    local records, errors = formats.decode("json", '{"a":1}\n\n  \r\n{"a":2}\r\n[1]\nbad\n"x"\n{"a":\n{"last":1}')
    assert.same({ '{"a":1}', '{"a":2}', "[1]", '"x"', '{"last":1}' }, records)
    assert.equal(2, #errors)
    assert.equal(6, errors[1].line)
    assert.equal("bad", errors[1].bytes)
    assert.equal(8, errors[2].line)
    assert.equal('{"a":', errors[2].bytes)
  end)

  it("gives the other lines of a block with a bad one", function()
    local lines, expected = {}, {}
    for i = 1, 3000 do
      lines[i] = ('{"i":%d}'):format(i)
      if i % 700 == 0 then lines[i] = ({ '{"i":"\255"}', '{"i":"open', '"', '{"i":"\\"}' })[i / 700] else expected[#expected + 1] = lines[i] end
    end
    local records, errors = formats.decode("json", table.concat(lines, "\n") .. "\n")
    assert.same(expected, records)
    assert.equal(4, #errors)
    for i, err in ipairs(errors) do assert.equal(i * 700, err.line) end
    assert.truthy(errors[1].message:find("not UTF-8", 1, true))
  end)

  it("does not take a record over a line end, whatever the quotes say", function()
    local records, errors = formats.decode("json", '{"a":"x\n"}\n{"a":1}\n"\n"\n{"b":\\\n"c"}\n')
    assert.same({ '{"a":1}' }, records)
    assert.equal(6, #errors)
  end)

  it("ignores a byte order mark", function()
    assert.same({ '{"a":1}' }, (formats.decode("json", '\239\187\191{"a":1}\n')))
  end)

  it("keeps the order of fields apart where names are escaped, and in every order", function()
    local records = formats.decode("json", '{"a":1,"b":2}\n{"b":3,"a":4}\n{"\\u0061":5,"b":6}\n{"a":7}\n{"a":8,"b":9,"c":0}\n{"a\\\\":1,"b":2}\n{"a":10,"b":11}\n')
    assert.same({ '{"a":1,"b":2}', '{"a":4,"b":3}', '{"a":5,"b":6}', '{"a":7}', '{"a":8,"b":9,"c":0}', '{"a\\\\":1,"b":2}', '{"a":10,"b":11}' }, records)
  end)

  it("reads the same in pieces of any size", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    local random = codec.random(seed)
    for _ = 1, 20 do
      local lines = {}
      for i = 1, 60 do
        lines[i] = random_document(random, 0):gsub("\n", " ")
        if random:below(10) == 0 then lines[i] = random:flip(lines[i]):gsub("\n", " ") end
      end
      local text = table.concat(lines, "\n") .. (random:below(2) == 0 and "\n" or "")
      local records, errors = formats.decode("json", text)
      local torn_records, torn_errors = formats.decode_torn("json", text, random)
      assert.same(records, torn_records, "seed " .. seed)
      assert.same(errors, torn_errors, "seed " .. seed)
    end
  end)

  it("writes what it reads", function()
    local list = { '{"a":1,"b":"x"}', "[1,2]", "null", '"s"', "12.5" }
    local text = formats.encode("json", formats.batch(list))
    assert.equal(table.concat(list, "\n") .. "\n", text)
    assert.same(list, (formats.decode("json", text)))
  end)

  it("keeps what stands before a record that cannot be written", function()
    local text, message, failed = formats.encode("json", formats.batch { "1", codec.number(0 / 0), "2" })
    assert.equal("1\n", text)
    assert.equal(1, failed)
    assert.truthy(message:find "NaN")
  end)

  it("refuses a line beyond 64 MB and goes on behind it", function()
    local long = '{"a":"' .. ("x"):rep(64 * 1024 * 1024) .. '"}'
    local records, errors = formats.decode("json", '{"b":1}\n' .. long .. '\n{"c":1}\n')
    assert.same({ '{"b":1}', '{"c":1}' }, records)
    assert.equal(1, #errors)
    assert.equal(2, errors[1].line)
    assert.truthy(errors[1].message:find "more than 67108864 bytes")
    local decoder = formats.decoder("json")
    decoder:feed('{"b":1}\n' .. long, false)
    assert.equal(1, #decoder.errors)
    decoder:feed('more"}\n{"c":1}\n', true)
    assert.same({ '{"b":1}', '{"c":1}' }, decoder.records)
    decoder:close()
  end)
end)
