local printable = require "smtpsec.printable"

describe("printable", function()
  it("escapes what a terminal would obey and leaves the rest", function()
    assert.equal("a\\x1B[31mb 監視", printable.text "a\27[31mb\n監視")
    assert.equal("plain", printable.text "plain")
  end)

  it("shows values by their type", function()
    assert.equal('"smtp.example.com"', printable.value "smtp.example.com")
    assert.equal("587", printable.value(587))
    assert.equal("1.5", printable.value(1.5))
    assert.equal("nan", printable.value(0 / 0))
    assert.equal("true", printable.value(true))
    assert.equal("nil", printable.value(nil))
    assert.equal("a table", printable.value {})
    assert.equal("a function", printable.value(print))
  end)

  it("shows a URL without who stands in it", function()
    assert.equal('"smtps://***@mail.test:465"', printable.value "smtps://me:hunt/er2@mail.test:465")
    assert.equal('"https://mail.test/?a=b"', printable.value "https://mail.test/?a=b")
    assert.equal('"me@mail.test"', printable.value "me@mail.test")
  end)

  it("shows one word, and not what is behind it", function()
    assert.equal('"587"', printable.word "587")
    for _, rest in ipairs { " A=b", "\rA=b", "\tA=b", ";A=b", "\\nA=b", "=b" } do
      assert.equal('"587 ..."', printable.word("587" .. rest))
    end
  end)

  it("shortens long strings, and never in the middle of a character", function()
    assert.equal('"' .. ("x"):rep(60) .. '"', printable.value(("x"):rep(60)))
    assert.equal('"' .. ("x"):rep(60) .. '..."', printable.value(("x"):rep(61)))
    assert.equal('"' .. ("x"):rep(59) .. '..."', printable.value(("x"):rep(59) .. "監視"))
  end)
end)
