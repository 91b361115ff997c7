-- What servers may say: replies of the wrong shape, without end, with more in them than text. The reader itself is
-- tried at every split in spec/engine/reply_spec.
local smtpsec = require "smtpsec"
local talk = require "spec.support.talk"

-- Nothing in it that a terminal or a log would obey.
local function assert_printable(text)
  assert.is_nil(text:find("[%c\127]"), text)
  for _, bad in ipairs { "\226\128\174", "\226\128\139", "\194\155",
    "\226\128\168" } do -- bidi, zero width, CSI, line end
    assert.is_nil(text:find(bad, 1, true), text)
  end
end

describe("a reply", function()
  local OPEN = { "S: 220 mail.test", "C: EHLO" }
  local REST = { talk.mail(), talk.bye() }

  -- Sends `bytes` as the reply to EHLO.
  local function answer(bytes, rest)
    return talk.send({ OPEN, type(bytes) == "table" and bytes or { send = bytes }, rest or { drain = true } })
  end

  local function refused(kind, bytes)
    local seen = answer(bytes)
    talk.refused(seen, { kind = kind, stage = "ehlo", temporary = false, retry_safe = true })
    assert_printable(tostring(seen.err))
    assert.equal("EHLO client.test\r\n", seen.peer.received)
    return seen
  end

  describe("of the wrong shape ends the connection:", function()
    for name, bytes in pairs {
      ["two digits"] = "25 ok\r\n", ["four digits"] = "2500 ok\r\n", ["a letter"] = "2x0 ok\r\n",
        ["no code"] = "ok\r\n",
      ["a sign"] = "+250 ok\r\n", ["a space first"] = " 250 ok\r\n", ["a dot"] = "250.ok\r\n",
        ["class 1"] = "150 wait\r\n",
      ["class 6"] = "650 ok\r\n", ["an empty line"] = "\r\n", ["LF alone"] = "250 ok\n",
        ["CR alone"] = "250 ok\r250 x\r\n",
      NUL = "250 o\0k\r\n", ["a NUL for a digit"] = "25\0 ok\r\n",
        ["other digits"] = "\217\162\217\165\217\160 ok\r\n",
      ["only a code's beginning"] = "25\r\n",
    } do
      it(name, function()
        refused("protocol", bytes)
      end)
    end
  end)

  describe("whose lines disagree ends the connection:", function()
    for name, bytes in pairs {
      ["good, then bad"] = "250-mail.test\r\n554 no\r\n", ["bad, then good"] = "554-no\r\n250 ok\r\n",
      ["another of its class"] = "250-mail.test\r\n251 ok\r\n", ["no code"] = "250-mail.test\r\nPIPELINING\r\n",
    } do
      it(name, function()
        refused("protocol", bytes)
      end)
    end
  end)

  describe("without end is cut short:", function()
    it("in a line", function()
      local seen = refused("limit", { send = "250 " .. ("x"):rep(60000), times = 1000 })
      assert.is_true(seen.peer.sent < 30e6)
      assert.is_true(seen.seconds < 2)
    end)

    it("in lines", function()
      local seen = refused("limit", { send = ("250-more of it\r\n"):rep(4000), times = 1000 })
      assert.is_true(seen.peer.sent < 30e6)
      assert.is_true(seen.seconds < 2)
    end)

    it("in long lines", function()
      refused("limit", { send = ("250-" .. ("x"):rep(2000) .. "\r\n"):rep(100) })
    end)

    it("in replies that nobody asked for", function()
      local seen = answer { send = ("250 mail.test\r\n"):rep(1000), times = 1000 }
      talk.refused(seen, { kind = "protocol", temporary = false })
      assert.is_true(seen.seconds < 2)
    end)

    it("but may be long", function()
      talk.accepted(answer("250-mail.test\r\n" .. ("250-X-" .. ("y"):rep(500) .. "\r\n"):rep(100) .. "250 ok\r\n",
        REST))
    end)
  end)

  it("is accepted as well formed when its text is empty or missing", function()
    talk.accepted(talk.send { "S: 220 ", "C: EHLO", { send = "250-\r\n250-mail.test\r\n250\r\n" }, "C: MAIL",
      { send = "250\r\n" },
      "C: RCPT", { send = "250 \r\n" }, "C: DATA", { send = "354\r\n" }, talk.END, { send = "250\r\n" },
      talk.bye() })
  end)

  it("is accepted one byte at a time", function()
    local slow = { { send = "220 mail.test\r\n", every = 0.001 }, "C: EHLO",
      { send = "250-mail.test\r\n250 PIPELINING\r\n", every = 0.001 }, "C: MAIL", "C: RCPT", "C: DATA",
      { send = "250 ok\r\n250 ok\r\n354 go\r\n", every = 0.001 }, talk.END,
      { send = "250-2.0.0 thank\r\n250 2.0.0 you\r\n", every = 0.001 }, talk.bye() }
    local seen = talk.send(slow)
    talk.accepted(seen)
    assert.equal("thank you", seen.receipt.reply.text)
  end)

  it("of several lines in one piece is taken apart", function()
    local seen = talk.send { "S: 220 mail.test", "C: EHLO", { send = "250-mail.test\r\n250 PIPELINING\r\n" },
      "C: MAIL",
      "C: RCPT", "C: DATA", { send = "250 ok\r\n250 ok\r\n354 go\r\n" }, talk.END, "S: 250 ok", talk.bye() }
    talk.accepted(seen)
  end)

  it("of an unknown number counts by its class", function()
    local seen = talk.send { "S: 220 mail.test", "C: EHLO", "S: 259 mail.test", "C: MAIL", "S: 256 ok", "C: RCPT",
      "S: 251 away", "C: DATA", "S: 354 go", talk.END, "S: 255 ok", talk.bye() }
    talk.accepted(seen)
    assert.equal(255, seen.receipt.reply.code)
  end)

  it("that is right for another command is wrong for this one", function()
    local before = { talk.hello(), "C: MAIL" }
    local after = { "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA" }
    for stage, script in pairs {
      mail = { before, "S: 354 go", { drain = true } }, data = { before, after, "S: 250 done", { drain = true } },
    } do
      local seen = talk.send(script)
      talk.failed(seen, { kind = "protocol", stage = stage, temporary = false, retry_safe = true })
      assert.is_nil(seen.peer.received:find("Subject", 1, true))
    end
    local seen = talk.send { before, after, "S: 354 go", talk.END, "S: 354 more", { drain = true } }
    talk.failed(seen, { kind = "in_doubt", stage = "final", retry_safe = false })
  end)

  it("beyond those that were asked for ends the connection", function()
    local seen = talk.send { talk.hello(), "C: MAIL", { send = "250 ok\r\n250 ok\r\n" }, { drain = true } }
    talk.failed(seen, { kind = "protocol", retry_safe = true })
    assert.is_nil(seen.peer.received:find("DATA", 1, true))
  end)

  it("is never obeyed: an address in it gets nothing", function()
    local seen = talk.send { talk.hello(), "C: MAIL", "S: 250 ok", "C: RCPT", "S: 551 try <thief@evil.test>",
      "C: RSET", "S: 250 ok", talk.bye() }
    talk.failed(seen, { kind = "rejected", stage = "rcpt", code = 551 })
    assert.is_nil(seen.peer.received:find("thief", 1, true))
  end)

  describe("with more in it than text is shown escaped:", function()
    local NASTY = "\27[2J\27]0;owned\7 \226\128\174txt.exe \194\155 \226\128\139 \226\128\168 50\255 größe 日本 "
      .. ("x"):rep(2000)

    local function assert_shown(text)
      assert_printable(text)
      assert.is_true(#text <= 500)
      assert.matches("\\x1B[2J", text, 1, true)
      assert.matches("50\\xFF größe 日本", text, 1, true)
    end

    it("in an error", function()
      local seen = talk.send { "S: 220 mail.test", "C: EHLO", "S: 450-4.7.1 " .. NASTY, "S: 450 4.7.1 and more",
        { drain = true } }
      talk.refused(seen, { kind = "rejected", stage = "ehlo", code = 450, enhanced = "4.7.1" })
      assert_shown(seen.err.text)
      assert_printable(tostring(seen.err))
      assert.is_true(#tostring(seen.err) < 1500)
    end)

    it("in what is told of a recipient, be there an error or not", function()
      local script = { talk.hello(), "C: MAIL", "S: 250 ok", "C: RCPT", "S: 550 " .. NASTY, "C: RCPT" }
      local seen = talk.send({ script, "S: 250 ok", "C: DATA", "S: 354 go", talk.END, "S: 250 ok", talk.bye() }, {},
        { to = "to@mail.test, two@mail.test" })
      assert.equal("partial", seen.receipt.status)
      assert_shown(seen.receipt.rejected[1].text)
      seen = talk.send({ script, "S: 550 " .. NASTY, "C: RSET", "S: 250 ok", talk.bye() }, {},
        { to = "to@mail.test, two@mail.test" })
      assert_shown(seen.err.rejected[1].text)
      assert_shown(seen.err.rejected[2].text)
      assert_printable(tostring(seen.err))
    end)

    it("in a receipt, and in the server's name", function()
      local name = "mail\27[31m.test"
      local seen = talk.send { "S: 220 " .. name, "C: EHLO", "S: 250 " .. name .. "\226\128\174", talk.begin(),
        talk.END, "S: 250 queued as \27[2J " .. NASTY, talk.bye() }
      talk.accepted(seen)
      assert_shown(seen.receipt.reply.text)
      assert_printable(seen.receipt.server.name)
    end)

    it("in the transcript", function()
      local texts = {}
      talk.send({ "S: 220 " .. NASTY, "C: EHLO", "S: 250-" .. NASTY, "S: 250 PIPELINING", { drain = true } }, {
        timeout = 0.3,
        on_event = function(event) texts[#texts + 1] = event.text end,
      })
      assert.equal(2, #texts)
      for _, text in ipairs(texts) do assert_shown(text) end
    end)

    it("in what the server offers, when nothing of it can be used", function()
      local seen = talk.send({ talk.hello("AUTH X\27[2J"), { drain = true } },
        talk.login { auth = { insecure_cleartext = true } })
      talk.refused(seen, { kind = "auth", stage = "auth" })
      assert_printable(tostring(seen.err))
    end)
  end)

  it("is not a pattern or a format to anybody", function()
    local seen = talk.send { "S: 220 mail.test", "C: EHLO", "S: 450 %s%n%d%%1 {names} %1", { drain = true } }
    assert.equal("%s%n%d%%1 {names} %1", seen.err.text)
    assert.matches("450 %s%n%d%%1 {names} %1", tostring(seen.err), 1, true)
    local mailer = assert(smtpsec.new { host = "mail.test", env_file = false, hello = "client.test" })
    assert.is_string(tostring(mailer))
  end)
end)
