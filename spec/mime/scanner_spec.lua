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

  it("sees the same whatever stands beside what it sees, and wherever", function()
    local units = { "=", "\127", "\31", "\0", "é", "\255", "\t", " ", "\n", "\r", "\r\n", "From ", "F", "xFrom ", "~",
      "!", "@", "a" }
    for _, first in ipairs(units) do
      for _, second in ipairs(units) do
        for lead = 0, 9 do
          local text = ("y"):rep(lead) .. first .. second .. ("z"):rep(9) .. "\n" .. first .. ("é"):rep(lead) .. second
          local scanner = core.scanner() -- byte by byte, no two are seen together
          for i = 1, #text do scanner:update(text:sub(i, i)) end
          assert.same(scanner:facts(), facts(text), text)
        end
      end
    end
  end)

  it("names the encoding for each kind of server", function()
    local function encodings(s) return { core.scanner():update(s):encodings() } end
    assert.same({ "7bit", "7bit" }, encodings("plain\n"))
    assert.same({ "quoted-printable", "8bit" }, encodings("mostly plain, one é\n"))
    assert.same({ "base64", "8bit" }, encodings("日本語\n"))
    assert.same({ "quoted-printable", "quoted-printable" }, encodings("-- \n"))
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
