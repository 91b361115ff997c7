--- headers: subjects, names of fields, values, dates, identifiers.
local cases = {}

local function case(name, given, want, needs)
  cases[#cases + 1] = { name, given = given, want = want, needs = needs }
end

local function subject(name, value)
  case("a subject " .. name, { subject = value })
end

local FAMILY = "👨\u{200D}👩\u{200D}👧\u{200D}👦"
local KISS = "👩🏿\u{200D}❤\u{FE0F}\u{200D}💋\u{200D}👨🏿"

subject("that is empty", "")
subject("in ASCII", "Hello, world: a = b; c?")
subject("at the border of a line", ("a"):rep(67))
subject("one above the border of a line", ("a"):rep(68))
subject("of many words", ("very long subject line "):rep(20) .. ".")
subject("of one word of 900", ("x"):rep(900))
subject("of one word of 5000", ("x"):rep(5000))
subject("of long words", ("a"):rep(200) .. " " .. ("b"):rep(300) .. " " .. ("c"):rep(890))
subject("in Japanese", "ディスク使用率 93%")
subject("in Japanese, long", ("ディスク使用率が93%を超えました。"):rep(12))
subject("of Japanese and ASCII words", ("日本語 and English, "):rep(10) .. "end")
subject("with emoji", "Done 🎉 ✅ 😀")
subject("of families, joined by zero width joiners", FAMILY:rep(12))
subject("of kisses, the longest of all emoji", KISS:rep(8))
subject("of families at every place where a line is folded", ("ä"):rep(9) .. FAMILY:rep(3) .. ("x"):rep(7)
  .. FAMILY:rep(5))
subject("of flags", ("🇯🇵🇩🇪🇧🇷🇺🇳"):rep(8))
subject("of flags behind a letter", "é" .. ("🇯🇵"):rep(30))
subject("of England's flag, a sequence of tags", "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}")
subject("of England's flags", ("🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}"):rep(6))
subject("of skin tones", ("👍🏽👋🏿"):rep(20))
subject("of keycaps", ("1\u{FE0F}\u{20E3}#\u{FE0F}\u{20E3}"):rep(15))
subject("of combining characters", ("e\u{301}o\u{308}n\u{303}"):rep(30))
subject("of letters with many marks", ("a\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}"):rep(12))
subject("of mostly ASCII with marks", ("resume\u{301} plain words "):rep(8) .. "x")
subject("of one letter with more marks than a word holds", "a" .. ("\u{301}"):rep(60))
subject("of jamo, put together by the reader", ("\u{1112}\u{1161}\u{11AB}\u{1100}\u{1173}\u{11AF}"):rep(12))
subject("of Devanagari with its vowel signs", ("कि की कु को नमस्ते "):rep(6) .. "।")
subject("of Thai with its marks", ("กำลังที่นี่น้ำ"):rep(8))
subject("of Tamil", ("தமிழ் கோப்பு "):rep(7) .. "ம்")
subject("with selectors of variation", ("葛\u{E0100}辻\u{E0101}"):rep(15))
subject("in Hebrew with points", ("שָׁלוֹם "):rep(12) .. "!")
subject("with zero width joiners between letters", ("می\u{200C}خواهم "):rep(9) .. "x")
subject("that looks like an encoded word", "=?utf-8?B?dHlwZWQ=?=")
subject("that looks like encoded words with text around", "a =?utf-8?Q?b?= =?x?= c ?= =?")
subject("with leading and trailing spaces", "  both ")
subject("with many spaces inside", "a    b     c" .. (" "):rep(40) .. "d")
subject("of spaces", "     ")
subject("with spaces at the fold", ("a"):rep(66) .. "   b")
subject("with spaces between Japanese words", "日本  語   件名 ")
subject("with a no-break space", "10\u{A0}000\u{202F}€")
subject("with everything that means something",
  "\"quoted\" (comment) <angle@example.com>, a;b:c\\d [x] @ . = _ ? * %41 '")
subject("like a header", "x Subject: y Bcc: z@example.org")

case("custom headers, repeated and in order", { headers = { { "X-One", "1" }, { "X-Two", "2" }, { "X-One", "again" },
  { "x-one", "lower case" }, { "X-Three", "日本語" }, { "X-One", "1" } } })
case("custom headers in a map", { headers = { ["X-B"] = "2", ["X-A"] = "1" } },
  { headers = { { "X-A", "1" }, { "X-B", "2" } } })
case("a custom header with an empty value", { headers = { { "X-Empty", "" }, { "X-After", "1" } } })
case("a custom header with a long text", { headers = { { "X-Long",
  ("ディスク使用率が93%を超えました。"):rep(20) } } })
case("a custom header with a token of 880", { headers = { { "X-Token", ("t"):rep(880) } } })
case("a custom header with tokens of 300", { headers = { { "X-Tokens", (("t"):rep(300) .. " "):rep(6) .. "end" } } })
case("a custom header with a token of 4000", { headers = { { "X-Token", ("t"):rep(4000) } } })
case("a custom header in JSON", { headers = { { "X-Options", '{"a":["b","c"],"d":{"e":"=?f?="},"g":"' .. ("x"):rep(200)
  .. '"}' } } })
case("a custom header with the longest name", { headers = { { ("X"):rep(50), "日本語 and more" } } })
case("comments and keywords", { headers = { { "Comments", "one" }, { "Comments", "two" }, { "Keywords", "a, b" } } })
case("references of 2 kB", { headers = { { "In-Reply-To", "<49@example.com>" },
  { "References", ("<0123456789abcdef0123456789abcdef@mail.example.com> "):rep(40) .. "<49@example.com>" } } })
case("references that are long", { headers = { { "References", "<" .. ("r"):rep(800)
  .. "@example.com> <b@example.com>" } } })
case("a header of a thousand fields", (function()
  local many = {}
  for i = 1, 1000 do many[i] = { "X-" .. i, tostring(i) } end
  return { headers = many }
end)())
for _, word in ipairs { "auto-generated", "auto-replied", "auto-notified" } do
  case("a mail that is " .. word, { auto_submitted = word }, { headers = { { "Auto-Submitted", word } } })
end
case("a message identifier that is given", { message_id = "<fixed.id@example.com>" })
case("a long message identifier", { message_id = "<" .. ("i"):rep(200) .. "@example.com>" })
case("a message identifier at an address literal", { from = "a@[192.0.2.1]" })
for name, date in pairs { ["the first"] = 0, ["one in 2025, with a fraction"] = 1763773200.75,
  ["one when clocks are set back"] = 1761440400, ["the last"] = 253402200000, ["one beyond 2038"] = 4102444800 } do
  case("a date: " .. name, { date = date })
end

return cases
