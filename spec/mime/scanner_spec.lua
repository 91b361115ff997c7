local core = require "smtpsec.core"

local function facts(...)
  local scanner = core.scanner()
  for _, piece in ipairs { ... } do scanner:update(piece) end
  return scanner:facts()
end

describe("the scanner", function()
  it("knows nothing of an empty body", function()
    assert.same({ size = 0, canonical = 0, longest = 0, escapes = 0, eight_bit = false, nul = false, fragile = false,
      open = false }, facts())
  end)

  it("measures lines and what their ends become", function()
    local found = facts("ab\r\nabc\rabcd\nabcde")
    assert.equal(5, found.longest)
    assert.equal(18, found.size)
    assert.equal(#"ab\r\nabc\r\nabcd\r\nabcde", found.canonical)
    assert.is_true(found.open)
    assert.is_false(facts("x\r").open)
    assert.equal(3, facts("x\r").canonical)
    assert.equal(6, facts("\r\r\n\n").canonical)
  end)

  it("sees 8-bit octets, NUL and what has to be escaped", function()
    assert.is_true(facts("é").eight_bit)
    assert.is_false(facts("e").eight_bit)
    assert.is_true(facts("a\0b").nul)
    assert.equal(5, facts("a\t =\27é\127\r\n").escapes)
  end)

  it("sees what relays alter", function()
    for _, fragile in ipairs { "a \n", "a\t\r\nb", "a ", "From x", "x\rFrom x", "x\nFrom " } do
      assert.is_true(facts(fragile).fragile, fragile)
    end
    for _, sound in ipairs { "a b", "Fromage", " From x", "x From x", "From\nFrom", "FromFrom " .. "x" } do
      assert.is_false(facts(sound).fragile, sound)
    end
  end)

  it("sees the same at every split", function()
    local text = "From me\r\n \r\nab=\r\n\rcde\n\nFrom\r\né\0 \tFrom y \rz"
    local whole = facts(text)
    for at = 0, #text do
      assert.same(whole, facts(text:sub(1, at), text:sub(at + 1)))
    end
    local scanner = core.scanner()
    for i = 1, #text do scanner:update(text:sub(i, i)) end
    assert.same(whole, scanner:facts())
  end)
end)
