-- SASLprep (RFC 4013): user names and passwords as both ends must write them.
local prepare = require "smtpsec.saslprep".prepare
local process = require "spec.support.process"

describe("SASLprep", function()
  for given, expected in pairs {
    -- RFC 4013, section 3
    ["I\194\173X"] = "IX", ["user"] = "user", ["USER"] = "USER", ["\194\170"] = "a", ["\226\133\168"] = "IX",
    -- mapped to a space, and to nothing (2.1)
    ["a\194\160b"] = "a b", ["a\227\128\128b"] = "a b", ["a\226\128\139b"] = "a b", ["\239\187\191x"] = "x",
    -- composed (2.2)
    ["pa\204\136ssword"] = "pässword", ["ünal"] = "ünal", ["ﬁ"] = "fi", ["Ａ１"] = "A1", ["한글"] = "한글",
    -- longer than what it was
    ["\239\183\186"] = "صلى الله عليه وسلم",
    -- from the right (2.4)
    ["\216\167"] = "\216\167", ["\216\1671\216\168"] = "\216\1671\216\168", ["שלום"] = "שלום",
    -- not assigned in Unicode 3.2 (2.5)
    ["😀 \240\159\166\138"] = "😀 \240\159\166\138", ["ẞ"] = "ẞ",
    -- as they are
    ["Straße=,\\\""] = "Straße=,\\\"", [" x "] = " x ", ["日本語"] = "日本語",
  } do
    it(("makes %s of %s"):format(expected, given), function()
      assert.same({ expected }, { prepare(given) })
      assert.same({ expected }, { prepare(expected) })
    end)
  end

  local prohibited = "it has a character that may not be in it (RFC 4013, 2.3)"
  for given, words in pairs {
    ["secret\7"] = prohibited, ["secret\n"] = prohibited, ["secret\127"] = prohibited,
    ["secret\194\133"] = prohibited, ["secret\226\128\168"] = prohibited, ["secret\239\191\189"] = prohibited,
    ["secret\238\128\128"] = prohibited, ["secret\226\128\174"] = prohibited, ["secret\239\191\191"] = prohibited,
    ["secret\243\160\129\129"] = prohibited,
    ["\216\1671"] = "it is written from the right, but does not begin and end so (RFC 4013, 2.4)",
    ["secret\216\167"] = "it mixes writing from the left and from the right (RFC 4013, 2.4)",
    ["secret\0"] = "it contains a NUL",
    ["secret\255"] = "it is not valid UTF-8", ["secret\195"] = "it is not valid UTF-8",
    ["secret\192\128"] = "it is not valid UTF-8", ["secret\237\160\128"] = "it is not valid UTF-8",
    ["secret\244\144\128\128"] = "it is not valid UTF-8",
    [""] = "it has nothing in it that counts (RFC 4013, 2.1)",
    ["\194\173"] = "it has nothing in it that counts (RFC 4013, 2.1)",
    [("x"):rep(9217)] = "it is too long",
  } do
    it("refuses what cannot be written so, and does not show it: " ..
      given:sub(1, 12):gsub(".", function(c) return ("%02x"):format(c:byte()) end), function()
      assert.same({ nil, words }, { prepare(given) })
    end)
  end

  it("has room for what grows most", function()
    local longest = ("\239\183\186"):rep(3072)
    assert.equal(3072 * 33, #prepare(longest))
    assert.equal(9216, #prepare(("x"):rep(9216)))
  end)

  it("takes text, and nothing else", function()
    assert.has_error(function() prepare() end)
    assert.has_error(function() prepare {} end)
  end)

  -- The library is only for those who have a name or a password that is not ASCII.
  it("brings libidn along by itself: the engine does without", function()
    local function needed(name)
      local path = assert(package.searchpath(name, package.cpath))
      return process.run("readelf -d " .. process.quote(path)):find("libidn", 1, true) ~= nil
    end
    assert.is_true(needed "smtpsec.saslprep")
    assert.is_false(needed "smtpsec.core")
    assert.is_false(needed "smtpsec.sock")
  end)
end)
