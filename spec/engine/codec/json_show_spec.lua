-- Proves engine/codec/json_show.h.
local ffi = require "ffi"
local C = require "support.engine"
local codec = require "support.codec"

local out, arena = ffi.new "struct buffer", ffi.new "struct arena"

local function show(cell, bytes, valid)
  out.bytes = 0
  C.json_show_cell(out, cell, bytes or "", valid or false)
  return codec.text_of(out)
end

local function packed(bytes)
  local cell = ffi.new "struct cell"
  cell.tag, cell.length = codec.tag.packed, #bytes
  return cell, bytes
end

local function text(bytes)
  local cell = ffi.new "struct cell"
  cell.tag, cell.length = codec.tag.string, #bytes
  return cell, bytes
end

-- Is the text a JSON document?
local function is_read(document)
  arena.used = 0
  return C.json_read(codec.exact(document), arena, ffi.new "struct cell") == 0
end

describe("a value shown as JSON", function()
  it("is the document, where there is one", function()
    assert.equal("5", show(codec.number(5)))
    assert.equal("null", show(codec.bare "absent"))
    assert.equal('"a\\"b"', show(text 'a"b'))
    assert.equal('{"a":[1,true]}', show(packed "\129\161a\146\1\195"))
  end)

  it("has numbers that JSON cannot hold, in quotes if it must be valid", function()
    for number, shown in pairs { [1 / 0] = "Infinity", [-1 / 0] = "-Infinity" } do
      assert.equal(shown, show(codec.number(number)))
      assert.equal('"' .. shown .. '"', show(codec.number(number), "", true))
    end
    assert.equal("NaN", show(codec.number(0 / 0)))
    assert.equal('["NaN"]', show((packed "\145\203\127\248\0\0\0\0\0\0"), "\145\203\127\248\0\0\0\0\0\0", true))
  end)

  it("has the bytes that are not UTF-8 as numbers, and all others as they are", function()
    assert.equal('"\\\\xff"', show(text "\255"))
    assert.equal('"\195\164\\\\xc3x\\n"', show(text "\195\164\195x\n"))
    assert.equal('"\\\\xf0\\\\x9f"', show(text "\240\159"))
    assert.equal('"\240\159\152\128\\\\xed\\\\xa0\\\\x80"', show(text "\240\159\152\128\237\160\128"))
  end)

  it("has keys of any kind as texts", function()
    assert.equal('{"1":2,"true":3,"[4,\\"a\\"]":5,"\\\\xff":6}', show(packed "\132\1\2\195\3\146\4\161a\5\161\255\6"))
  end)

  it("ends where the bytes are damaged, and is a document all the same", function()
    for _, bytes in ipairs { "\146\161\255\193", "\130\161\255\1\193\5", ("\145"):rep(80) .. "\1", "\145\161", "", "\145\199\1\5\9", "\129\193\1" } do
      local shown = show((packed(bytes)), bytes, true)
      assert.is_true(#bytes > 70 or is_read(shown), shown)
    end
    assert.equal('["(a msgpack extension)",1]', show(packed "\146\199\1\5\9\1"))
  end)
end)
