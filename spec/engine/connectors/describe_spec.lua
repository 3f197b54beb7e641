local ffi = require "ffi"
local C = require "support.engine"

local function names_of(kind)
  local names = {}
  for index = 0, C.connector_count(kind) - 1 do names[index + 1] = ffi.string(C.connector_name(kind, index)) end
  return names
end

local function index_of(kind, name)
  for index, known in ipairs(names_of(kind)) do
    if known == name then return index - 1 end
  end
  error("no connector " .. name)
end

local function option_names(kind, name)
  local names, spec = {}, C.connector_options(kind, index_of(kind, name))
  while spec ~= nil and spec.name ~= nil do
    names[ffi.string(spec.name)] = spec.type
    spec = spec + 1
  end
  return names
end

describe("the description of connectors", function()
  it("lists each name once for a kind", function()
    for _, kind in ipairs { C.CONNECTOR_SOURCE, C.CONNECTOR_SINK, C.CONNECTOR_FORMAT } do
      local seen = {}
      for _, name in ipairs(names_of(kind)) do
        assert.is_nil(seen[name], name)
        seen[name] = true
      end
      assert.is_truthy(next(seen))
    end
  end)

  it("gives help and options of a source", function()
    assert.is_true(#ffi.string(C.connector_help(C.CONNECTOR_SOURCE, index_of(C.CONNECTOR_SOURCE, "sequence"))) > 0)
    local options = option_names(C.CONNECTOR_SOURCE, "sequence")
    assert.equal(C.OPTION_INTEGER, options.from)
    assert.equal(C.OPTION_INTEGER, options.to)
    assert.equal(C.OPTION_NUMBER, options.rate)
  end)

  it("tells the two directions of one name apart", function()
    assert.is_truthy(option_names(C.CONNECTOR_SOURCE, "file").path)
    assert.is_nil(option_names(C.CONNECTOR_SOURCE, "file").dir)
    assert.is_truthy(option_names(C.CONNECTOR_SINK, "file").dir)
    assert.is_nil(option_names(C.CONNECTOR_SINK, "file").path)
  end)

  it("knows who takes a format, who replays and who writes exactly once", function()
    assert.is_true(C.connector_has_format(C.CONNECTOR_SOURCE, index_of(C.CONNECTOR_SOURCE, "file")))
    assert.is_false(C.connector_has_format(C.CONNECTOR_SOURCE, index_of(C.CONNECTOR_SOURCE, "sequence")))
    assert.is_false(C.connector_has_format(C.CONNECTOR_FORMAT, index_of(C.CONNECTOR_FORMAT, "json")))
    assert.is_true(C.connector_replayable(index_of(C.CONNECTOR_SOURCE, "file")))
    assert.is_false(C.connector_replayable(index_of(C.CONNECTOR_SOURCE, "stdin")))
    assert.is_true(C.connector_exactly_once(index_of(C.CONNECTOR_SINK, "file")))
    assert.is_false(C.connector_exactly_once(index_of(C.CONNECTOR_SINK, "stdout")))
  end)
end)
