-- Texts in other charsets than UTF-8: each reader gets what was written, or it is refused with the character that is
-- not in the charset.
local core = require "smtpsec.core"
local header = require "smtpsec.mime.header"
local judge = require "spec.support.judge"
local message = require "smtpsec.message"

local JIS = "ISO-2022-JP"
local unpack = unpack or table.unpack
local READERS = { python = judge.read, mailparser = judge.parse }

local function compose(more, offered)
  local given = { from = "a@client.test", to = "b@mail.test", text = "", charset = JIS }
  for key, value in pairs(more) do given[key] = value end
  local draft, err = message.new(given)
  if not draft then return nil, err end
  return assert(draft:render(offered or {})):tostring()
end

local function refused(more, ...)
  local made, err = compose(more)
  assert.is_nil(made)
  assert.equal("message", err.kind)
  for _, words in ipairs { ... } do assert.is_truthy(tostring(err):find(words, 1, true), tostring(err)) end
end

-- RFC 1468: a text begins in ASCII, and so it ends, each of its lines.
local function ends_in_ascii(bytes)
  for line in bytes:gmatch "[^\r\n]+" do
    local shift = "B"
    for set in line:gmatch "\27[%(%$](.)" do shift = set end
    local last = line:match ".*(\27[%(%$].)" or "\27(B"
    if last ~= "\27(B" or shift ~= "B" then return false end
  end
  return true
end

