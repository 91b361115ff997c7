local frames = require "smtpsec.sink.frames"

local values = {
  true, false, 0, -1, 587, 0.1, 2 ^ 53, 1e300, "", "a", "\0\r\n{}:;", ("x"):rep(70000), {}, { 1, 2, 3 },
  { a = { b = { c = "deep" } }, [1] = "one", [2.5] = false, [true] = "yes" },
}

describe("frames", function()
  it("carry every plain value, one by one and in a row", function()
    local all = {}
    for i, value in ipairs(values) do
      local reader = frames.reader()
      all[i] = frames.encode(value)
      reader:feed(all[i])
      local whole, read = reader:next()
      assert.is_true(whole)
      assert.same(value, read)
      assert.is_false((reader:next()))
    end
    local reader = frames.reader()
    reader:feed(table.concat(all))
    for _, value in ipairs(values) do assert.same(value, select(2, reader:next())) end
    assert.is_false((reader:next()))
  end)

  it("come whole, however they were cut", function()
    local wire = frames.encode { "a", b = 1 } .. frames.encode(nil) .. frames.encode "end"
    local reader, got = frames.reader(), {}
    for i = 1, #wire do
      reader:feed(wire:sub(i, i))
      local whole, value = reader:next()
      if whole then got[#got + 1] = value == nil and "nil" or value end
    end
    assert.same({ { "a", b = 1 }, "nil", "end" }, got)
  end)
end)
