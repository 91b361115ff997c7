local judge = require "spec.support.judge"
local message = require "smtpsec.message"
local process = require "spec.support.process"

local HEAD = "From: Jane <jane@example.com>\r\nTo: a@example.org\r\nSubject: x\r\n"
local PLAIN = HEAD .. "\r\nhello\r\n"

local function render(given, offered)
  local draft, err = message.new(given)
  if not draft then return nil, err end
  return draft:render(offered)
end

local function sent(raw, offered)
  return assert(assert(render({ raw = raw }, offered)):tostring())
end

local function refused(given, words, offered)
  if type(given) == "string" then given = { raw = given } end
  local m, err = render(given, offered)
  assert.is_nil(m)
  assert.equal("message", err.kind)
  assert.is_truthy(tostring(err):find(words, 1, true), tostring(err))
end

-- A reader that gives a string in pieces of a length.
local function reader(s, length)
  local at = 1
  return function()
    if at > #s then return nil end
    local piece = s:sub(at, at + length - 1)
    at = at + length
    return piece
  end
end

-- The message as a string, a file and readers of several paces; the same comes out of all.
local function every_way(raw, check)
  local path = process.write(os.tmpname(), raw)
  finally(function() os.remove(path) end)
  check({ raw = raw }, true)
  check({ raw = { path = path } }, true)
  for _, pace in ipairs { 1, 2, 3, 7, 100000 } do check({ raw = { reader = reader(raw, pace) } }, false) end
end

