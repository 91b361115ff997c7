-- The step from clear to TLS: every way in which somebody between us and the server may try to prevent it.
local talk = require "spec.support.talk"

describe("STARTTLS", function()
  local good, tls

  setup(function()
    local _
    _, good, tls = talk.pki "starttls"
  end)

  local function with(mode, more)
    local options = { tls = { mode = mode, ca_file = mode ~= "none" and tls.ca_file or nil } }
    for name, value in pairs(more or {}) do options[name] = value end
    return options
  end

  local OFFERS = talk.hello("STARTTLS", "PIPELINING")
  local REST = { talk.mail(), talk.bye() }

  describe("that is required", function()
    it("is used, and nothing that was said before it counts", function()
      local seen = talk.send({ talk.hello("STARTTLS", "SIZE 1", "AUTH PLAIN"), talk.starttls(good, "SIZE 10000"),
        REST }, with "starttls")
      talk.accepted(seen)
      assert.equal("whole", seen.peer.secured)
      assert.equal("starttls", seen.receipt.tls.mode)
      assert.equal("pkix", seen.receipt.tls.authenticated)
      assert.matches("STARTTLS\r\nEHLO client.test\r\nMAIL FROM:<from@client.test> SIZE=%d+\r\n", seen.peer.received)
    end)

    it("sends the credentials in TLS only", function()
      local seen = talk.send({ talk.hello("STARTTLS", "AUTH PLAIN"), talk.starttls(good, "AUTH PLAIN"),
        "C: AUTH PLAIN ", "S: 235 ok", REST }, talk.login(with "starttls"))
      talk.accepted(seen)
      assert.equal("PLAIN", seen.receipt.auth.mechanism)
      assert.matches("STARTTLS\r\nEHLO client.test\r\nAUTH PLAIN %S+\r\nMAIL", seen.peer.received)
    end)

    -- Stripping: the offer is taken out, mangled, or only looks like one.
    for name, offers in pairs {
      ["is not offered"] = talk.hello("PIPELINING", "AUTH PLAIN"),
      ["is mangled"] = talk.hello("XXXXXXXX", "AUTH PLAIN"),
      ["is part of another word"] = talk.hello("STARTTLSX", "X-STARTTLS", "XSTARTTLS STARTTLS", "AUTH PLAIN"),
      ["is the name of the server"] = { "S: 220 mail.test", "C: EHLO", "S: 250-STARTTLS", "S: 250 AUTH PLAIN" },
    } do
      it("and " .. name .. " fails, and sends nothing", function()
        local seen = talk.send({ offers, { drain = true } }, talk.login(with "starttls"))
        talk.refused(seen, { kind = "policy", stage = "starttls", temporary = false, retry_safe = true })
        talk.no_login(seen)
        assert.equal("EHLO client.test\r\n", (seen.peer.received:gsub("QUIT\r\n", "")))
        assert.equal(1, #seen.connections)
        assert.matches("TLS is required", tostring(seen.err))
        assert.is_truthy(seen.err.hint)
      end)
    end

    for code, temporary in pairs { [454] = true, [421] = true, [502] = false, [554] = false } do
      it(("and refused with %d fails, and sends nothing"):format(code), function()
        local seen = talk.send({ OFFERS, "C: STARTTLS", ("S: %d not now"):format(code), { drain = true } },
          talk.login(with "starttls"))
        talk.refused(seen, { kind = "policy", stage = "starttls", code = code, text = "not now",
          temporary = temporary })
        talk.no_login(seen)
        assert.equal(1, #seen.connections)
      end)
    end

    for _, reply in ipairs { "250 as you like", "220-go\r\nS: 554 no", "334 ", "235 you are in", "299 ok" } do
      it("and answered with " .. reply:gsub("%s+S: ", " / ") .. " fails, and sends nothing", function()
        local script = { OFFERS, "C: STARTTLS" }
        for line in ("S: " .. reply):gmatch "[^\r\n]+" do script[#script + 1] = line end
        script[#script + 1] = { drain = true }
        local seen = talk.send(script, talk.login(with "starttls"))
        talk.refused(seen, { kind = "protocol", stage = "starttls", temporary = false })
        talk.no_login(seen)
      end)
    end

    for name, injected in pairs {
      ["a whole reply"] = "250 AUTH PLAIN\r\n", ["a line's beginning"] = "250-mail", ["one byte"] = " ",
      ["an empty line"] = "\r\n",
    } do
      it("and has " .. name .. " behind its reply fails: somebody injects", function()
        local seen = talk.send({ OFFERS, "C: STARTTLS", { send = "220 go\r\n" .. injected }, { drain = true } },
          talk.login(with "starttls"))
        talk.refused(seen, { kind = "protocol", stage = "starttls", temporary = false })
        talk.no_login(seen)
        assert.equal("", seen.peer.wire)
        assert.matches("inject", seen.err.message)
        assert.matches("cannot be trusted", seen.err.hint)
      end)
    end

    it("and answered before it was asked fails", function()
      local seen = talk.send({ "S: 220 mail.test", "C: EHLO",
        { send = "250-mail.test\r\n250 STARTTLS\r\n220 go\r\n" }, { drain = true } }, talk.login(with "starttls"))
      talk.refused(seen, { kind = "protocol", temporary = false })
      talk.no_login(seen)
      assert.equal("", seen.peer.wire)
    end)

    it("is not done without because the server need not be verified", function()
      local seen = talk.send({ talk.hello "PIPELINING", { drain = true } },
        { tls = { mode = "starttls", insecure_skip_verify = true } })
      talk.refused(seen, { kind = "policy", stage = "starttls" })
    end)

    it("is not done without where EHLO is refused", function()
      local seen = talk.send({ "S: 220 mail.test", "C: EHLO", "S: 502 what?", { drain = true } }, with "starttls")
      talk.refused(seen, { kind = "rejected", stage = "ehlo", code = 502, temporary = false })
      assert.is_nil(seen.peer.received:find("HELO", 5, true))
    end)

    it("and fails in the handshake is not tried again in clear", function()
      local seen = talk.send({ OFFERS, "C: STARTTLS", { send = "220 go\r\n" }, { take = 6 },
        { send = "554 no TLS today\r\n" }, { drain = true } }, talk.login(with "starttls"))
      talk.refused(seen, { kind = "tls", temporary = false })
      talk.no_login(seen)
      assert.equal(1, #seen.connections)
    end)

    it("forgets what was offered in clear: AUTH that is offered there alone is not offered", function()
      local seen = talk.send({ talk.hello("STARTTLS", "AUTH PLAIN"), talk.starttls(good), { drain = true } },
        talk.login(with "starttls"))
      talk.refused(seen, { kind = "auth", stage = "auth" })
      talk.no_login(seen)
    end)
  end)

  describe("that is opportunistic", function()
    local PLAIN = { talk.hello "PIPELINING", REST }

    it("is used where it is offered", function()
      local seen = talk.send({ OFFERS, talk.starttls(good), REST }, with "opportunistic")
      talk.accepted(seen)
      assert.equal("pkix", seen.receipt.tls.authenticated)
      assert.same({}, seen.receipt.warnings)
    end)

    it("does without it where it is not offered, and tells", function()
      local seen = talk.send(PLAIN, with "opportunistic")
      talk.accepted(seen)
      assert.is_false(seen.receipt.tls)
      assert.matches("^sent in clear", seen.receipt.warnings[1])
    end)

    it("does without it where it is refused, and tells", function()
      local seen = talk.send({ OFFERS, "C: STARTTLS", "S: 454 not now", REST }, with "opportunistic")
      talk.accepted(seen)
      assert.is_false(seen.receipt.tls)
      assert.matches("refused it %(454%)", table.concat(seen.receipt.warnings, "|"))
    end)

    it("does without it, once and on a new connection, where the handshake fails, and tells", function()
      local server = talk.listen({ OFFERS, "C: STARTTLS", { send = "220 go\r\n" }, { take = 6 }, { close = true } },
        PLAIN)
      local seen = talk.send(server, with "opportunistic")
      talk.accepted(seen)
      assert.equal(2, #seen.connections)
      assert.is_nil(seen.peer.received:find("MAIL", 1, true))
      assert.is_false(seen.receipt.tls)
      assert.matches("TLS was offered and failed", table.concat(seen.receipt.warnings, "|"))
    end)

    it("uses a server that cannot prove who it is, and tells", function()
      local pki, _, options = talk.pki "opportunistic"
      local stranger = pki:leaf { name = "stranger", ca = false, san = "IP:127.0.0.1" }
      local seen = talk.send({ OFFERS, talk.starttls(stranger), REST }, { tls = options })
      talk.accepted(seen)
      assert.is_false(seen.receipt.tls.authenticated)
      assert.matches("not authenticated %(self%-signed certificate%)", table.concat(seen.receipt.warnings, "|"))
    end)

    it("still takes injected bytes for what they are", function()
      local server = talk.listen({ OFFERS, "C: STARTTLS", { send = "220 go\r\n250 mine\r\n" }, { drain = true } },
        PLAIN)
      local seen = talk.send(server, with "opportunistic")
      talk.refused(seen, { kind = "protocol", stage = "starttls" })
      assert.equal(1, #seen.connections)
    end)

    it("does not take a mistake in the settings for TLS that does not work", function()
      local server = talk.listen(PLAIN)
      local mailer = require "smtpsec".new(talk.options(server,
        { tls = { mode = "opportunistic", ciphers = "nonsense" } }))
      local receipt, err = mailer:send(talk.message())
      assert.is_nil(receipt)
      assert.equal("config", err.kind)
      assert.matches("nonsense", tostring(err))
      talk.nobody_came(server)
    end)

    describe("keeps credentials", function()
      local function kept(script, kind, stage)
        local seen = talk.send(script, talk.login(with "opportunistic"))
        talk.refused(seen, { kind = kind, stage = stage })
        talk.no_login(seen)
        assert.equal(1, #seen.connections)
      end

      it("where TLS is not offered", function()
        kept({ talk.hello "AUTH PLAIN", { drain = true } }, "policy", "auth")
      end)

      it("where TLS is refused", function()
        kept({ talk.hello("AUTH PLAIN", "STARTTLS"), "C: STARTTLS", "S: 454 no", { drain = true } }, "policy",
          "auth")
      end)

      it("where the server cannot prove who it is", function()
        local pki = talk.pki "opportunistic"
        local stranger = pki:leaf { name = "stranger", ca = false, san = "IP:127.0.0.1" }
        kept({ OFFERS, talk.starttls(stranger, "AUTH PLAIN"), { drain = true } }, "policy", "auth")
      end)

      it("where the handshake fails: no second try", function()
        kept({ OFFERS, "C: STARTTLS", { send = "220 go\r\n" }, { take = 6 }, { close = true } }, "closed", "tls")
      end)

      it("but sends them to a server that has proved who it is", function()
        local seen = talk.send({ OFFERS, talk.starttls(good, "AUTH PLAIN"), "C: AUTH PLAIN", "S: 235 in", REST },
          talk.login(with "opportunistic"))
        talk.accepted(seen)
        assert.equal("PLAIN", seen.receipt.auth.mechanism)
      end)
    end)
  end)

  it("is never sent where TLS is switched off", function()
    local seen = talk.send({ OFFERS, REST }, with "none")
    talk.accepted(seen)
    assert.is_nil(seen.peer.received:find("STARTTLS", 1, true))
    assert.same({ 'sent in clear: tls = "none"' }, seen.receipt.warnings)
  end)
end)
