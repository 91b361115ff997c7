local header = require "smtpsec.mime.header"
local judge = require "spec.support.judge"

local function text(value, name)
  return header.field(name or "Subject"):text(value):close()
end

-- Minimal messages around a field, judged together.
local function judged(fields)
  local messages = {}
  for i, field in ipairs(fields) do
    messages[i] = field .. "From: a@example.com\r\n\r\nx\r\n"
    assert.same({}, judge.lint(messages[i]), messages[i])
  end
  return judge.read(messages)
end

describe("unstructured text", function()
  it("stays as it is where it can", function()
    assert.equal("Subject: Hello world\r\n", text("Hello world"))
    assert.equal("Subject:\r\n", text(""))
  end)

  it("is folded at a space before 77 columns", function()
    local words = ("word "):rep(40):sub(1, -2)
    for line in text(words):gmatch("(.-)\r\n") do assert.is_true(#line <= 76) end
    assert.equal("Subject: " .. words .. "\r\n", (text(words):gsub("\r\n ", " ")))
  end)

  it("leaves a long word whole up to a line's limit, and encodes a longer one", function()
    assert.equal("Subject: x\r\n " .. ("y"):rep(900) .. "\r\n", text("x " .. ("y"):rep(900)))
    assert.equal("Subject: " .. ("y"):rep(850) .. "\r\n", text(("y"):rep(850)))
    assert.is_truthy(text(("y"):rep(901)):find("=?UTF-8?Q?yyy", 1, true))
  end)

  it("is not folded between several spaces, of which readers lose some", function()
    assert.equal("Subject: " .. ("a"):rep(66) .. "\r\n =?UTF-8?Q?_b?= c\r\n", text(("a"):rep(66) .. "  b c"))
  end)

  it("arrives exactly as typed", function()
    local values = {
      "ディスク使用率 93% を超えました", "a", " leading", "trailing ", "  both  ", "   ", "a  b", "a  日本  b", "日本 語 x 日本",
      "日本  ", "  日", "=?utf-8?Q?as_typed?=", "a =?utf-8?B?YQ==?= b", "=?utf-8?q?with space?=", "=?", "x=?y",
      "= ? =", ("日本語の長い件名です。"):rep(30), ("long words "):rep(60), ("é"):rep(200), ("é "):rep(200),
      "a " .. ("😀"):rep(60) .. " b", ("z"):rep(2000), "tail " .. ("z"):rep(998), "smile 😀",
      "Ünïcödé \"quoted\" (comment) <angle@example.com>", "a,b;c:d\\e", ("a"):rep(66) .. " é",
      ("a"):rep(67) .. "  b", ("é"):rep(3) .. (" "):rep(100) .. "x", (" "):rep(300) .. "x", "x_y_é_z", "?=",
      ("two  spaces  "):rep(20) .. "x",
    }
    local fields = {}
    for i, value in ipairs(values) do fields[i] = text(value) end
    for i, read in ipairs(judged(fields)) do assert.equal(values[i], read.subject) end
  end)

  it("arrives whatever the length of the field's name", function()
    local fields, names = {}, {}
    for length = 1, header.LONGEST_NAME do
      names[length] = ("X"):rep(length)
      fields[length] = text("日本語の件名 and more", names[length])
    end
    for i, read in ipairs(judged(fields)) do assert.same({ names[i], "日本語の件名 and more" }, read.fields[1]) end
  end)

  it("takes time in proportion to its length", function()
    local start = os.clock()
    for _, unit in ipairs { " ", "é ", "a ", "=? ", "é", "a" } do text(unit:rep(300000)) end
    assert.is_true(os.clock() - start < 60)
  end)
end)

describe("a display name", function()
  it("is written as atoms, in quotes or encoded", function()
    local function phrase(name) return header.field("X"):phrase(name):close() end
    assert.equal("X: Jane Doe\r\n", phrase("Jane Doe"))
    assert.equal("X: O'Brien-Smith\r\n", phrase("O'Brien-Smith"))
    assert.equal('X: "J. Doe"\r\n', phrase("J. Doe"))
    assert.equal('X: "say \\"hi\\" \\\\o/"\r\n', phrase('say "hi" \\o/'))
    assert.equal("X: =?UTF-8?B?55uj6KaW?=\r\n", phrase("監視"))
  end)

  it("arrives as typed", function()
    local names = {
      "Jane Doe", "J. Doe", "Doe, Jane", 'say "hi"', "back\\slash", "監視", "  spaces  ", "a  b", "a@b.c", "(x)",
      "=?utf-8?Q?x?=", ("long name "):rep(20) .. "end", ("long,"):rep(30), "Ünïcödé, <x@y>", "a:b;c",
      ("x"):rep(300), ".",
    }
    local fields = {}
    for i, name in ipairs(names) do
      fields[i] = header.field("To"):phrase(name):token("<a@example.com>"):close()
    end
    for i, read in ipairs(judged(fields)) do
      assert.same({ { name = names[i], address = "a@example.com" } }, read.addresses.To)
      assert.same({}, read.defects)
    end
  end)
end)

describe("a parameter", function()
  local function parameter(value)
    return header.field("Content-Disposition"):token("attachment"):parameter("filename", value):close()
  end

  it("is a token, a quoted string, or RFC 2231's", function()
    local start = "Content-Disposition: attachment; "
    assert.equal(start .. "filename=report.pdf\r\n", parameter("report.pdf"))
    assert.equal(start .. 'filename="a b.pdf"\r\n', parameter("a b.pdf"))
    assert.equal(start .. "filename*=UTF-8''a%22b\r\n", parameter('a"b'))
    assert.equal(start .. "filename*=UTF-8''%E6%97%A5.txt\r\n", parameter("日.txt"))
    assert.equal(start .. 'filename=""\r\n', parameter(""))
  end)

  it("arrives as typed", function()
    local names = {
      "report.pdf", "a b.pdf", 'quo"te.txt', "back\\slash", "日本語.pdf", ("長い名前"):rep(20) .. ".pdf", "a;b=c.txt",
      "it's", "100%.txt", "=?utf-8?Q?x?=.txt", ("x"):rep(255), "semi; colon", "é", "*star*", "(paren)", "a/b",
      " blanks ", "😀😀😀.png", "'", "''",
    }
    local fields = {}
    for i, name in ipairs(names) do fields[i] = parameter(name) end
    for i, read in ipairs(judged(fields)) do
      assert.equal(names[i], read.parts[1].filename)
      assert.same({}, read.defects)
    end
  end)
end)

describe("a list of addresses", function()
  it("is folded between them, thousands too", function()
    local field = header.field("To")
    for i = 1, 2000 do field:token(string.format("user%d@example.com%s", i, i < 2000 and "," or "")) end
    local read = judged { field:close() }[1]
    assert.equal(2000, #read.addresses.To)
    assert.equal("user2000@example.com", read.addresses.To[2000].address)
  end)
end)

describe("core.header", function()
  local core = require "smtpsec.core"

  it("takes the steps that it knows, with all their strings", function()
    assert.equal("X: a\r\n", core.header("X", { "token", "a" }))
    assert.equal("X: a; b=c\r\n", core.header("X", { "token", "a", "parameter", "b", "c" }))
    assert.equal("X:\r\n", core.header("X", {}))
    assert.error_matches(function() core.header("X", { "tokens", "a" }) end, "no step .* is called tokens")
    assert.error_matches(function() core.header("X", { "token" }) end, "a string expected at step 2")
    assert.error_matches(function() core.header("X", { "parameter", "a" }) end, "a string expected at step 3")
    assert.error_matches(function() core.header("X", { "token", 1 }) end, "a string expected at step 2")
    assert.error_matches(function() header.message({ to = { { name = "x" } } }, "d", nil, "<i>", "") end,
      "without its address")
    assert.equal("X: a\r\n", core.header("X", { "token", "a" })) -- nothing is left of those that failed
  end)

  it("writes the header of a message, with what there is of it in its order", function()
    local a, list = { { address = "a@b" } },
      { { address = "a@b" }, { name = "日", address = "c@d" }, { name = "E", address = "e@f" } }
    local everybody = { from = a, sender = a, reply_to = a, to = list, cc = a, bcc = a }
    assert.equal("Date: d\r\nFrom: a@b\r\nSender: a@b\r\nReply-To: a@b\r\n"
      .. "To: a@b, =?UTF-8?B?5pel?= <c@d>, E <e@f>\r\nCc: a@b\r\nSubject: =?UTF-8?B?5pel?=\r\nMessage-ID: <i@j>\r\n"
      .. "X: y\r\nMIME-Version: 1.0\r\n", header.message(everybody, "d", "日", "<i@j>", "X: y\r\n"))
    assert.equal("Date: d\r\nFrom: a@b\r\nMessage-ID: <i@j>\r\nMIME-Version: 1.0\r\n",
      header.message({ from = a, to = {} }, "d", nil, "<i@j>", ""))
    assert.error_matches(function() header.message({}, "d", nil, nil, "") end, "string expected")
  end)
end)

describe("a group in a list of addresses", function()
  local address = require "smtpsec.address"

  local function to(value)
    local people = { from = address.parse("a@b", "from"), to = address.parse(value, "to") }
    return header.message(people, "now", nil, "<i@d>", ""):match("\r\n(To:.-\r\n)Message%-ID")
  end

  it("has a name, its addresses and an end", function()
    assert.equal("To: undisclosed-recipients:;\r\n", to "undisclosed-recipients:;")
    assert.equal("To: A: a@b, C <c@d>;\r\n", to "A: a@b, C <c@d>;")
    assert.equal('To: x@y, "A, B": a@b;, N:;, z@y\r\n', to 'x@y,"A, B":a@b;,N:;,z@y')
    assert.equal("To: =?UTF-8?B?5pel?= : a@b;\r\n", to "日: a@b;") -- a blank behind an encoded word
  end)

  it("is folded like any other token", function()
    for length = 60, 80 do
      for _, rest in ipairs { ":;, z@y", ": a@b;, z@y", ":;" } do
        for _, name in ipairs { ("n"):rep(length), ("é"):rep(length) } do
          local field = to(name .. rest)
          assert.same({}, judge.lint("From: a@b\r\n" .. field .. "\r\n"), field)
        end
      end
    end
  end)

  it("takes nothing but what was read", function()
    local function write(written)
      return header.message({ to = { written = written } }, "now", nil, "<i@d>", "")
    end
    assert.is_truthy(write { { group = "G", after = ";" } }:find("\r\nTo: G:;\r\n", 1, true))
    assert.error_matches(function() write { { group = "G" } } end, "without what comes after it")
    assert.error_matches(function() write { { after = "" } } end, "without its address")
    assert.is_nil(write({}):find("To:", 1, true))
  end)
end)

describe("core.address", function()
  local core = require "smtpsec.core"

  it("reads behind a position inside the string", function()
    assert.same({ 4, "a@b", nil, "a", "b", false, false }, { core.address("a@b", 0) })
    assert.same({ 12, "c@d", "N", "c", "d", false, false }, { core.address("a@b,N <c@d>", 4) })
    assert.same({ nil, "empty", 4, 3 }, { core.address("a@b", 3) })
    assert.same({ 2, nil, "N" }, { core.address("N: a@b;", 0) })
    assert.same({ 7, "a@b", nil, "a", "b", false, false }, { core.address("N: a@b;", 2, true) })
    for _, at in ipairs { -1, 4, 0.5 } do
      assert.error_matches(function() core.address("a@b", at) end, "whole number")
    end
  end)

  it("tells where the fault is and what it is about", function()
    assert.same({ nil, "item", 1, 11, "comments in parentheses are not taken" }, { core.address("(a) b@c.def", 0) })
    assert.same({ nil, "comma", 1, 3 }, { core.address("Doe, J <j@x>", 0) })
    assert.same({ nil, "mailbox", 4, 5, "has an empty domain" }, { core.address("N <a@>", 0) })
  end)
end)