describe("a raw message", function()
  it("goes out as it is", function()
    assert.equal(PLAIN, sent(PLAIN))
    local odd = "X-Odd:no space\r\nx-lower :\tvalue  with   blanks \r\n\tfolded\r\n  twice\r\n" .. PLAIN
    assert.equal(odd, sent(odd))
    assert.equal(HEAD .. "\r\n", sent(HEAD .. "\r\n"))
    assert.equal(HEAD .. "\r\n", sent(HEAD))
    assert.equal(HEAD .. "\r\n.\r\n..\r\nFrom x \r\n", sent(HEAD .. "\r\n.\r\n..\r\nFrom x \r\n"))
  end)

  it("has its line ends mended, and the last one added", function()
    assert.equal(PLAIN, sent((PLAIN:gsub("\r\n", "\n"))))
    assert.equal(PLAIN, sent((PLAIN:gsub("\r\n", "\r"))))
    assert.equal(PLAIN, sent(PLAIN:sub(1, -3)))
    assert.equal(HEAD .. "\r\na\r\nb\r\n\r\nc\r\n", sent(HEAD .. "\n" .. "a\rb\r\n\nc"))
    assert.equal(HEAD .. "\r\n", sent(HEAD:sub(1, -3)))
  end)

  it("loses Bcc, folded or not, and nothing else", function()
    local with = "Bcc: secret@example.com,\r\n\tsecond <s2@example.com>,\r\n s3@example.com\r\n"
    local want = "From: a@b\r\nX-Bcc: stays\r\nSubject: bcc: x\r\n\r\nBcc: body@stays\r\n"
    for _, head in ipairs {
      with .. "From: a@b\r\nX-Bcc: stays\r\nSubject: bcc: x\r\n",
      "From: a@b\r\n" .. with .. "X-Bcc: stays\r\nSubject: bcc: x\r\n",
      "From: a@b\r\nX-Bcc: stays\r\nSubject: bcc: x\r\n" .. with .. "bCC : more@example.com\r\n",
    } do
      every_way(head .. "\r\nBcc: body@stays\r\n", function(given)
        local m = assert(render(given))
        assert.equal(want, m:tostring())
        assert.equal("secret@example.com", m:envelope().to[1])
        assert.equal("s3@example.com", m:envelope().to[3])
      end)
    end
    for _, nobody in ipairs { "Bcc:\r\n", "Bcc: \r\n", "bcc:\r\n \t\r\n" } do -- RFC 5322 section 3.6.3
      assert.same({ "a@example.org" }, render({ raw = nobody .. PLAIN }):envelope().to)
      assert.equal(PLAIN, sent(nobody .. PLAIN))
    end
    refused("Bcc: ,\r\n" .. PLAIN, "raw.bcc")
    local resent = "Resent-Bcc: x@y\r\n" .. PLAIN
    assert.equal(PLAIN, render({ raw = resent, envelope = { from = "a@b", to = "c@d" } }):tostring())
  end)

  it("is the same from a string, a file and a reader, and knows its size where it can", function()
    local bodies = { "", "x", "x\r\n", ("line\n"):rep(30000), "\n\n\n", "a\rb", ("y"):rep(998) .. "\n" }
    for _, content in ipairs(bodies) do
      local raw = "Bcc: b@c\n" .. HEAD .. "\n" .. content
      local want = sent(raw)
      every_way(raw, function(given, known)
        local m = assert(render(given))
        assert.equal(known and #want or nil, m:size())
        assert.equal(want, m:tostring())
      end)
    end
  end)

  it("is read by others as it was written", function()
    local raw = "From: =?utf-8?B?55uj6KaW?= <jane@example.com>\nTo: \"Doe, J\" <a@example.org>,\n b@example.org\n"
      .. "Subject: =?utf-8?Q?caf=C3=A9?=\nMessage-ID: <1@example.com>\n\nbody\n"
    local m = assert(render { raw = raw })
    assert.same({}, judge.lint(m:tostring()))
    local read = judge.read({ m:tostring() })[1]
    assert.same({}, read.defects)
    assert.equal("café", read.subject)
    assert.equal("<1@example.com>", m.id)
    assert.same({ from = "jane@example.com", to = { "a@example.org", "b@example.org" } }, m:envelope())
  end)

  it("has the envelope of its header, or the one that is given", function()
    local raw = "From: a@b\r\nSender: s@b\r\nTo: x@y, X <x@Y>\r\nCc: z@y\r\n\r\n"
    assert.same({ from = "s@b", to = { "x@y", "z@y" } }, render({ raw = raw }):envelope())
    assert.same({ from = "", to = { "q@r" } }, render({ raw = raw, envelope = { from = "", to = "q@r" } }):envelope())
    local groups = "From: a@b\r\nTo: undisclosed-recipients:;\r\n\r\n"
    refused(groups, "the recipient list is empty")
    assert.same({ from = "a@b", to = { "c@d" } },
      render({ raw = "From: a@b\r\nTo: Team: c@d;\r\n\r\n" }):envelope())
    assert.same({ from = "a@b", to = { "q@r" } }, render({ raw = groups, envelope = { to = "q@r" } }):envelope())
    refused("From: a@b, c@d\r\nTo: x@y\r\n\r\n", "raw.from: names 2 senders")
    refused("From: a@b\r\n\r\n", "raw: the recipient list is empty (give envelope = { to = … })")
    refused("Resent-To: x@y\r\n" .. PLAIN, "was sent before")
    refused({ raw = PLAIN, envelope = { from = "a@b, c@d" } }, "envelope.from: needs one address, got 2")
  end)

  it("is refused where it is no message", function()
    refused("", "raw: is empty")
    refused("\r\nhello", "begins with an empty line")
    refused("hello\r\n", "line 1 is no header field: \"hello\"")
    refused(HEAD .. "no field\r\n\r\n", "line 4 is no header field")
    refused(" folded\r\n" .. PLAIN, "line 1 is no header field")
    refused("From jane Mon Jan 1\r\n" .. PLAIN, "mailbox file")
    refused(": x\r\n" .. PLAIN, "line 1")
    refused("To: a@b\r\n\r\n", "has no From field")
    refused("From: evil@example.net\r\n" .. PLAIN, "has more than one From field")
    refused(("X: y\r\n"):rep(200000) .. PLAIN, "longer than 1048576 octets")
  end)

  it("is refused with NUL and with lines that are too long", function()
    refused("X: \0\r\n" .. PLAIN, "contains a NUL")
    refused(PLAIN .. "\0", "contains a NUL")
    refused("X: " .. ("x"):rep(996) .. "\r\n" .. PLAIN, "a line of 999 octets")
    refused(PLAIN .. ("x"):rep(999), "a line of 999 octets")
    assert.is_truthy(sent("X: " .. ("x"):rep(995) .. "\r\n" .. PLAIN .. ("x"):rep(998)))
  end)

  it("needs a server for what it holds", function()
    local eight = HEAD .. "\r\ncaf\233\r\n"
    refused(eight, "8BITMIME")
    local m = assert(render({ raw = eight }, { ["8BITMIME"] = true }))
    assert.same({ ["8BITMIME"] = true, SMTPUTF8 = false }, m:needs())
    assert.equal(eight, m:tostring())
    local header = "X: é\r\n" .. PLAIN
    refused({ raw = header }, "SMTPUTF8", { ["8BITMIME"] = true })
    m = assert(render({ raw = header }, { ["8BITMIME"] = true, SMTPUTF8 = true }))
    assert.same({ ["8BITMIME"] = true, SMTPUTF8 = true }, m:needs())
    refused({ raw = "X: \233\r\n" .. PLAIN }, "not valid UTF-8 at byte 4", { SMTPUTF8 = true })
    assert.same({ ["8BITMIME"] = false, SMTPUTF8 = false }, render({ raw = PLAIN }, { ["8BITMIME"] = true }):needs())
  end)

  it("from a file must stay the same until it is sent", function()
    local path = process.write(os.tmpname(), PLAIN)
    finally(function() os.remove(path) end)
    local m = assert(render { raw = { path = path } })
    process.write(path, PLAIN .. "more\r\n")
    local out, err = m:tostring()
    assert.is_nil(out)
    assert.is_truthy(tostring(err):find("changed while", 1, true))
    refused({ raw = { path = "/nonexistent" } }, "raw.path: cannot open")
    refused({ raw = {} }, "needs a path or a reader")
    refused({ raw = { path = path, reader = function() end } }, "needs a path or a reader")
  end)

  it("from a file that is refused leaves no file open", function()
    local path = os.tmpname()
    finally(function()
      collectgarbage "restart"
      os.remove(path)
    end)
    collectgarbage "stop" -- which would close what was left
    for _, content in ipairs { "no field\n" .. ("x\n"):rep(50000), PLAIN .. "\0" .. ("x\n"):rep(50000),
      "X: \0\r\n" .. PLAIN, "From: a@b\n\n" .. ("x\n"):rep(50000) } do
      process.write(path, content)
      refused({ raw = { path = path } }, "")
      local open = process.run("ls -l /proc/$PPID/fd")
      assert.is_nil(open:find(path, 1, true), content:sub(1, 20))
    end
  end)

  it("from a reader is judged while it passes", function()
    local function passing(content, offered)
      local m, err = render({ raw = { reader = reader(HEAD .. "\r\n" .. content, 50000) } }, offered)
      if not m then return nil, err end
      return m:tostring()
    end
    local filler = ("line\r\n"):rep(50000)
    assert.is_truthy(passing(filler))
    for content, words in pairs {
      [filler .. "\0"] = "contains a NUL", [filler .. ("x"):rep(999)] = "a line of 999 octets",
      [filler .. "\233"] = "8BITMIME",
    } do
      local out, err = passing(content)
      assert.is_nil(out)
      assert.is_truthy(tostring(err):find(words, 1, true))
    end
    local m = assert(render({ raw = { reader = reader(PLAIN .. "\233", 10) } }, { ["8BITMIME"] = true }))
    assert.is_true(m:needs()["8BITMIME"])
    assert.equal(PLAIN .. "\233\r\n", m:tostring())
    assert.is_truthy(tostring(select(2, m:tostring())):find("was read already", 1, true))
    refused({ raw = { reader = function() return nil, "broken pipe" end } }, "broken pipe")
  end)

  it("stands alone", function()
    refused({ raw = PLAIN, subject = "x" }, "subject: cannot be given beside raw")
    refused({ raw = PLAIN, bcc = "x@y" }, "bcc: cannot be given beside raw")
    refused(setmetatable({ raw = PLAIN }, { __index = { bcc = "x@y" } }), "bcc: cannot be given beside raw")
  end)
end)
