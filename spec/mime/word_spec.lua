-- Encoded words, as they stand in fields of unstructured text.

local header = require "smtpsec.mime.header"

-- The words of a field that consists of nothing else, after a name of so many characters.
local function words(s, name_length)
  local line = header.text(("X"):rep(name_length or 1), s)
  local all = {}
  for word in line:match("^X+:(.*)\r\n$"):gsub("\r\n ", " "):gmatch("[^ ]+") do all[#all + 1] = word end
  return all, line
end

local function decode_b(s)
  local alphabet, bits, out = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 0, {}
  local held = 0
  for character in s:gmatch("[^=]") do
    held, bits = held * 64 + alphabet:find(character, 1, true) - 1, bits + 6
    if bits >= 8 then
      bits = bits - 8
      out[#out + 1] = string.char(math.floor(held / 2 ^ bits))
      held = held % 2 ^ bits
    end
  end
  return table.concat(out)
end

local function decode(encoded)
  local encoding, payload = encoded:match("^=%?UTF%-8%?([BQ])%?([^? ]+)%?=$")
  if encoding == "B" then return decode_b(payload) end
  return (payload:gsub("_", " "):gsub("=(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

describe("an encoded word", function()
  it("is needed where a header would not show the text as typed", function()
    for _, s in ipairs { "é", "=?", "x=?utf-8?Q?y?=", "\194\160", "x=?" } do
      assert.equal(s, decode(words(s)[1]))
    end
    for _, s in ipairs { "plain", "a=b?", "?=", "=", "==", "x=" } do assert.same({ s }, (words(s))) end
  end)

  it("takes the shorter encoding", function()
    assert.same({ "=?UTF-8?Q?plainplain=C3=A9_plainplain=C3=A9?=" }, (words("plainplainé plainplainé")))
    assert.same({ "=?UTF-8?B?5pel5pys6Kqe?=" }, (words("日本語")))
    assert.same({ "=?UTF-8?Q?resum=C3=A9?=", "con", "leche" }, (words("resumé con leche")))
  end)

  it("escapes in Q what a phrase could not hold", function()
    for character in ('"()<>@,;:\\[]._=?'):gmatch(".") do
      local escaped = string.format("=%02X", character:byte())
      assert.same({ "=?UTF-8?Q?plainplain=C3=A9" .. escaped .. "z?=" }, (words("plainplainé" .. character .. "z")))
    end
    assert.same({ "=?UTF-8?Q?=C3=A9azAZ09!*+/-?=" }, (words("éazAZ09!*+/-")))
  end)

  it("holds whole graphemes", function()
    for grapheme, held in pairs {
      ["👨\u{200D}👩\u{200D}👧\u{200D}👦"] = 1, ["🇯🇵"] = 5, ["e\u{301}"] = 15, ["\u{1112}\u{1161}\u{11AB}"] = 5,
      ["👍🏽"] = 5, ["க்"] = 7, ["कि"] = 7, ["น้ำ"] = 5,
      ["क्षि"] = 3, ["क्\u{200D}ष"] = 3, ["ក្ក"] = 5, ["က္က"] = 5,
    } do
      for lead = 0, 9 do
        local all, text = {}, ("日"):rep(lead) .. grapheme:rep(20)
        for i, encoded in ipairs((words(text))) do all[i] = decode(encoded) end
        assert.equal(text, table.concat(all))
        for i = 2, #all do
          assert.equal("", (all[i]:gsub(grapheme, "")), text) -- nothing but whole ones
          assert.is_true(#all[i] <= held * #grapheme)
        end
      end
    end
  end)

  it("holds characters of a grapheme that is longer than a word, and loses none", function()
    local text, all = "a" .. ("\u{301}"):rep(100) .. "b", {}
    for i, encoded in ipairs((words(text))) do all[i] = decode(encoded) end
    assert.equal(text, table.concat(all))
    assert.is_true(#all > 4)
    for i = 2, #all do assert.is_nil(all[i]:find("^[\128-\191]")) end
  end)

  it("is B where a grapheme would not fit into Q", function()
    local family = "👨\u{200D}👩\u{200D}👧\u{200D}👦"
    assert.is_truthy(words(("plain"):rep(20) .. family)[1]:find("=?UTF-8?B?", 1, true))
    assert.is_truthy(words(("plain"):rep(20) .. "👍🏽")[1]:find("=?UTF-8?Q?", 1, true))
  end)

  it("is of at most the room there is, holds whole characters, and loses none", function()
    local texts = { ("é"):rep(60), ("日"):rep(50), ("x日"):rep(40), "😀" .. ("😀a"):rep(30), ("é a "):rep(40) .. "é" }
    for _, text in ipairs(texts) do
      for length = 1, header.LONGEST_NAME do
        local all, line = words(text:gsub(" ", "_"), length)
        local decoded = {}
        for i, encoded in ipairs(all) do
          assert.is_true(#encoded <= 75)
          decoded[i] = decode(encoded)
          assert.is_nil(decoded[i]:find("^[\128-\191]"))
        end
        assert.equal((text:gsub(" ", "_")), table.concat(decoded))
        for part in line:gmatch("(.-)\r\n") do assert.is_true(#part <= 76) end
      end
    end
  end)
end)
