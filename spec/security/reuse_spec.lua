-- What one connection leaves for the next: TLS sessions and open connections, and for whom they must not be.
-- The rules of sessions themselves are tried in spec/tls/session_spec.lua, those of connections in pool_spec.lua.
local smtpsec = require "smtpsec"
local talk = require "spec.support.talk"

describe("a TLS session", function()
  local pki, good, tls

  setup(function()
    pki, good, tls = talk.pki()
  end)

  local function script(settings)
    return { talk.tls(good, settings), talk.hello(), talk.mail(), talk.bye() }
  end

  -- A mailer whose every mail has a connection of its own.
  local function mailer(server, options)
    local all = { mode = "implicit", ca_file = tls.ca_file, server_name = "mail.test" }
    for name, value in pairs(options or {}) do all[name] = value end
    return assert(smtpsec.new(talk.options(server, { tls = all, pool = { max_messages = 1 } })))
  end

  local function send(one)
    local receipt, err = one:send(talk.message())
    assert.is_nil(err, tostring(err))
    return receipt.tls
  end

  for _, version in ipairs { "TLSv1.2", "TLSv1.3" } do
    it("is resumed by the next connection of a mailer, with the same proof: " .. version, function()
      local server = talk.listen(script { max_version = version })
      local one = mailer(server)
      local first, second, third = send(one), send(one), send(one)
      assert.same({ false, true, true }, { first.resumed, second.resumed, third.resumed })
      assert.same({ version, "pkix" }, { second.version, second.authenticated })
      assert.same(first.peer, second.peer)
      assert.same({ "whole", "resumed", "resumed" }, { server:transcript()[1].secured,
        server:transcript()[2].secured,
        server:transcript()[3].secured })
      one:close()
      server:stop()
    end)

    it("is resumed after STARTTLS as well: " .. version, function()
      local server = talk.listen { talk.hello "STARTTLS", "C: STARTTLS", "S: 220 go",
        talk.tls(good, { max_version = version }), talk.ehlo(), talk.mail(), talk.bye() }
      local one = mailer(server, { mode = "starttls" })
      assert.is_false(send(one).resumed)
      assert.is_true(send(one).resumed)
      one:close()
      server:stop()
    end)
  end

  it("belongs to its policy: another mailer resumes it with the same one, and begins anew with any other", function()
    local server = talk.listen(script())
    local function resumed(options)
      local one = mailer(server, options)
      local facts = send(one)
      one:close()
      return facts.resumed
    end
    assert.is_false(resumed {})
    for _, options in ipairs { { pins = { pki:pin(good) } }, { server_name = "127.0.0.1" } } do
      assert.is_false(resumed(options))
    end
    assert.is_true(resumed {})
    server:stop()
  end)

  it("is not kept where the server did not prove who it is", function()
    local server = talk.listen(script())
    local one = assert(smtpsec.new(talk.options(server, {
      tls = { mode = "implicit", insecure_skip_verify = true }, pool = { max_messages = 1 },
    })))
    assert.is_false(send(one).resumed)
    assert.is_false(send(one).resumed)
    one:close()
    server:stop()
  end)

  it("is not kept where that was asked for", function()
    local server = talk.listen(script())
    local one = mailer(server, { session_cache = false })
    assert.is_false(send(one).resumed)
    assert.is_false(send(one).resumed)
    one:close()
    server:stop()
  end)

  it("does not carry a server past its certificate: one that has forgotten it is checked anew", function()
    local stranger = pki:leaf { name = "stranger", ca = false, san = "DNS:mail.test" }
    local server = talk.listen(script(), { talk.tls(stranger), { drain = true } })
    local one = mailer(server)
    assert.is_false(send(one).resumed)
    local receipt, err = one:send(talk.message())
    assert.is_nil(receipt)
    assert.same({ "tls", "self-signed certificate" }, { err.kind, err.reason })
    one:close()
    server:stop()
  end)

  it("is not needed: a server that has forgotten it does a whole handshake", function()
    local server = talk.listen(script(), script())
    local one = mailer(server)
    assert.is_false(send(one).resumed)
    assert.is_false(send(one).resumed)
    one:close()
    server:stop()
  end)
end)

describe("an open connection", function()
  it("serves the mailer that opened it and nobody else", function()
    local server = talk.listen { talk.hello(), talk.mail(), talk.mail(), talk.bye() }
    local first, second = smtpsec.new(talk.options(server)), smtpsec.new(talk.options(server))
    assert(first:send(talk.message()))
    assert(second:send(talk.message()))
    assert(first:send(talk.message()))
    first:close()
    second:close()
    assert.equal(2, #talk.stop(server))
  end)

  it("in clear never serves a mailer that wants TLS", function()
    local _, good, tls = talk.pki "starttls"
    local server = talk.listen({ talk.hello "STARTTLS", talk.mail(), talk.bye() },
      { talk.hello "STARTTLS", talk.starttls(good), talk.mail(), talk.bye() })
    local clear = smtpsec.new(talk.options(server))
    assert.is_false(assert(clear:send(talk.message())).tls)
    local secure = smtpsec.new(talk.options(server, { tls = tls }))
    assert.equal("pkix", assert(secure:send(talk.message())).tls.authenticated)
    clear:close()
    secure:close()
    assert.equal(2, #talk.stop(server))
  end)
end)
