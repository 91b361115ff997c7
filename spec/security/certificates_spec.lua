-- Servers that are not who they must be, seen from the API: a refused handshake for each flaw, and nothing behind it.
-- What OpenSSL is asked to check, one flaw at a time and in all depth, is in spec/tls.
local keeper = require "spec.support.keeper"
local ports = require "spec.support.ports"
local process = require "spec.support.process"
local smtpsec = require "smtpsec"
local talk = require "spec.support.talk"

describe("a server's certificate", function()
  local pki, root, good

  setup(function()
    pki, good = talk.pki()
    root = pki.authorities.root
    pki:ca "stranger"
  end)

  local function leaf(name, flaw)
    local settings = { name = name, ca = "root", san = "DNS:mail.test,IP:127.0.0.1" }
    for key, value in pairs(flaw) do settings[key] = value end
    return pki:leaf(settings)
  end

  local function implicit(certificate, settings)
    return { talk.tls(certificate, settings), talk.hello "AUTH PLAIN", "C: AUTH PLAIN ", "S: 235 in", talk.mail(),
      talk.bye() }
  end

  local function send(certificate, tls, settings)
    local options = { mode = "implicit", ca_file = root.cert, server_name = "mail.test" }
    for key, value in pairs(tls or {}) do options[key] = value or nil end
    return talk.send(implicit(certificate, settings), talk.login { tls = options })
  end

  local function accepted(...)
    local seen = send(...)
    talk.accepted(seen)
    assert.equal("whole", seen.peer.secured)
    return seen.receipt
  end

  -- The handshake fails for `reason` and the server is told; it learns nothing. Advice never says to check less.
  local function refused(reason, ...)
    local seen = send(...)
    talk.refused(seen, { kind = "tls", stage = "tls", reason = reason, temporary = false, retry_safe = true })
    talk.no_login(seen)
    assert.equal("", seen.peer.received)
    assert.is_nil(seen.peer.secured)
    assert.equal("tls", seen.peer.ended)
    assert.equal(1, #seen.connections)
    assert.matches(reason, tostring(seen.err), 1, true)
    for _, word in ipairs { "insecure", "skip", "none" } do
      assert.is_nil(tostring(seen.err):lower():find(word, 1, true), tostring(seen.err))
    end
    assert.is_string(seen.err.hint)
    return seen.err
  end

  it("of a trusted authority and for the name is accepted", function()
    local receipt = accepted(good)
    assert.equal("pkix", receipt.tls.authenticated)
    assert.same({ "mail.test", "127.0.0.1" }, receipt.tls.peer.names)
    assert.same({}, receipt.warnings)
  end)

  it("that has expired is refused", function()
    local now = os.time()
    refused("certificate has expired", leaf("expired", { not_before = now - 7200, not_after = now - 3600 }))
    accepted(leaf("almost", { not_before = now - 7200, not_after = now + 3600 }))
  end)

  it("that is not yet valid is refused", function()
    local err = refused("certificate is not yet valid", leaf("early", { not_before = os.time() + 3600 }))
    assert.matches("clock", err.hint)
  end)

  it("for another name is refused, and the advice names the names", function()
    local err = refused("hostname mismatch", leaf("other", { san = "DNS:smtp.other.test" }))
    assert.matches("smtp.other.test", err.hint, 1, true)
    assert.same({ "smtp.other.test" }, err.tls.peer.names)
    assert.is_false(err.tls.authenticated)
    accepted(leaf("wild", { san = "DNS:*.mail.test" }), { server_name = "in.mail.test" })
  end)

  it("for a name is refused where the server is called by its address", function()
    refused("IP address mismatch", leaf("named", { san = "DNS:mail.test" }), { server_name = false })
    refused("IP address mismatch", leaf("textual", { san = "DNS:127.0.0.1" }), { server_name = false })
    accepted(good, { server_name = false })
  end)

  it("whose only name is its common name is refused", function()
    refused("hostname mismatch", leaf("common", { cn = "mail.test", san = false }))
  end)

  it("that is self-signed is refused, unless it is the trusted one", function()
    local own = leaf("own", { ca = false })
    local err = refused("self-signed certificate", own)
    assert.matches("ca_file", err.hint)
    accepted(own, { ca_file = own.cert })
  end)

  it("of an unknown authority is refused, and trusted once that is named", function()
    local foreign = leaf("foreign", { ca = "stranger" })
    refused("unable to get local issuer certificate", foreign)
    accepted(foreign, { ca_file = pki.authorities.stranger.cert })
  end)

  it("without a stapled OCSP response is refused, where one is required", function()
    local err = refused("no OCSP response was stapled", good, { require_ocsp = true })
    assert.matches("tls.require_ocsp", err.hint, 1, true)
    assert.is_false(accepted(good, { require_ocsp = false }).tls.policy.ocsp)
  end)

  it("for another purpose is refused", function()
    refused("unsuitable certificate purpose", leaf("client", { eku = "clientAuth" }))
  end)

  it("that is revoked is refused, where a list is given", function()
    local revoked = leaf("revoked", {})
    accepted(revoked)
    local list = pki:crl("root", { revoked })
    refused("certificate revoked", revoked, { crl_file = list })
    accepted(good, { crl_file = list })
  end)

  it("that cannot be looked up in the list that was given is refused", function()
    refused("unable to get certificate CRL", good, { crl_file = pki:crl("stranger") })
    refused("CRL has expired", good,
      { crl_file = pki:crl("root", {}, { name = "past", last_update = os.time() - 7200,
        next_update = os.time() - 3600 }) })
  end)

  it("is refused after STARTTLS just the same", function()
    local foreign = leaf("foreign too", { ca = "stranger" })
    local seen = talk.send({ talk.hello "STARTTLS", talk.starttls(foreign, "AUTH PLAIN"), { drain = true } },
      talk.login { tls = { mode = "starttls", ca_file = root.cert } })
    talk.refused(seen, { kind = "tls", stage = "tls", reason = "unable to get local issuer certificate" })
    talk.no_login(seen)
    assert.equal("EHLO client.test\r\nSTARTTLS\r\n", seen.peer.received)
  end)

  -- Our own server refuses to show such a thing, openssl's does not mind.
  local function weak(name, certificate, trust, ...)
    local port = ports.take()
    local words = { "openssl", "s_server", "-accept", ("127.0.0.1:%d"):format(port), "-rev", "-naccept", "1",
      "-cert", certificate.cert,
      "-key", certificate.key, "-cipher", "ALL:@SECLEVEL=0" }
    for _, word in ipairs { ... } do words[#words + 1] = word end
    keeper.own():spawn(name, words)
    assert(process.wait(function() return ports.listening { port } end, 5))
    local _, err = smtpsec.send(talk.message(), talk.login {
      host = "127.0.0.1", port = port, env_file = false, timeout = 5,
      tls = { mode = "implicit", ca_file = trust, server_name = "mail.test" },
    })
    keeper.own():stop(name)
    talk.no_secret(keeper.own():output(name))
    return err
  end

  it("with a key that is too weak is refused", function()
    local err = weak("weak-key", leaf("small", { key = "rsa:1024" }), root.cert)
    assert.same({ "tls", "EE certificate key too weak" }, { err.kind, err.reason })
    assert.matches("RSA 2048", err.hint)
  end)

  it("signed with a digest that is too weak is refused", function()
    pki:ca("rsa", { key = "rsa:2048" })
    local err = weak("weak-digest", leaf("sha1", { ca = "rsa", digest = "sha1" }), pki.authorities.rsa.cert)
    assert.same({ "tls", "CA signature digest algorithm too weak" }, { err.kind, err.reason })
    assert.matches("SHA%-256", err.hint)
  end)

  it("does not help a server that speaks TLS before 1.2 only", function()
    local err = weak("old-version", good, root.cert, "-tls1_1")
    assert.equal("tls", err.kind)
    assert.matches("TLS 1.2 is the oldest", err.hint)
  end)

  describe("and pins:", function()
    local own

    setup(function()
      own = pki:leaf { name = "pinned", ca = false, san = "DNS:mail.test", not_after = os.time() - 60,
        not_before = os.time() - 3600 }
    end)

    it("a pin alone proves a server, whatever its certificate says", function()
      local receipt = accepted(own, { ca_file = false, verify = "pin", pins = { pki:pin(own) } })
      assert.equal("pin", receipt.tls.authenticated)
      assert.same({ pki:pin(own), 1 }, { receipt.tls.peer.pin, receipt.tls.policy.pins })
    end)

    it("another key is refused, a trusted one too", function()
      local err = refused("no pin matches the server's key", good, { verify = "pin", pins = { pki:pin(own) } })
      assert.matches("find out .* why", err.hint)
    end)

    it("beside the usual verification both must be right", function()
      accepted(good, { pins = { pki:pin(own), pki:pin(good) } })
      refused("no pin matches the server's key", good, { pins = { pki:pin(own) } })
      refused("certificate has expired", own, { ca_file = own.cert, pins = { pki:pin(own) } })
    end)
  end)

  describe("that is not verified (insecure_skip_verify)", function()
    local function unverified(options)
      options.tls = { mode = "implicit", insecure_skip_verify = true }
      return options
    end

    it("serves for mail without credentials, and is told", function()
      local stranger = leaf("unverified", { ca = false })
      local seen = talk.send({ talk.tls(stranger), talk.hello "AUTH PLAIN", talk.mail(), talk.bye() }, unverified {})
      talk.accepted(seen)
      assert.is_false(seen.receipt.tls.authenticated)
      assert.matches("not authenticated %(self%-signed certificate%): insecure_skip_verify",
        seen.receipt.warnings[1])
    end)

    it("gets no password, unless insecure_cleartext says so too", function()
      local stranger = leaf("unverified too", { ca = false })
      local seen = talk.send(implicit(stranger), talk.login(unverified {}))
      talk.refused(seen, { kind = "policy", stage = "auth" })
      talk.no_login(seen)
      seen = talk.send(implicit(stranger), talk.login(unverified { auth = { insecure_cleartext = true } }))
      talk.accepted(seen)
      assert.matches("password crossed a channel that was not authenticated",
        table.concat(seen.receipt.warnings, "|"))
    end)
  end)

  describe("of ours", function()
    it("is shown to a server that asks for it", function()
      local client = pki:leaf { name = "me", ca = "root", eku = "clientAuth", password = "key word" }
      local asks = { ca_file = root.cert }
      accepted(good, { cert = client.cert, key = client.key, key_password = "key word" }, asks)
    end)

    it("is never replaced by none where it cannot be loaded", function()
      local server = talk.listen(implicit(good, { ca_file = root.cert }))
      local client = pki:leaf { name = "me too", ca = "root", eku = "clientAuth", password = "key word" }
      local mailer = assert(smtpsec.new(talk.options(server, { tls = {
        mode = "implicit", ca_file = root.cert, cert = client.cert, key = client.key, key_password = "wrong",
      } })))
      local receipt, err = mailer:send(talk.message())
      assert.is_nil(receipt)
      assert.equal("config", err.kind)
      assert.matches("key", tostring(err))
      talk.nobody_came(server)
    end)
  end)
end)
