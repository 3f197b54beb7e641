-- Proves engine/codec/csv.h.
local ffi = require "ffi"
local C = require "support.engine"
local codec = require "support.codec"
local formats = require "support.formats"

-- Records as JSON, and the errors.
local function decode(text, options) return formats.decode("csv", text, options) end

-- What one field of an undeclared column is, as JSON.
local function field(text, options) return (decode("f,g\n" .. text .. ",x\n", options)[1]) end

local function encode(list, options) return formats.encode("csv", formats.batch(list), options) end

describe("csv that is read", function()
  it("has rows named by its header", function()
    local records, errors = decode "name,age\nAda,36\nBob,7\n"
    assert.same({ '{"age":36,"name":"Ada"}', '{"age":7,"name":"Bob"}' }, records)
    assert.same({}, errors)
  end)

  it("takes LF and CRLF, a last line without either, blank lines, a byte order mark", function()
    local records = decode "\239\187\191\na,b\r\n1,x\r\n\r\n\n2,y\r\n3,z"
    assert.same({ '{"a":1,"b":"x"}', '{"a":2,"b":"y"}', '{"a":3,"b":"z"}' }, records)
    assert.same({ '{"a":1,"b":"x"}', '{"a":2,"b":null}' }, (decode "\na,b\n1,x\n2,\r"))
  end)

  it("recognises whole fields that are JSON numbers, and nothing else", function()
    for _, text in ipairs { "0", "7", "-12", "1.5", "-0.25", "1e5", "9007199254740993", "18446744073709551615", "1.5e-3" } do
      local record = field(text)
      assert.falsy(record:find('"f":"', 1, true), record)
    end
    for _, text in ipairs { "007", "+5", "0x10", "-", "1.", ".5", "1e", "2008-01-02", "12:30", " 1", "1 ", "1a", "1e999",
      "123456789012345678901234567890", "nan", "inf", "true" } do
      assert.equal('{"f":"' .. text .. '","g":"x"}', field(text))
    end
  end)

  it("has null for an empty field and the empty string for a quoted one", function()
    assert.equal('{"f":null,"g":"x"}', field "")
    assert.equal('{"f":"","g":"x"}', field '""')
    assert.same({ '{"a":null,"b":null}' }, (decode "a,b\n,\n"))
  end)

  it("reads quoted fields as strings, with pairs of quotes and delimiters in them", function()
    assert.equal('{"f":"12","g":"x"}', field '"12"')
    assert.equal('{"f":"a,b","g":"x"}', field '"a,b"')
    assert.equal('{"f":"say \\"hi\\"","g":"x"}', field '"say ""hi"""')
    assert.equal('{"f":"\\"","g":"x"}', field '""""')
    assert.equal('{"f":"5\\" disk","g":"x"}', field '5" disk')
    assert.same({ '{"a,b":1,"c\\"":2}' }, (decode '"a,b","c"""\n1,2\n'))
    assert.same({ '{"a":"x","b":"y"}' }, (decode '"a","b"\r\n"x","y"\r\n'))
  end)

  it("takes declared types at their word", function()
    local columns = { columns = { f = "integer" } }
    for text, value in pairs { ["007"] = "7", ["+5"] = "5", [" 12 "] = "12", ['"3"'] = "3", ["-9223372036854775808"] = "-9223372036854775808",
      ["18446744073709551615"] = "18446744073709551615", [""] = "null", ['""'] = "null" } do
      assert.equal('{"f":' .. value .. ',"g":"x"}', field(text, columns))
    end
    for text, value in pairs { ["007"] = "7", ["+.5"] = "0.5", ["1e5"] = "100000", ['"2.5"'] = "2.5", ["5."] = "5" } do
      assert.equal('{"f":' .. value .. ',"g":"x"}', field(text, { columns = { f = "number" } }))
    end
    for text, value in pairs { TRUE = "true", ["0"] = "false", f = "false", t = "true", False = "false" } do
      assert.equal('{"f":' .. value .. ',"g":"x"}', field(text, { columns = { f = "boolean" } }))
    end
    assert.equal('{"f":"12","g":"x"}', field("12", { columns = { f = "string" } }))
  end)

  it("reports what is not of its declared type, with the line, and goes on", function()
    local records, errors = decode("a,b\n1,x\n1.5,y\nz,w\n18446744073709551616,v\n4,u\n", { columns = { a = "integer" } })
    assert.same({ '{"a":1,"b":"x"}', '{"a":4,"b":"u"}' }, records)
    assert.equal(3, #errors)
    assert.equal("column 'a': '1.5' is not an integer", errors[1].message)
    assert.same({ 3, 4, 5 }, { errors[1].line, errors[2].line, errors[3].line })
    assert.equal("1.5,y", errors[1].bytes)
    assert.equal(1, #select(2, decode("a,b\n1,maybe\n", { columns = { b = "boolean" } })))
    assert.equal(1, #select(2, decode("a,b\n1,2x\n", { columns = { b = "number" } })))
    assert.equal(2, #select(2, decode("a,b\n1,1e400\n2,-1e999\n3,1e-999\n4,inf\n", { columns = { b = "number" } })))
  end)

  it("reports records with too few or too many fields", function()
    local records, errors = decode 'a,b\n1\n1,2,3\n1,"2",3,4\n5,6\n'
    assert.same({ '{"a":5,"b":6}' }, records)
    assert.same({ "1 fields where there are 2 columns", "3 fields where there are 2 columns", "4 fields where there are 2 columns" },
      { errors[1].message, errors[2].message, errors[3].message })
  end)

  it("reports quotes that do not match, and goes on behind the line", function()
    local records, errors = decode 'a,b\n"x,1\n"y"z,2\n3,"w\n4,5\n6,"open'
    assert.same({ '{"a":4,"b":5}' }, records)
    assert.same({ 2, 3, 4, 6 }, { errors[1].line, errors[2].line, errors[3].line, errors[4].line })
    assert.truthy(errors[1].message:find("multiline = true", 1, true))
    assert.truthy(errors[2].message:find("behind a closing quote", 1, true))
  end)

  it("keeps line ends in quoted fields with multiline = true", function()
    local records, errors = decode('"a\nb",c\n"x\r\ny",1\nz,"2\n\n3"\nbad\n"end', { multiline = true })
    assert.same({ '{"a\\nb":"x\\r\\ny","c":1}', '{"a\\nb":"z","c":"2\\n\\n3"}' }, records)
    assert.equal(2, #errors)
    assert.same({ 8, 9 }, { errors[1].line, errors[2].line })
  end)

  it("without a header names its columns c1, c2, ... or as it is told", function()
    assert.same({ '{"c1":1,"c2":"x"}', '{"c1":2,"c2":"y"}' }, (decode("1,x\n2,y\n", { header = false })))
    assert.same({ '{"id":1,"name":"x"}' }, (decode("1,x\n", { header = false, names = { "id", "name" } })))
    assert.same({ '{"c1":"1"}' }, (decode("1\n", { header = false, columns = { c1 = "string" } })))
    local _, errors = decode("1,x,y\n", { header = false, names = { "id", "name" } })
    assert.truthy(errors[1].message:find "3 fields where option 'names' has 2")
  end)

  it("takes other delimiters", function()
    assert.same({ '{"a":1,"b":"x,y"}' }, (decode("a;b\n1;x,y\n", { delimiter = ";" })))
    assert.same({ '{"a":1,"b":2}' }, (decode("a\tb\n1\t2\n", { delimiter = "\t" })))
    for _, delimiter in ipairs { "", "::", "1", ".", "-", "e", '"', "\n" } do
      local decoder, message = formats.decoder("csv", { delimiter = delimiter })
      assert.is_nil(decoder)
      assert.truthy(message:find "delimiter")
    end
  end)

  it("refuses headers with a name twice and types of columns that are not there", function()
    local _, errors = decode "a,b,a\n1,2,3\n"
    assert.truthy(errors[1].message:find("the column 'a' twice", 1, true))
    _, errors = decode("a,b\n1,2\n", { columns = { c = "integer" } })
    assert.truthy(errors[1].message:find("names 'c'", 1, true))
    local decoder, message = formats.decoder("csv", { columns = { a = "float" } })
    assert.is_nil(decoder)
    assert.truthy(message:find("cannot be 'float'", 1, true))
  end)

  it("packs rows of more than 250 columns", function()
    local names, fields = {}, {}
    for i = 1, 300 do names[i], fields[i] = "n" .. i, i end
    local records = decode(table.concat(names, ",") .. "\n" .. table.concat(fields, ",") .. "\n")
    local arena, cell = ffi.new "struct arena", ffi.new "struct cell"
    assert.equal(0, C.json_read(codec.slice(records[1]), arena, cell))
    assert.truthy(records[1]:find('"n9":9,"n10":10,', 1, true))
    local _, count = records[1]:gsub(":", "")
    assert.equal(300, count)
  end)

  it("tells a later split the columns from the beginning of the file, consuming the header alone", function()
    local decoder = formats.decoder "csv"
    local text = "a,b\n1,2\n"
    local memory = ffi.new("char[?]", #text + 64, text)
    decoder.input.bytes.data, decoder.input.bytes.bytes = memory, #text
    assert.equal(0, decoder.vtab.decoder_begin_file(decoder.handle, decoder.input))
    assert.equal(4, tonumber(decoder.input.bytes.bytes))
    decoder:feed("7,8\n", true)
    assert.same({ '{"a":7,"b":8}' }, decoder.records)
    decoder:close()
  end)

  it("says whether a file may be split", function()
    local vtab = C.format_find "csv"
    local options = C.options_new()
    assert.is_true(vtab.can_split(options))
    C.options_set(options, vtab.options, "multiline", nil, "true")
    assert.is_false(vtab.can_split(options))
    C.options_free(options)
  end)
end)

local function random_csv(random, multiline)
  local pieces = { "a", "12", ",", '"', '""', "\r", " ", "x,y", '"q"', "\195\169", "-1.5", "", "1e5" }
  if multiline then pieces[#pieces + 1] = '"\n"' end
  local lines = { "c1,c2,c3" }
  for i = 1, 40 do
    local fields = {}
    for j = 1, random:below(5) == 0 and random:below(5) or 3 do
      local parts = {}
      for k = 1, random:below(3) do parts[k] = pieces[random:below(#pieces) + 1] end
      fields[j] = table.concat(parts)
    end
    lines[i + 1] = table.concat(fields, ",")
  end
  return table.concat(lines, random:below(2) == 0 and "\r\n" or "\n") .. (random:below(2) == 0 and "\n" or "")
end

describe("csv in pieces of any size", function()
  for _, multiline in ipairs { false, true } do
    it("reads the same, multiline = " .. tostring(multiline), function()
      local seed = tonumber(os.getenv "SEED") or os.time()
      local random = codec.random(seed)
      for _ = 1, 40 do
        local text = random_csv(random, multiline)
        local records, errors = decode(text, { multiline = multiline })
        local torn_records, torn_errors = formats.decode_torn("csv", text, random, { multiline = multiline })
        assert.same(records, torn_records, "seed " .. seed)
        if not multiline then assert.same(errors, torn_errors, "seed " .. seed) end
      end
    end)
  end
end)

describe("csv that is written", function()
  it("has a header, and fields quoted only where they must be", function()
    local text = encode { '{"a":1,"b":"x","c":null,"d":true}', '{"a":-0.5,"b":"y z","c":false,"d":12345678901234567}' }
    assert.equal("a,b,c,d\n1,x,,true\n-0.5,y z,false,12345678901234567\n", text)
    assert.equal('a\n"x,y"\n"say ""hi"""\n"12"\n"-1.5"\n""\n"l1\nl2"\n007\n',
      (encode { '{"a":"x,y"}', '{"a":"say \\"hi\\""}', '{"a":"12"}', '{"a":"-1.5"}', '{"a":""}', '{"a":"l1\\nl2"}', '{"a":"007"}' }))
  end)

  it("writes tables in fields as JSON", function()
    assert.equal('a\n"[1,{""b"":""c""}]"\n', (encode { '{"a":[1,{"b":"c"}]}' }))
  end)

  it("finds the fields of other shapes by name; what they lack is empty, what they have more is an error", function()
    assert.equal("a,b\n1,2\n,3\n4,\n5,6\n", (encode { '{"a":1,"b":2}', '{"b":3}', '{"a":4}', '{"a":5,"b":6}' }))
    local text, message, failed = encode { '{"a":1}', '{"a":1,"z":2}' }
    assert.equal("a\n1\n", text)
    assert.equal(1, failed)
    assert.truthy(message:find("'z' is not among the columns", 1, true))
  end)

  it("refuses what is no table", function()
    for _, value in ipairs { "1", '"x"', "[1]", "{}" } do
      local text, message = encode { value }
      assert.equal("", text)
      assert.truthy(message:find "named fields")
    end
  end)

  it("writes tables of any number of fields, and of any number of shapes", function()
    local function table_of(count, first)
      local fields = {}
      for i = first, count do fields[#fields + 1] = ('"n%d":%s'):format(i, ({ i, '"x,y"', "null", "[1]", "true" })[i % 5 + 1]) end
      return "{" .. table.concat(fields, ",") .. "}"
    end
    for _, count in ipairs { 250, 251, 300, 5000 } do
      -- What comes behind is packed, a row, and one that lacks the first field.
      local text, message = encode { table_of(count, 1), table_of(count, 1), '{"n3":7}', table_of(count, 2), "{}" }
      assert.is_nil(message)
      local records, errors = decode(text)
      assert.same({}, errors)
      assert.equal(5, #records)
      assert.equal(records[1], records[2])
      assert.truthy(records[1]:find('"n5":5', 1, true))
      assert.truthy(records[1]:find('"n6":"x,y"', 1, true))
      assert.truthy(records[1]:find('"n8":"[1]"', 1, true))
      assert.truthy(records[3]:find('"n3":7', 1, true))
      assert.truthy(records[4]:find('"n1":null', 1, true))
      assert.equal(count, select(2, records[5]:gsub(":null", "")))
    end
    local text, message, failed = encode { table_of(300, 1), table_of(301, 1) }
    assert.equal(2, select(2, text:gsub("\n", "")))
    assert.equal(1, failed)
    assert.truthy(message:find("'n301' is not among the columns", 1, true))
    text, message, failed = encode { '{"n1":5}', table_of(300, 1) }
    assert.equal("n1\n5\n", text)
    assert.equal(1, failed)
    assert.truthy(message:find("is not among the columns", 1, true))
  end)

  it("has the columns that it is given, whatever the first record is", function()
    assert.equal("b,a,c\n,1,\n2,3,\n4,5,6\n", (encode({ '{"a":1}', '{"a":3,"b":2}', '{"a":5,"b":4,"c":6}' }, { names = { "b", "a", "c" } })))
    local text, message, failed = encode({ '{"a":1}', '{"z":2}' }, { names = { "a" }, header = false })
    assert.equal("1\n", text)
    assert.equal(1, failed)
    assert.truthy(message:find("'z' is not among the columns, which are those of option 'names'", 1, true))
    local mt = require "moontide"
    local ok, problem = pcall(function() return mt.job("twice"):from(mt.values { 1 }):to(mt.file { dir = "x", format = "csv", names = { "a", "b", "a" } }) end)
    assert.is_false(ok)
    assert.truthy(tostring(problem):find("option 'names' has 'a' twice", 1, true), tostring(problem))
  end)

  it("has no blank line for a record of one null", function()
    assert.equal('a\n1\n""\n', (encode { '{"a":1}', '{"a":null}' }))
  end)

  it("has no blank line for a header of one empty name", function()
    local text = encode { '{"":1}', '{"":2}' }
    assert.equal('""\n1\n2\n', text)
    assert.same({ '{"":1}', '{"":2}' }, (decode(text)))
  end)

  it("quotes texts of any length that would read back as numbers", function()
    for _, bytes in ipairs { 3, 500, 511, 512, 600, 5000 } do
      local text = "0." .. ("3"):rep(bytes - 2)
      assert.same({ '{"a":"' .. text .. '","b":1}' }, (decode(encode { '{"a":"' .. text .. '","b":1}' })), bytes)
    end
  end)

  it("takes header = false and other delimiters", function()
    assert.equal("1;x,y\n", (encode({ '{"a":1,"b":"x,y"}' }, { header = false, delimiter = ";" })))
    assert.equal('"1;2"\n', (encode({ '{"a":"1;2"}' }, { header = false, delimiter = ";" })))
  end)

  it("reads back as it was, for random records", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    local random = codec.random(seed)
    local list = {}
    for i = 1, 500 do
      local kinds = { random:json_string(), ("%.17g"):format(random:number()), "null" }
      list[i] = ('{"k":%d,"v":%s,"w":%s}'):format(i, kinds[random:below(3) + 1], kinds[random:below(3) + 1])
    end
    local batch = formats.batch(list)
    local expected = formats.encode("json", batch)
    local records, errors = decode(formats.encode("csv", batch), { multiline = true })
    assert.same({}, errors)
    assert.equal(expected, table.concat(records, "\n") .. "\n", "seed " .. seed)
  end)
end)
