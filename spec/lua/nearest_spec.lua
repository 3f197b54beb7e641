local nearest = require "moontide.nearest"

describe("nearest", function()
  local known = { "parallelism", "max_parallelism", "data", "checkpoint" }

  it("finds the name that was meant", function()
    assert.equal("parallelism", nearest.name("paralelism", known))
    assert.equal("parallelism", nearest.name("Parallelism", known))
    assert.equal("data", nearest.name("date", known))
    assert.equal("checkpoint", nearest.name("checkpiont", known))
    assert.equal("filter", nearest.name("fliter", { "flat_map", "filter" }))
  end)

  it("finds none where none is near", function()
    assert.is_nil(nearest.name("on_error", known))
    assert.is_nil(nearest.name("x", known))
    assert.is_nil(nearest.name(7, known))
    assert.is_nil(nearest.name(("x"):rep(1000), known))
  end)

  it("says what there is where none is near", function()
    assert.equal(" (did you mean 'data'?)", nearest.hint("dat", known))
    assert.equal(" (known: a, b)", nearest.hint("zzzz", { "a", "b" }))
    assert.equal(" (there are none)", nearest.hint("zzzz", {}))
  end)
end)