describe("a message in ISO-2022-JP", function()
  local SUBJECTS = {
    "ディスク使用率 93% を超えました", "日本", "a 日本 b", "日", ("日本語の長い件名です。"):rep(30), ("長い subject "):rep(20), "日本  ",
    "  日", "plain", "=?utf-8?Q?as_typed?=", ("ア"):rep(200), "x" .. ("字"):rep(17), "xy" .. ("字"):rep(17) .. "z",
    "〜 ― ‖", "~\\ 日", "日¥本",
  }

  -- What mailparser is known to read otherwise, Python standing for the bytes: it has Microsoft's table for JIS X 0208,
  -- takes the Roman letters of JIS X 0201 for ASCII, and undoes an encoded word in a file name too, against RFC 2231.
  local OTHERWISE = { ["〜"] = "～", ["‖"] = "∥", ["¥"] = "\\" }
  local UNDONE = { ["=?utf-8?Q?as_typed?=.txt"] = "as typed.txt" }

  local function as_read(s, reader)
    if reader == "python" then return s end
    return (s:gsub("[\194-\244][\128-\191]*", OTHERWISE))
  end

  local function leaves_of(read)
    local leaves = {}
    for _, part in ipairs(read.parts) do
      if not part.type:find "^multipart/" then leaves[#leaves + 1] = part end
    end
    return leaves
  end

  local function assert_read(subject, file, read, reader)
    subject = as_read(subject, reader)
    assert.same({}, read.defects)
    assert.equal(subject, read.subject, reader)
    assert.equal("監視", read.addresses.From[1].name)
    assert.equal(subject, read.addresses.Cc[1].name)
    local found
    for _, field in ipairs(read.fields) do found = found or (field[1] == "X-Note" and field[2]) end
    assert.equal(subject, found, reader)
    local text, html, attached = unpack(leaves_of(read))
    if reader == "python" then -- which alone tells of encodings
      -- A blank at a line's end would be lost.
      if not subject:find " $" then assert.equal("7bit", text.encoding) end
      assert.equal("7bit", html.encoding)
    end
    assert.equal(JIS:lower(), text.parameters.charset:lower())
    assert.equal(subject .. "\nabc\n" .. subject .. "\n", (text.text:gsub("\r\n", "\n")))
    assert.equal("<p>" .. subject .. "</p>", (html.text:gsub("\r?\n$", "")))
    assert.equal(reader ~= "python" and UNDONE[file] or as_read(file, reader), attached.filename, reader)
    assert.equal("日本", attached.content)
  end

  it("is read as it was written, and is 7-bit", function()
    local made, files = {}, {}
    for i, subject in ipairs(SUBJECTS) do
      files[i] = (#subject < 250 and not subject:find("\\", 1, true) and subject or "日本") .. ".txt"
      made[i] = compose { from = "監視 <a@client.test>", cc = { { name = subject, address = "c@mail.test" } },
        subject = subject, text = subject .. "\nabc\n" .. subject .. "\n", html = "<p>" .. subject .. "</p>",
        headers = { ["X-Note"] = subject }, attachments = { { content = "日本", filename = files[i] } } }
      assert.is_nil(made[i]:find "[\128-\255]")
      assert.same({}, judge.lint(made[i]))
    end
    for reader, read_all in pairs(READERS) do
      for i, read in ipairs(read_all(made)) do
        assert_read(SUBJECTS[i], files[i], read, reader)
      end
    end
  end)

  it("has words and lines that each return to ASCII, and are cut between characters", function()
    for _, subject in ipairs(SUBJECTS) do
      local made, words = compose { subject = subject, text = subject .. "\n" .. subject }, 0
      for coded in made:match "\nSubject: (.-)\r\n[%w]":gmatch "=%?ISO%-2022%-JP%?B%?(.-)%?=" do
        local bytes = core.base64_decode(coded)
        assert.is_true(ends_in_ascii(bytes))
        for double in bytes:gmatch "\27%$B([^\27]*)" do assert.equal(0, #double % 2) end
        words = words + 1
      end
      assert.equal(subject:find "[\128-\255]" ~= nil or subject:find("=?", 1, true) ~= nil, words > 0)
      assert.is_true(ends_in_ascii(made:match "\r\n\r\n(.*)$"))
    end
  end)

  it("has text that is read as it was written where it is long", function()
    local line = ("日本語の長い文章です。"):rep(3)
    local long = (line .. "\n"):rep(2000)
    local wide = ("日本語"):rep(400)
    local texts = { long, wide, wide .. long }
    for reader, read_all in pairs(READERS) do
      local read = read_all { compose { text = texts[1] }, compose { text = texts[2] }, compose { text = texts[3] } }
      for i, text in ipairs(texts) do
        local part = read[i].parts[1]
        assert.equal(text, (part.text:gsub("\r\n", "\n"):gsub("\n$", text:sub(-1) == "\n" and "\n" or "")), reader)
        if reader == "python" then assert.equal(i == 1, part.encoding == "7bit") end
      end
    end
  end)

  it("is refused with a character that ISO-2022-JP does not have: which, where, in which field", function()
    refused({ subject = "日本語の♥" }, "subject: ♥ U+2665 at byte 13 does not exist in ISO-2022-JP")
    refused({ text = "①" }, "text: ① U+2460 at byte 1 does not exist")
    refused({ text = ("日本\n"):rep(20000) .. "😀" }, "text: 😀 U+1F600 at byte 140001 does not exist")
    refused({ html = "<p>ｱ</p>" }, "html: ｱ U+FF71 at byte 4")
    refused({ to = { "x@y", "♥ <b@mail.test>" } }, "to[2]: ♥ U+2665 at byte 1")
    refused({ to = "♥: b@mail.test;" }, "to: ♥ U+2665 at byte 1")
    assert.matches("To: =%?ISO%-2022%-JP%?B%?", assert(compose { to = "日本: b@mail.test;" }))
    refused({ from = { name = "é", address = "a@b" } }, "from: é U+00E9 at byte 1")
    refused({ attachments = { { content = "", filename = "日♥.txt" } } }, "attachments[1].filename: ♥ U+2665 at byte 4")
    refused({ headers = { { "X-A", "日" }, { "X-B", "한" } } }, "headers[2]: 한 U+D55C at byte 1")
    refused({ text = "a\27$BF|\27(B" }, "text: ", "U+001B at byte 2 does not exist") -- as if it were a shift
    refused({ text = "日♥\27" }, "text: ♥ U+2665 at byte 4")
    refused({ charset = "EUC-JP", text = "\14" }, "U+000E at byte 1")
    refused({ text = "a\0" }, "NUL")
    refused({ text = "a\255" }, "not valid UTF-8 at byte 2")
    assert(compose { bcc = "♥ <c@mail.test>", text = "日" }) -- which nobody is shown
  end)
end)

describe("a message in another charset", function()
  it("is read as it was written, or refused", function()
    local texts, made, names = { ["Shift_JIS"] = "日本 ソ\n", ["EUC-JP"] = "日本\n", ["iso-8859-1"] = "Übergröße é\n",
      ["windows-1252"] = "5 € – „ü“\n", ["KOI8-R"] = "Привет\n", ["GB18030"] = "汉字 😀 é\n", ["Big5"] = "漢字\n",
      ["EUC-KR"] = "한국\n", ["us-ascii"] = "plain\n", ["utf-8"] = "日😀\n" }, {}, {}
    for name, text in pairs(texts) do
      for _, offered in ipairs { {}, { ["8BITMIME"] = true } } do
        names[#names + 1] = name
        made[#made + 1] = assert(compose({ charset = name, subject = text:sub(1, -2), text = text,
          attachments = { { content = "x", filename = text:sub(1, -2):rep(6) } } }, offered))
        assert.same({}, judge.lint(made[#made], offered))
      end
    end
    for reader, read_all in pairs(READERS) do
      for i, read in ipairs(read_all(made)) do
        local text = texts[names[i]]
        assert.same({}, read.defects)
        assert.same({ text:sub(1, -2), text, text:sub(1, -2):rep(6) },
          { read.subject, (read.parts[2].text:gsub("\r\n", "\n")), read.parts[3].filename }, names[i] .. " " .. reader)
      end
    end
    refused({ charset = "us-ascii", text = "é" }, "text: é U+00E9 at byte 1 does not exist in us-ascii")
    refused({ charset = "KOI8-R", text = "п日" }, "U+65E5 at byte 3")
  end)

  it("is not sent in one that mail cannot have", function()
    for name, words in pairs {
      ["UTF-16"] = "ASCII is not ASCII", ["UTF-7"] = "ASCII is not ASCII", ["EBCDIC-US"] = "ASCII is not ASCII",
      ["ISO-2022-KR"] = "ASCII is not ASCII", ["X-NONE"] = "not known", [""] = "no name",
      ["ISO-2022-JP//TRANSLIT"] = "no name",
      ["a\r\nb"] = "no name", ["ISO 8859-1"] = "no name", [("x"):rep(33)] = "no name", ["a\0"] = "no name",
      ["../x"] = "no name", ["-x"] = "no name",
    } do
      refused({ charset = name }, "charset: ", words)
    end
    local none, err = message.new { raw = "From: a@b\r\nTo: c@d\r\n\r\nx", charset = JIS }
    assert.is_nil(none)
    assert.matches("charset: cannot be given beside raw", tostring(err))
  end)

  it("leaves a calendar in UTF-8", function()
    local made = compose { text = "日", calendar = { method = "REQUEST",
      content = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nSUMMARY:♥\r\nEND:VCALENDAR\r\n" } }
    assert.matches("text/calendar; charset=UTF%-8", made)
  end)
end)

describe("core.charset", function()
  it("is a charset for as long as somebody has it", function()
    local set = assert(core.charset(JIS))
    assert.equal("\27$BF|\27(B", set:convert "日")
    assert.equal("", set:convert "")
    assert.same({ nil, 2, 0x2665, "♥" }, { set:convert "a♥" })
    assert.equal("\27$BF|\27(B", set:convert "日") -- nothing is left of what failed
    assert.error_matches(function() set:convert "\255" end, "not UTF%-8")
    assert.equal("X: =?ISO-2022-JP?B?GyRCRnwbKEI=?=\r\n", core.header_text("X", "日", set))
    assert.error_matches(function() core.header_text("X", "♥", set) end, "does not have")
    assert.error_matches(function() core.header("X", { "parameter", "a", "♥" }, set) end, "does not have")
    set:close()
    assert.error_matches(function() set:convert "日" end, "closed")
    assert.error_matches(function() core.header_text("X", "日", set) end, "closed")
    assert.is_true(pcall(set.close, set))
  end)

  it("writes fields whose names are long, and parameters too", function()
    local set = assert(core.charset(JIS))
    for length = 1, header.LONGEST_NAME do
      local field = core.header_text(("X"):rep(length), ("日本"):rep(20), set)
      for line in field:gmatch "(.-)\r\n" do assert.is_true(#line <= 76) end
      field = core.header(("X"):rep(length), { "parameter", ("y"):rep(length), ("日本"):rep(20) }, set)
      for line in field:gmatch "(.-)\r\n" do assert.is_true(#line <= 160) end
    end
  end)
end)
