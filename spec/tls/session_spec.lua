-- Resumption: cheaper, and never a way around verification.
local core = require "smtpsec.core"
local pki_new = require "spec.support.pki".new
local pair = require "spec.support.tls_pair"

describe("a TLS session", function()
  local pki, settings, leaf

  setup(function()
    pki = pki_new()
    pki:ca("root")
    leaf = pki:leaf { name = "leaf", ca = "root", san = "DNS:mail.test,DNS:other.test" }
    settings = { ca_file = pki.authorities.root.cert }
  end)

  teardown(function()
    pki:remove()
  end)

  local function serve(version, certificate)
    certificate = certificate or leaf
    return assert(core.context {
      role = "server", cert = certificate.chain, key = certificate.key, max_version = version,
    })
  end

  -- One connection: its facts, and the session that it leaves.
  local function connect(context, server, peer)
    local filter, other = assert(core.tls_client(context, peer)), core.tls_server(server)
    local result = pair.handshake(filter, other)
    if not result[1] then
      return result[4]
    end
    assert.equal("220 hello", (pair.send(other, filter, "220 hello")))
    assert.equal("EHLO me", (pair.send(filter, other, "EHLO me")))
    return filter:facts(), filter:session()
  end

  local function peer(session, changes)
    local p = { server_name = "mail.test", port = "587", session = session }
    for k, v in pairs(changes or {}) do
      p[k] = v
    end
    return p
  end

  for _, version in ipairs { "TLSv1.2", "TLSv1.3" } do
    describe("of " .. version, function()
      local context, server

      before_each(function()
        context, server = assert(core.context(settings)), serve(version)
      end)

      it("is resumed, with the proof that it came with", function()
        local first, session = connect(context, server, peer())
        assert.equal(version, first.version)
        assert.is_false(first.resumed)
        local second, next_session = connect(context, server, peer(session))
        assert.is_true(second.resumed)
        assert.equal("pkix", second.authenticated)
        assert.same(first.peer, second.peer)
        if version == "TLSv1.3" then
          local third = connect(context, server, peer(next_session))
          assert.is_true(third.resumed)
          assert.same(first.peer, third.peer)
        end
      end)

      it("says nothing of its certificate where the server shows another", function()
        local first, session = connect(context, server, peer())
        local renewed = pki:leaf { name = "renewed", ca = "root", san = "DNS:mail.test" }
        local filter, other = assert(core.tls_client(context, peer(session))), core.tls_server(serve(version, renewed))
        filter:facts() -- too early: there is the session's certificate alone
        assert.is_true(pair.handshake(filter, other)[1])
        local facts = filter:facts()
        assert.is_false(facts.resumed)
        assert.not_equal(first.peer.sha256, facts.peer.sha256)
        assert.equal(pki:pin(renewed), facts.peer.pin)
      end)

      it("is resumed for the same context and peer only", function()
        local function again(changed_peer, changed_context)
          local _, session = connect(context, server, peer())
          local facts = connect(changed_context or context, server, peer(session, changed_peer))
          return facts.resumed
        end
        assert.is_true(again())
        assert.is_false(again { server_name = "other.test" })
        assert.is_false(again { port = "465" })
        assert.is_false(again { pins = { pki:pin(leaf) } })
        assert.is_false(again { verify = "pin", pins = { pki:pin(leaf) } })
        assert.is_false(again { verify = "none" })
        assert.is_false(again({}, assert(core.context(settings))))
      end)

      it("is bound to its pins", function()
        local pins = { pki:pin(leaf), pki:pin(pki.authorities.root) }
        local how = { verify = "pin", pins = pins }
        local _, session = connect(context, server, peer(nil, how))
        local facts = connect(context, server, peer(session, how))
        assert.is_true(facts.resumed)
        assert.equal("pin", facts.authenticated)
        _, session = connect(context, server, peer(nil, how))
        assert.is_false(connect(context, server, peer(session, { verify = "pin", pins = { pins[1] } })).resumed)
      end)

      it("does not exist where nothing was proven", function()
        local facts, session = connect(context, server, peer(nil, { server_name = "wrong.test", verify = "none" }))
        assert.is_false(facts.authenticated)
        assert.is_nil(session)
        facts, session = connect(context, server, peer(nil, { verify = "none" }))
        assert.equal("pkix", facts.authenticated)
        assert.is_truthy(session)
      end)

      it("is handed out once, each that the server gave", function()
        local filter, other = core.tls_client(context, peer()), core.tls_server(server)
        assert.is_nil(filter:session())
        pair.handshake(filter, other)
        pair.send(other, filter, "220 hello")
        local given = {}
        for session in filter.session, filter do given[#given + 1] = session end
        assert.equal(version == "TLSv1.3" and 2 or 1, #given)
        assert.is_nil(filter:session())
        for _, session in ipairs(given) do assert.is_true(connect(context, server, peer(session)).resumed) end
      end)

      it("tells until when it is good, and how often", function()
        local _, session = connect(context, server, peer())
        assert.is_true(session:ends() > os.time() + 60)
        assert.is_true(session:ends() <= os.time() + 7 * 24 * 3600)
        assert.equal(version == "TLSv1.3", session:once())
        assert.is_true(connect(context, server, peer(session)).resumed)
        assert.equal(version == "TLSv1.3", session:ends() == 0)
        session:close()
        assert.equal(0, session:ends())
        assert.is_true(session:once())
      end)

      it("is good also when its connection is freed without a goodbye", function()
        local filter, other = core.tls_client(context, peer()), core.tls_server(server)
        pair.handshake(filter, other)
        pair.send(other, filter, "220 hello")
        local session = filter:session()
        filter:close()
        assert.is_true(connect(context, server, peer(session)).resumed)
      end)

      it("gives way to a full handshake where the server has forgotten it", function()
        local _, session = connect(context, server, peer())
        local facts = connect(context, serve(version), peer(session))
        assert.is_false(facts.resumed)
        assert.equal("pkix", facts.authenticated)
      end)

      it("does not let a server change its certificate for a bad one", function()
        local _, session = connect(context, server, peer())
        local bad = serve(version, pki:leaf { name = "bad", ca = "root", san = "DNS:wrong.test" })
        assert.equal("hostname mismatch", connect(context, bad, peer(session)))
      end)

      it("outlives its connection and its context", function()
        local _, session = connect(context, server, peer())
        context:close()
        collectgarbage()
        collectgarbage()
        assert.is_false(connect(assert(core.context(settings)), server, peer(session)).resumed)
        session:close()
        session:close()
        assert.is_false(connect(assert(core.context(settings)), server, peer(session)).resumed)
      end)
    end)
  end

  it("of TLS 1.3 is offered once, of TLS 1.2 again and again", function()
    local context = assert(core.context(settings))
    local server = serve("TLSv1.3")
    local _, session = connect(context, server, peer())
    assert.is_true(connect(context, server, peer(session)).resumed)
    assert.is_false(connect(context, server, peer(session)).resumed)
    server = serve("TLSv1.2")
    _, session = connect(context, server, peer())
    assert.is_true(connect(context, server, peer(session)).resumed)
    assert.is_true(connect(context, server, peer(session)).resumed)
  end)

  it("ends when a certificate of its chain expires, or a revocation list", function()
    local soon = os.time() + 3
    pki:ca("brief", { ca = "root", not_after = soon })
    local context = assert(core.context(settings))
    local listed = assert(core.context {
      ca_file = settings.ca_file, crl_file = pki:crl("root", nil, { name = "brief list", next_update = soon }),
    })
    local cases = {
      { pki:leaf { name = "brief leaf", ca = "root", san = "DNS:mail.test", not_after = soon }, context },
      { pki:leaf { name = "below brief", ca = "brief", san = "DNS:mail.test" }, context },
      { leaf, listed, reason = "CRL has expired" },
    }
    for _, case in ipairs(cases) do
      case.server = serve("TLSv1.2", case[1])
      local facts, session = connect(case[2], case.server, peer())
      assert.equal("pkix", facts.authenticated)
      assert.is_true(connect(case[2], case.server, peer(session)).resumed)
      case.session = session
    end
    os.execute("sleep " .. soon - os.time() + 1)
    for _, case in ipairs(cases) do
      assert.equal(case.reason or "certificate has expired", connect(case[2], case.server, peer(case.session)))
    end
  end)
end)
