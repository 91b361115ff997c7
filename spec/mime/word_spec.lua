local word = require "smtpsec.mime.word"

-- The words of a text, each of at most `room` characters.
local function words(s, room)
  local encoding, at, all = word.shorter(s), 1, {}
  while at <= #s do all[#all + 1], at = word.encode(s, at, encoding, room or word.LONGEST) end
  return all
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
    for _, s in ipairs { "é", "=?", "x=?utf-8?Q?y?=", "\194\128" } do assert.is_true(word.needed(s), s) end
    for _, s in ipairs { "", "plain", "a = b?", "?=" } do assert.is_false(word.needed(s), s) end
  end)

  it("takes the shorter encoding", function()
    assert.same({ "=?UTF-8?Q?caf=C3=A9_con_leche?=" }, words("café con leche"))
    assert.same({ "=?UTF-8?B?5pel5pys6Kqe?=" }, words("日本語"))
  end)

  it("escapes in Q what a phrase could not hold", function()
    assert.equal("=?UTF-8?Q?=C3=A9_=22=28=29=3C=3E=40=2C=3B=3A=5C=5B=5D=2E=5F=3D=3Fz?=",
      (word.encode('é "()<>@,;:\\[]._=?z', 1, "Q", 75)))
  end)

  it("is of at most the room there is, holds whole characters, and loses none", function()
    local texts = { ("é"):rep(60), ("日"):rep(50), ("x日"):rep(40), "😀" .. ("😀a"):rep(30), ("a "):rep(80) .. "é" }
    for _, text in ipairs(texts) do
      for room = word.SHORTEST, word.LONGEST do
        local decoded = {}
        for i, encoded in ipairs(words(text, room)) do
          assert.is_true(#encoded <= room)
          decoded[i] = decode(encoded)
          assert.is_nil(decoded[i]:find("^[\128-\191]"))
        end
        assert.equal(text, table.concat(decoded))
      end
    end
  end)

  it("is never longer than 75 characters, whatever the room", function()
    for _, encoded in ipairs(words(("日"):rep(50), 1000)) do assert.is_true(#encoded <= 75) end
  end)
end)
