-- From the first byte to the moment when mail may be sent: connecting, the greeting, EHLO, TLS, AUTH, and what the
-- receipt says about them. What somebody in between may try there is in spec/security.
local keeper = require "spec.support.keeper"
local loop = require "spec.support.loop"
local peer = require "spec.support.peer"
local smtpsec = require "smtpsec"
local talk = require "spec.support.talk"

describe("a session", function()
  local good, tls

  setup(function()
    local _
    _, good, tls = talk.pki()
  end)

  local REST = { talk.mail(), talk.bye() }

  local function mode(name)
    return { mode = name, ca_file = tls.ca_file }
  end

  describe("begins with a connection, which", function()
    local function send(options)
      options.env_file, options.tls, options.timeout = false, "none", options.timeout or 5
      return smtpsec.send(talk.message(), options)
    end

    it("may be refused", function()
      local _, err = send { host = "127.0.0.1", port = 1 }
      assert.same({ "connect", "connect", true, true }, { err.kind, err.stage, err.temporary, err.retry_safe })
      assert.matches("nothing listens on that port", err.hint)
    end)

    it("may be to a name that there is not", function()
      local _, err = send { host = "nowhere.invalid" }
      assert.same({ "dns", "resolve", true, true }, { err.kind, err.stage, err.temporary, err.retry_safe })
      assert.matches("spelling of host", err.hint)
    end)

    it("may not be answered", function()
      local port, held = loop.hole()
      local _, err = send { host = "127.0.0.1", port = port, timeout = { connect = 0.2 } }
      assert.same({ "timeout", "connect", true, true }, { err.kind, err.stage, err.temporary, err.retry_safe })
      held[1]:close()
    end)

    it("may be to a unix socket", function()
      local path = keeper.own():new_folder "unix" .. "/lmtp"
      local script = { { send = "220 mail.test\r\n" }, { expect = "LHLO client.test" },
        { send = "250 mail.test\r\n" },
        { expect = "MAIL" }, { send = "250 ok\r\n" }, { expect = "RCPT" }, { send = "250 ok\r\n" },
          { expect = "DATA" },
        { send = "354 go\r\n" }, talk.END, { send = "250 ok\r\n" }, { expect = "QUIT" }, { send = "221 bye\r\n" } }
      local server = peer.start(script, { path = path })
      local receipt, err = smtpsec.send(talk.message(), { url = "lmtp://" .. path, env_file = false,
        hello = "client.test" })
      server:stop()
      assert.is_nil(err)
      assert.same({ "accepted", path }, { receipt.status, receipt.server.address })
    end)
  end)

  describe("introduces itself", function()
    it("by the name that was given", function()
      talk.accepted(talk.send { "S: 220 mail.test", "C: EHLO client.test\r\n", "S: 250 mail.test", REST })
      local seen = talk.send({ "S: 220 mail.test", "C: EHLO [192.0.2.1]\r\n", "S: 250 mail.test", REST },
        { hello = "[192.0.2.1]" })
      talk.accepted(seen)
    end)

    it("by a full name or an address literal where none was given", function()
      local server = talk.listen { "S: 220 mail.test", "C: EHLO ", "S: 250 mail.test", REST }
      local options = talk.options(server)
      options.hello = nil
      talk.accepted { receipt = smtpsec.send(talk.message(), options) }
      local name = talk.stop(server)[1].received:match "EHLO (%S+)\r\n"
      assert.is_truthy(name:find "^%[[%x.:IPv]+%]$" or name:find "^[%w-]+%.[%w.-]+$", name)
    end)

    -- RFC 5321 section 3.2
    for _, code in ipairs { 500, 501, 502, 504, 550 } do
      it(("with HELO where EHLO is refused for good and nothing needs it: %d"):format(code), function()
        for _, name in ipairs { "none", "opportunistic" } do
          local seen = talk.send({ "S: 220 old.test", "C: EHLO client.test", ("S: %d what?"):format(code),
            "C: HELO client.test\r\n", "S: 250 old.test", REST }, { tls = name == "none" and name or mode(name) })
          talk.accepted(seen)
          assert.equal("old.test", seen.receipt.server.name)
        end
      end)
    end

    it("not with HELO where EHLO is refused for now", function()
      local seen = talk.send { "S: 220 mail.test", "C: EHLO", "S: 451 busy", talk.bye() }
      talk.refused(seen, { kind = "rejected", stage = "ehlo", code = 451, temporary = true })
    end)

    it("not with HELO where TLS or a login are needed", function()
      local script = { "S: 220 mail.test", "C: EHLO", "S: 502 what?", { drain = true } }
      for _, options in ipairs {
        { tls = mode "starttls" }, talk.login { auth = { insecure_cleartext = true } },
        talk.login { tls = mode "opportunistic" },
      } do
        local seen = talk.send(script, options)
        talk.refused(seen, { kind = "rejected", stage = "ehlo", code = 502 })
        assert.is_nil(seen.peer.received:find("HELO", 5, true))
      end
    end)

    it("and knows nothing to be offered after HELO, whatever is said", function()
      local seen = talk.send { "S: 220 mail.test", "C: EHLO", "S: 502 what?", "C: HELO", "S: 250-old.test",
        "S: 250-PIPELINING", "S: 250 SIZE 1", REST }
      talk.accepted(seen)
    end)

    it("twice in vain", function()
      local seen = talk.send { "S: 220 mail.test", "C: EHLO", "S: 502 what?", "C: HELO", "S: 550 who?",
        { drain = true } }
      talk.refused(seen, { kind = "rejected", stage = "ehlo", code = 550, temporary = false })
    end)
  end)

  describe("logs in", function()
    local function login(offers, ...)
      local script = { talk.tls(good), talk.hello(offers), ... }
      return talk.send(script, talk.login { tls = mode "implicit" })
    end

    it("by the strongest mechanism that both sides know", function()
      local seen = login("AUTH CRAM-MD5 FOO LOGIN plain", "C: AUTH PLAIN", "S: 535 no", { drain = true })
      talk.failed(seen, { kind = "auth", code = 535 })
    end)

    it("by those that are allowed, in the order in which they were given", function()
      local seen = talk.send({ talk.tls(good), talk.hello "AUTH CRAM-MD5 LOGIN PLAIN", "C: AUTH LOGIN",
        "S: 334 VXNlcm5hbWU6", { upto = "\r\n" }, "S: 334 UGFzc3dvcmQ6", { upto = "\r\n" }, "S: 235 in", REST },
        talk.login { tls = mode "implicit", auth = { mechanisms = { "login", "PLAIN" } } })
      talk.accepted(seen)
      assert.same({ mechanism = "LOGIN" }, seen.receipt.auth)
    end)

    it("not at all where there are no credentials, whatever is offered", function()
      local seen = talk.send({ talk.tls(good), talk.hello "AUTH PLAIN", REST }, { tls = mode "implicit" })
      talk.accepted(seen)
      assert.is_nil(seen.receipt.auth)
    end)
  end)

  describe("in LMTP", function()
    it("begins with LHLO, in each mode of TLS", function()
      local hello = { "C: LHLO client.test", "S: 250-mail.test", "S: 250 STARTTLS" }
      local inside = { "C: LHLO client.test", "S: 250 mail.test" }
      local seen = talk.send({ "S: 220 mail.test", hello, "C: STARTTLS", "S: 220 go", talk.tls(good), inside, REST },
        { url = "lmtp://127.0.0.1", host = nil, tls = mode "starttls" })
      talk.accepted(seen)
      seen = talk.send({ talk.tls(good), "S: 220 mail.test", inside, REST },
        { url = "lmtp://127.0.0.1", tls = mode "implicit" })
      talk.accepted(seen)
    end)

    it("has no other way to begin", function()
      local seen = talk.send({ "S: 220 mail.test", "C: LHLO", "S: 500 what?", { drain = true } },
        { url = "lmtp://127.0.0.1" })
      talk.refused(seen, { kind = "rejected", stage = "ehlo", code = 500 })
      assert.is_nil(seen.peer.received:find("EHLO", 1, true))
    end)
  end)

  it("checks the name that was asked for, and not the one that the server gives itself", function()
    local script = { talk.tls(good), "S: 220 other.test", "C: EHLO", "S: 250 other.test", REST }
    local seen = talk.send(script, { tls = { mode = "implicit", ca_file = tls.ca_file, server_name = "mail.test" } })
    talk.accepted(seen)
    assert.same({ host = "127.0.0.1", address = "127.0.0.1", port = seen.receipt.server.port, name = "other.test" },
      seen.receipt.server)
    seen = talk.send(script, { tls = { mode = "implicit", ca_file = tls.ca_file, server_name = "other.test" } })
    talk.refused(seen, { kind = "tls", reason = "hostname mismatch" })
  end)
end)
