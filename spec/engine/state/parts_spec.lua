local ffi = require "ffi"
local keyed = require "engine.state.keyed"
local C = keyed.C

local states = { { "count", "value" }, { "seen", "map" } }

-- Panes as windows have them: entries of key and namespace, in the key groups of the keys alone.
describe("a keyed state attached to another", function()
  local backend, open

  before_each(function() backend, open = keyed.backend(64 * 2 ^ 20), {} end)

  after_each(function()
    for i = #open, 1, -1 do open[i]:free() end
    C.backend_free(backend)
  end)

  local function pair(options)
    options = options or {}
    local main = keyed.new { states = { { "count", "value" } }, backend = backend, undo = options.undo, groups = options.groups }
    local panes = keyed.new { states = states, backend = backend, undo = options.undo, groups = options.groups, column = 40, name_spaces = true }
    C.keyed_state_attach_state(main.handle, panes.handle)
    open[#open + 1], open[#open + 2] = main, panes
    return main, panes
  end

  --- The pane of a small whole number's key and a namespace of one character, current.
  local function pane(panes, key, name_space)
    local bytes = string.char(key, 0xa1) .. name_space
    C.batch_clear(panes.batch)
    keyed.check(C.batch_key_set(panes.batch, 0, bytes, #bytes))
    panes.batch.count = 1
    keyed.check(C.keyed_state_resolve(panes.handle, panes.batch, panes.entries))
    panes.call.entries = panes.entries
    return panes:at(1)
  end

  local function fill(main, panes)
    for key = 1, 20 do
      main:key(key).count:update(key)
      for _, name_space in ipairs { "a", "b" } do
        pane(panes, key, name_space).count:update(name_space .. key)
        panes.seen:put(name_space, key)
      end
    end
  end

  local function compare(main, panes, first, last)
    local rows = 0
    for key = 1, 20 do
      local group = main:group_of(key)
      if group >= first and group <= last then
        assert.are.equal(key, main:key(key).count:value())
        for _, name_space in ipairs { "a", "b" } do
          assert.are.equal(name_space .. key, pane(panes, key, name_space).count:value())
          assert.are.equal(key, panes.seen:get(name_space))
        end
        rows = rows + 5
      end
    end
    assert.are.equal(rows, main:rows())
  end

  it("is frozen, swept, counted and restored with it, into any key groups", function()
    local main, panes = pair()
    fill(main, panes)
    assert.are.equal(100, main:rows())
    assert.is_true(main:bytes() > panes:bytes())
    local rows = { main:cut() }
    rows[2] = panes:rows_of(1)
    assert.are.equal(2, panes:epoch())
    for _, groups in ipairs { { 0, 127 }, { 0, 63 }, { 64, 127 } } do
      local again, panes_again = pair { groups = groups }
      assert(again:restore(rows))
      compare(again, panes_again, groups[1], groups[2])
    end
  end)

  it("is swept in slices: all is swept when both are", function()
    local main, panes = pair()
    fill(main, panes)
    main:freeze(1)
    while not main:sweep(7) do assert.is_false(C.keyed_state_swept(main.handle)) end
    assert.is_true(C.keyed_state_swept(panes.handle))
  end)

  it("is in every base", function()
    local main, panes = pair()
    fill(main, panes)
    main:base_begin(false)
    local steps = 1
    while not main:base_step(7) do steps = steps + 1 end
    assert.is_true(steps > 10)
    assert.is_false(C.keyed_state_base_running(main.handle))
    local again, panes_again = pair()
    assert(again:restore { main:dumped(), panes:dumped() })
    compare(again, panes_again, 0, 127)
  end)

  it("is undone and committed with it, also when only the part has changed", function()
    local main, panes = pair { undo = true }
    fill(main, panes)
    main:commit()
    assert.are.equal(0, main.call.view.undo_count)
    pane(panes, 3, "a").count:update("wrong")
    assert.is_true(main.call.view.undo_count > 0)
    main:undo()
    assert.are.equal(0, main.call.view.undo_count)
    compare(main, panes, 0, 127)
    pane(panes, 3, "a").count:update("right")
    main:commit()
    main:undo()
    assert.are.equal("right", pane(panes, 3, "a").count:value())
  end)

  it("refuses a row whose key is not of its key group", function()
    local main = pair()
    local group = (main:group_of(5) + 1) % 128
    local whole = string.char(0, group, 0, 40, 5, 0xa1) .. "a"
    local again = pair()
    local ok, message = again:restore { string.char(#whole) .. whole .. string.char(5, 1, 50, 0, 1) }
    assert.is_nil(ok)
    assert.truthy(message:find("is not of key group " .. group, 1, true), message)
    assert.are.equal(0, tonumber(C.keyed_state_failure(ffi.cast("struct keyed_state *", again.handle))))
  end)
end)
