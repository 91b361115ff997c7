-- The right server's wrong port, another service's port, and greetings that mean to be more than a greeting.
local talk = require "spec.support.talk"

describe("a port", function()
  local good, tls

  setup(function()
    local _
    _, good, tls = talk.pki()
  end)

  local function mode(name)
    return { mode = name, ca_file = tls.ca_file }
  end

  describe("that begins in clear", function()
    it("is found out at once by who expects TLS, and the advice names the mode", function()
      local seen = talk.send({ "S: 220 mail.test ESMTP", { drain = true } },
        talk.login { tls = mode "implicit", timeout = 30 })
      talk.refused(seen, { kind = "tls", stage = "tls", reason = "peer does not speak TLS", temporary = false })
      talk.no_login(seen)
      assert.matches('tls = "starttls"', seen.err.hint, 1, true)
      assert.is_true(seen.seconds < 2)
      assert.equal("\22\3", seen.peer.received:sub(1, 2)) -- the ClientHello, and no word of SMTP
      assert.is_nil(seen.peer.received:find("EHLO", 1, true))
    end)

    it("serves who uses the mode that was advised", function()
      talk.accepted(talk.send({ talk.hello "STARTTLS", talk.starttls(good), talk.mail(), talk.bye() },
        { tls = mode "starttls" }))
    end)
  end)

  describe("that begins with TLS", function()
    for _, name in ipairs { "starttls", "opportunistic", "none" } do
      it("stays silent for who expects a greeting in clear, and the advice names the mode: " .. name, function()
        local seen = talk.send({ talk.tls(good), talk.hello() },
          { tls = name == "none" and name or mode(name), timeout = { greeting = 0.2 } })
        talk.refused(seen, { kind = "timeout", stage = "greeting", temporary = true })
        assert.matches('tls = "implicit"', seen.err.hint, 1, true)
        assert.equal("", seen.peer.received .. seen.peer.wire)
      end)
    end

    it("and hangs up on silence gets the same advice", function()
      local seen = talk.send({ { sleep = 0.1 }, { close = true } }, { tls = mode "starttls" })
      talk.refused(seen, { kind = "closed", stage = "greeting", temporary = true })
      assert.matches('tls = "implicit"', seen.err.hint, 1, true)
    end)

    it("and sends an alert in place of a greeting is found out at once", function()
      local seen = talk.send({ { send = "\21\3\3\0\2\2\40" }, { drain = true } }, { tls = mode "starttls" })
      talk.refused(seen, { kind = "protocol", stage = "greeting", reason = "peer speaks TLS" })
      assert.equal("", seen.peer.received)
    end)

    it("serves who uses the mode that was advised", function()
      talk.accepted(talk.send({ talk.tls(good), talk.hello(), talk.mail(), talk.bye() }, { tls = mode "implicit" }))
    end)
  end)

  describe("of another service is found out at the greeting, and nothing is said to it:", function()
    for name, greeting in pairs {
      HTTP = "HTTP/1.1 400 Bad Request\r\n\r\n", POP3 = "+OK ready\r\n", IMAP = "* OK ready\r\n",
      ["IMAP, logged in"] = "* PREAUTH ready\r\n", SSH = "SSH-2.0-OpenSSH_9\r\n",
    } do
      it(name, function()
        local seen = talk.send({ { send = greeting }, { drain = true } }, talk.login { tls = mode "starttls" })
        talk.refused(seen, { kind = "protocol", stage = "greeting", temporary = false })
        talk.no_login(seen)
        assert.equal("", seen.peer.received)
        if not greeting:find "PREAUTH" then assert.matches("another service", seen.err.hint) end
      end)
    end
  end)

  describe("whose greeting is", function()
    for _, greeting in ipairs { "250 ready", "235 you are in", "354 send it", "221 bye", "334 " } do
      it("not 220 is left: " .. greeting, function()
        local seen = talk.send({ "S: " .. greeting, { drain = true } }, talk.login { tls = mode "starttls" })
        talk.refused(seen, { kind = "protocol", stage = "greeting", temporary = false })
        talk.no_login(seen)
        assert.equal("", seen.peer.received)
      end)
    end

    it("not 220 on each of its lines is left", function()
      local seen = talk.send({ "S: 220-mail.test", "S: 554 no", { drain = true } },
        talk.login { tls = mode "starttls" })
      talk.refused(seen, { kind = "protocol", stage = "greeting" })
      assert.equal("", seen.peer.received)
    end)

    it("220 on several lines is taken", function()
      talk.accepted(talk.send({ "S: 220-mail.test", "S: 220 ESMTP", talk.ehlo(), talk.mail(), talk.bye() }))
    end)

    for code, temporary in pairs { [421] = true, [450] = true, [554] = false, [521] = false } do
      it(("a refusal is told as one: %d"):format(code), function()
        local seen = talk.send { ("S: %d not from there"):format(code), { drain = true } }
        talk.refused(seen, { kind = "rejected", stage = "greeting", code = code, text = "not from there",
          temporary = temporary, retry_safe = true })
      end)
    end
  end)
end)
