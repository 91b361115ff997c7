--- people: who sends and who receives.
local cases = {}

local function case(name, given, want, needs)
  cases[#cases + 1] = { name, given = given, want = want, needs = needs }
end

local function box(name, address) return { name = name, address = address } end

-- A name, as author and as recipient.
local function name(what, value)
  case("a name " .. what, { from = { name = value, address = "a@example.com" },
    to = { { name = value, address = "b@example.org" }, "c@example.org" } })
end

name("of atoms", "Jane Doe")
name("with a dot", "Jane Q. Doe")
name("with a comma", "Doe, Jane")
name("with quotes", 'Jane "JD" Doe')
name("that is quotes", '""')
name("with backslashes", "back\\slash\\\\")
name("with an at sign", "jane@example.net")
name("with parentheses", "Jane (sales)")
name("with brackets", "Jane <jane> [x]")
name("with a colon and a semicolon", "Team: a; b")
name("with an apostrophe", "O'Brien-Smith")
name("in Japanese", "山田 太郎")
name("in Japanese, long", ("長い名前"):rep(20))
name("in Latin letters with accents and a comma", "Gonçalves, Érico")
name("with emoji", "Jane 👩\u{200D}💻 Doe")
name("of families", ("👨\u{200D}👩\u{200D}👧\u{200D}👦"):rep(6))
name("with combining characters", ("Jose\u{301} "):rep(12) .. "x")
name("from right to left", "משה כהן")
name("that looks like an encoded word", "=?utf-8?Q?typed?=")
name("with spaces around it", "  Jane  ")
name("with two spaces inside", "Jane  Doe")
name("of one dot", ".")
name("of one very long word", ("x"):rep(400))
name("of one longer word", ("x"):rep(900))
name("of many words", ("long name "):rep(30) .. "end")
name("of many words that must be quoted", ("long, name "):rep(20) .. "end")
name("like a URL", "https://example.com/?a=b&c=d")
name("of digits", "12345")

case("an address in brackets", { from = "<a@example.com>", to = "  <b@example.org>  " },
  { from = { "a@example.com" }, to = { "b@example.org" } })
case("addresses in one string", { to = 'a@example.org, "Quoted, Name" <b@example.org>,C <c@example.org>' },
  { to = { "a@example.org", box("Quoted, Name", "b@example.org"), box("C", "c@example.org") } })
case("addresses in a list of all forms", { to = { "a@example.org", "B <b@example.org>",
  box("C, D", "c@example.org") } },
  { to = { "a@example.org", box("B", "b@example.org"), box("C, D", "c@example.org") } })
case("quoted local parts", { to = { { address = '"john doe"@example.org' }, { address = '"a>b,c \\" @x"@example.org' },
  } })
case("address literals", { to = { "a@[192.0.2.1]", "b@[IPv6:2001:db8::1]" } })
case("every character of an atom", { to = "!#$%&'*+/=?^_`{|}~-.x@example.org" })
case("subaddresses", { to = { "jane+tag=x@example.org", "jane--x@example.org" } })
case("domains of one label, of digits, and as A-labels", { to = { "a@localhost", "b@123.example",
  "c@xn--r8jz45g.example" } },
  { mailparser = { to = { "a@localhost", "b@123.example", "c@例え.example" } } })
case("the longest local part and a long domain", { from = { name = "X", address = ("l"):rep(64) .. "@" .. ("d"):rep(60)
  .. "." .. ("e"):rep(60) .. "." .. ("f"):rep(60) } })
case("upper case, which is kept", { to = "Jane.DOE@Example.ORG" })
case("two authors and a sender", { from = { "a@example.com", box("B", "b@example.com") },
  sender = box("C", "c@example.com") },
  { from = { "a@example.com", box("B", "b@example.com") } })
case("an author who is the sender", { from = "a@example.com", sender = "a@example.com" }, { sender = {} })
case("a sender of another name", { sender = box("送信者", "sender@example.com") })
case("replies to one", { reply_to = box("Help", "help@example.com") })
case("replies to several", { reply_to = { "a@example.com", box("Ü, B", "b@example.com"), "c@example.com" } })
case("replies to whom a string says", { reply_to = "Help <help@example.com>, help2@example.com" },
  { reply_to = { box("Help", "help@example.com"), "help2@example.com" } })
case("cc and bcc", { cc = { "c@example.org", box("D", "d@example.org") }, bcc = { "secret@example.org" } },
  { secret = "secret@example.org" })
case("bcc alone", { to = {}, bcc = box("Hidden", "secret@example.org") }, { secret = "secret@example.org" })
case("recipients of the envelope alone", { to = {}, envelope = { to = "secret@example.org" } },
  { secret = "secret@example.org" })
case("the null sender", { envelope = { from = "" } })
case("the same recipient twice", { to = { "a@example.org", box("A", "A@example.org"), "a@EXAMPLE.org" } })

local function many(count, named)
  local all = {}
  for i = 1, count do
    local address = ("user%d@example%d.org"):format(i, i % 7)
    all[i] = named and box(i % 3 == 0 and "名前 " .. i or "User, " .. i, address) or address
  end
  return all
end
case("three hundred recipients with names", { to = many(300, true) })
case("two thousand recipients", { to = many(2000) })
case("a hundred in to and a hundred in cc", { to = many(100), cc = many(100, true) })

case("a group", { to = { { group = "Team", members = { "a@example.org", box("B, C", "b@example.org") } } } },
  { to = { "a@example.org", box("B, C", "b@example.org") }, groups = { To = { { name = "Team", members = 2 } } } })
case("a group in a string", { to = "Team: a@example.org, B <b@example.org>;, c@example.org" },
  { to = { "a@example.org", box("B", "b@example.org"), "c@example.org" },
    groups = { To = { { name = "Team", members = 2 } } } })
case("undisclosed recipients", { to = "undisclosed-recipients:;", bcc = { "secret@example.org" } },
  { to = {}, groups = { To = { { name = "undisclosed-recipients", members = 0 } } }, secret = "secret@example.org" })
case("a group with a name in Japanese", { cc = { { group = "営業部, 東京", members = { "a@example.org" } },
  "z@example.org" } },
  { cc = { "a@example.org", "z@example.org" }, groups = { Cc = { { name = "営業部, 東京", members = 1 } } } })
case("two groups, one of them empty", { to = 'A: a@example.org; , "B, b":;' },
  { to = { "a@example.org" }, groups = { To = { { name = "A", members = 1 }, { name = "B, b", members = 0 } } } })
case("replies to a group", { reply_to = "Help: a@example.com, b@example.com;" },
  { reply_to = { "a@example.com", "b@example.com" }, groups = { ["Reply-To"] = { { name = "Help", members = 2 } } } })
case("a group of a hundred", { to = { { group = "Everybody", members = many(100, true) } } },
  { to = many(100, true), groups = { To = { { name = "Everybody", members = 100 } } } })

case("an address in UTF-8", { to = { "pelé@example.org", box("用户", "用户@example.com") } }, nil, "SMTPUTF8")
case("an author in UTF-8", { from = box("Pelé", "pelé@example.com"), subject = "olé" }, nil, "SMTPUTF8")

return cases
