-- Proves the "msgpack" format: values one behind the other.
local ffi = require "ffi"
local C = require "support.engine"
local codec = require "support.codec"
local formats = require "support.formats"

local function decode(text) return formats.decode("msgpack", text) end

describe("the msgpack format", function()
  it("reads values one behind the other", function()
    assert.same({ "1", '{"a":"x"}', "[1,2]", "null" }, (decode "\1\129\161a\161x\146\1\2\192"))
    assert.same({}, (decode ""))
  end)

  it("steps over a whole value that is refused, and goes on behind it", function()
    local records, errors = decode "\1\212\1\2\2\130\161a\1\161a\2\3"
    assert.same({ "1", "2", "3" }, records)
    assert.truthy(errors[1].message:find "extension")
    assert.equal("\212\1\2", errors[1].bytes)
    assert.truthy(errors[2].message:find "same key twice")
  end)

  it("refuses maps with keys that no Lua table can have, at any depth", function()
    local nan = "\203\127\248" .. ("\0"):rep(6)
    for key, told in pairs { ["\192"] = "nil", [nan] = "NaN", ["\145\1"] = "a list or a map", ["\129\161a\1"] = "a list or a map" } do
      for _, map in ipairs { "\129" .. key .. "\1", "\130\161a\1" .. key .. "\1", "\145\129" .. key .. "\1", "\129\161a\129" .. key .. "\1" } do
        local records, errors = decode("\1" .. map .. "\2")
        assert.same({ "1", "2" }, records)
        assert.equal("a map has " .. told .. " as a key", errors[1].message)
        assert.equal(map, errors[1].bytes)
      end
    end
    assert.same({ '{"1":2}' }, (decode "\129\1\2"))
  end)

  it("gives up where nothing can be told apart", function()
    local records, errors = decode "\1\193\2\3"
    assert.same({ "1" }, records)
    assert.equal(1, #errors)
    assert.truthy(errors[1].message:find("nothing behind it in this file can be read", 1, true))
    records, errors = decode "\1\163ab"
    assert.same({ "1" }, records)
    assert.equal(1, #errors)
    assert.truthy(errors[1].message:find "cut short")
  end)

  it("reads the same in pieces of any size", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    local random = codec.random(seed)
    for _ = 1, 30 do
      local parts = {}
      for i = 1, 50 do parts[i] = random:msgpack() end
      local text = table.concat(parts)
      local records = decode(text)
      assert.equal(50, #records)
      assert.same(records, (formats.decode_torn("msgpack", text, random)), "seed " .. seed)
    end
  end)

  it("walks over a long value that comes in many pieces only once", function()
    local count, piece = 500000, 16384
    local text = "\221\0\7\161\32" .. ("\167element"):rep(count)
    local memory, from = ffi.new("char[?]", #text + 64, text), os.clock()
    local decoder, input, batch = assert(formats.decoder "msgpack"), ffi.new "struct decode_input", C.batch_take()
    local function decode_first(bytes)
      input.bytes.data, input.bytes.bytes, input.at_end = memory, bytes, bytes == #text
      assert.equal(0, decoder.vtab.decode(decoder.handle, input, batch, ffi.new "struct decode_error"))
    end
    decode_first(#text)
    assert.equal(1, batch.count)
    local whole = os.clock() - from
    C.batch_clear(batch)
    from = os.clock()
    for bytes = piece, #text - 1, piece do decode_first(bytes) end
    assert.equal(0, batch.count)
    decode_first(#text)
    assert.equal(1, batch.count)
    local torn = os.clock() - from
    C.batch_drop(batch)
    decoder:close()
    assert(torn < 20 * whole, ("%.3f s in one piece, %.3f s in %d"):format(whole, torn, #text / piece))
  end)

  it("writes what it reads", function()
    local batch = formats.batch { '{"a":1,"b":[1,"x"]}', "[]", "12", '"s"', "null" }
    local text = formats.encode("msgpack", batch)
    assert.equal("\130\161a\1\161b\146\1\161x\144\12\161s\192", text)
    assert.same({ '{"a":1,"b":[1,"x"]}', "[]", "12", '"s"', "null" }, (decode(text)))
  end)
end)

describe("formats", function()
  it("are found by name", function()
    local C, ffi = require "support.engine", require "ffi"
    local names, all = {}, C.format_all()
    for i = 0, 100 do
      if all[i] == nil then break end
      names[i + 1] = ffi.string(all[i].name)
      assert.equal(all[i], C.format_find(names[i + 1]))
    end
    assert.same({ "json", "csv", "lines", "msgpack" }, names)
    assert.is_true(C.format_find "xml" == nil)
  end)
end)
