-- A peer's bytes made fit for a log or a terminal.
local core = require "smtpsec.core"

describe("printable text", function()
  local function becomes(expected, given)
    assert.equal(expected, core.printable(given))
  end

  it("is left as it is", function()
    for _, text in ipairs { "", "plain text", "~!@#$%^&*()", "監視 ünïcödé 😀", "a\\b", "\194\160" } do
      becomes(text, text)
    end
  end)

  it("is one line", function()
    becomes("a b  c", "a\nb\r\nc")
    becomes("a b", "a\tb")
  end)

  it("shows controls instead of obeying them", function()
    becomes("\\x1B[2J\\x07", "\27[2J\7")
    becomes("a\\x00b\\x7F", "a\0b\127")
    becomes("\\xC2\\x9B31m", "\194\155" .. "31m") -- U+009B, the CSI of eight-bit terminals
    becomes("\\xC2\\x85", "\194\133")
    for byte = 0, 31 do
      local c = string.char(byte)
      becomes(c:find "[\t\r\n]" and " " or ("\\x%02X"):format(byte), c)
    end
  end)

  it("shows what would change the order of text, or not show at all", function()
    for text in pairs {
      ["\226\128\174"] = "right-to-left override", ["\226\128\170"] = "embedding", ["\226\129\166"] = "isolate",
      ["\226\128\139"] = "zero width space", ["\226\128\143"] = "right-to-left mark", ["\239\187\191"] = "BOM",
      ["\226\128\168"] = "line separator", ["\226\129\160"] = "word joiner", ["\194\173"] = "soft hyphen",
      ["\243\160\128\129"] = "tag", ["\216\156"] = "Arabic letter mark",
    } do
      becomes(text:gsub(".", function(c) return ("\\x%02X"):format(c:byte()) end), text)
    end
  end)

  it("shows what is not UTF-8", function()
    becomes("\\xFF\\x80é\\xC3", "\255\128é\195")
    becomes("\\xED\\xA0\\x80", "\237\160\128")
    becomes("\\xC0\\x8A", "\192\138")
  end)

  it("is cut at a character, and says so", function()
    becomes(("x"):rep(499), ("x"):rep(499))
    becomes(("x"):rep(496) .. "...", ("x"):rep(500))
    becomes(("x"):rep(496) .. "...", ("x"):rep(100000))
    becomes(("x"):rep(495) .. "...", ("x"):rep(495) .. "監監")
    becomes(("x"):rep(496) .. "監", ("x"):rep(496) .. "監")
    becomes(("x"):rep(494) .. "...", ("x"):rep(494) .. "\27\27")
    becomes(("監"):rep(165) .. "...", ("監"):rep(1000))
    becomes(("\\x1B"):rep(124) .. "...", ("\27"):rep(124) .. "abcd")
  end)

  it("never grows without bound, and is always UTF-8", function()
    math.randomseed(7)
    for _ = 1, 500 do
      local bytes = {}
      for i = 1, math.random(0, 300) do
        bytes[i] = string.char(math.random(0, 255))
      end
      local text = core.printable(table.concat(bytes))
      assert.is_true(#text <= 499)
      assert.is_true(core.utf8_valid(text))
      assert.is_nil(text:find "%c")
    end
  end)
end)
