-- SCRAM with channel binding (RFC 5929, RFC 9266): against GNU SASL over real TLS, and where that has no such binding,
-- against one that openssl's command computed.
local core = require "smtpsec.core"
local keeper = require "spec.support.keeper"
local new_pki = require "spec.support.pki".new
local process = require "spec.support.process"
local pump = require "smtpsec.pump"
local scram = require "spec.support.scram"
local script = require "spec.support.script"
local smtpsec = require "smtpsec"
local sock = require "smtpsec.sock"

local USER, PASSWORD = "jo,e=ü", "pässwörd,="
local TYPES = { ["TLSv1.3"] = "tls-exporter", ["TLSv1.2"] = "tls-unique" }

describe("SCRAM with channel binding", function()
  local pki, leaf, contexts, port

  setup(function()
    pki = new_pki(keeper.own():new_folder "pki")
    pki:ca "root"
    leaf = pki:leaf { name = "leaf", ca = "root", san = "DNS:mail.test" }
    contexts = {}
    for version in pairs(TYPES) do
      contexts[version] = assert(core.context { ca_file = pki.authorities.root.cert, max_version = version })
    end
    local program = keeper.own():new_folder "gsasl" .. "/server"
    process.run("cc -std=c11 -D_GNU_SOURCE spec/support/gsasl_server.c -o " .. process.quote(program)
      .. " -lgsasl -lssl -lcrypto")
    keeper.own():spawn("gsasl", { program, leaf.chain, leaf.key, USER, PASSWORD })
    port = assert(process.wait(function()
      return tonumber(keeper.own():output "gsasl":match "^%d+\n")
    end, 5))
  end)

  teardown(function()
    keeper.own():stop "gsasl"
  end)

  -- A connection to GNU SASL's server, up to the reply to EHLO.
  local function connect(version, hello, session)
    local conn = assert(core.connection {
      tls = "implicit", context = contexts[version], server_name = "mail.test", port = "465", session = session,
    })
    local stream = assert(sock.connect { host = "127.0.0.1", port = port, timeout = 5 })
    local bound = { greeting = 5, tls = 5, command = 5 }
    local crank = pump.new(conn, stream, { now = sock.now, timeout = bound })
    assert.equal("secured", (crank:event()))
    assert.equal(220, assert(crank:reply()).code)
    assert.equal(250, assert(crank:ask("ehlo", nil, hello or "client.test")).code)
    assert.equal(version, conn:tls().version)
    return { conn = conn, stream = stream, pump = crank }
  end

  local function login(there, mechanism, binding, password)
    local reply, err = there.pump:ask("auth", nil, mechanism, {
      user = USER, password = password or PASSWORD, binding = binding or there.conn:binding(),
    })
    there.stream:close()
    return reply and reply.code, err, there.conn
  end

  for version, kind in pairs(TYPES) do
    describe("in " .. version, function()
      for _, mechanism in ipairs { "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS" } do
        it("logs in by " .. mechanism .. ", and not with a wrong password", function()
          local there = connect(version)
          assert.equal(kind, there.conn:binding())
          assert.equal(235, (login(there, mechanism, kind)))
          assert.equal(535, (login(connect(version), mechanism, kind, "wrong")))
        end)
      end

      it("logs in where the session of TLS is resumed", function()
        local first = connect(version)
        local _, _, conn = login(first, "SCRAM-SHA-256-PLUS")
        local second = connect(version, nil, assert(conn:session()))
        assert.is_true(second.conn:tls().resumed)
        assert.equal(235, (login(second, "SCRAM-SHA-256-PLUS", kind)))
      end)

      it("is refused by a server that sees another channel", function()
        assert.equal(535, (login(connect(version, "altered.test"), "SCRAM-SHA-256-PLUS")))
        assert.equal(535, (login(connect(version, "altered.test"), "SCRAM-SHA-1-PLUS")))
        assert.equal(235, (login(connect(version, "altered.test"), "SCRAM-SHA-256"))) -- which sees none
      end)

      it("finds out who takes it from the server's list: a server that has it hears that we were told otherwise",
        function()
          local code, err = login(connect(version, "stripped.test"), "SCRAM-SHA-256")
          assert.is_nil(code)
          assert.equal("auth", err.kind)
          assert.matches("somebody took the mechanisms with channel binding out of the server's list", err.message, 1,
            true)
          -- Offered and not used, or not to be had here: nothing is wrong with that.
          assert.equal(235, (login(connect(version), "SCRAM-SHA-256")))
          local there = connect(version, "stripped.test")
          local reply = there.pump:ask("auth", nil, "SCRAM-SHA-256", { user = USER, password = PASSWORD })
          there.stream:close()
          assert.equal(235, reply.code)
        end)
    end)
  end

  it("is what a mailer uses where it is offered, with user and password prepared", function()
    local mailer = assert(smtpsec.new {
      host = "127.0.0.1", port = port, hello = "client.test", timeout = 5, env_file = false,
      user = "jo,e=u\204\136", password = "p\194\173a\204\136sswo\204\136rd,=", -- decomposed, with a soft hyphen
      tls = { mode = "implicit", ca_file = pki.authorities.root.cert, server_name = "mail.test" },
    })
    local facts, err = mailer:verify()
    mailer:close()
    assert.is_nil(err)
    assert.same({ mechanism = "SCRAM-SHA-256-PLUS", channel_binding = "tls-exporter" },
      { mechanism = facts.auth.mechanism, channel_binding = facts.auth.channel_binding })
  end)

  it("has no type that the version of TLS makes unsafe", function()
    for version, other in pairs { ["TLSv1.3"] = "tls-unique", ["TLSv1.2"] = "tls-exporter" } do
      local there = connect(version)
      assert.is_nil(there.conn:binding(other))
      assert.is_nil(there.conn:binding "tls-something")
      local tag, status = there.conn:auth("SCRAM-SHA-256-PLUS", { user = "u", password = "p", binding = other })
      assert.same({ nil, "argument" }, { tag, status })
      there.stream:close()
    end
  end)

  -- ---- the server's certificate -------------------------------------------------------------------------------------

  describe("of the server's certificate", function()
    -- What a scripted server with this certificate, which expects these bytes, makes of a login.
    local function outcome(certificate, version, channel)
      local server = scram.new {
        mechanism = "SCRAM-SHA-512-PLUS", user = "user", password = "pencil",
        header = "p=tls-server-end-point,,", channel = channel,
      }
      local context = assert(core.context { role = "server", cert = certificate.chain, key = certificate.key })
      local first, second, third = server:steps()
      return script.play {
        options = { tls = "implicit", context = contexts[version], server_name = "mail.test", port = "465" },
        client = { "event", "event", { "ehlo", "client.test" },
          { "auth", "SCRAM-SHA-512-PLUS", { user = "user", password = "pencil", binding = "tls-server-end-point" } } },
        peer = { { tls = context }, { reply = "220 mail.test\r\n" },
          { expect = "EHLO client.test\r\n", reply = "250-mail.test\r\n250 AUTH SCRAM-SHA-512-PLUS\r\n" },
          first, second, third },
      }
    end

    local function hashed(certificate, digest)
      local hex = process.run("openssl x509 -outform DER -in " .. process.quote(certificate.cert)
        .. " | openssl dgst -r -" .. digest):match "^%x+"
      return (hex:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end))
    end

    for _, digest in ipairs { "sha256", "sha384", "sha512" } do
      it("is its hash, by the " .. digest .. " of its signature", function()
        local certificate = pki:leaf { name = digest, ca = "root", san = "DNS:mail.test", digest = digest }
        local channel = hashed(certificate, digest)
        for version in pairs(TYPES) do
          local result = outcome(certificate, version, channel)
          assert.is_nil(result.failure)
          assert.same({ "AUTH 235 [2.7.0] welcome" }, script.last_events(result, 1))
        end
        local altered = channel:sub(1, -2) .. string.char((channel:byte(-1) + 1) % 256)
        assert.has_error(function() outcome(certificate, "TLSv1.3", altered) end)
      end)
    end

    it("is none where its signature has no hash of its own", function()
      pki:ca("edwards", { key = "ed25519" })
      local certificate = pki:leaf { name = "edwards leaf", ca = "edwards", san = "DNS:mail.test" }
      local context = assert(core.context { role = "server", cert = certificate.chain, key = certificate.key })
      local conn = script.play {
        options = { tls = "implicit", server_name = "mail.test", port = "465",
          context = assert(core.context { ca_file = pki.authorities.edwards.cert }) },
        client = { "event", "event" }, peer = { { tls = context }, { reply = "220 mail.test\r\n" } },
      }.conn
      assert.is_nil(conn:binding "tls-server-end-point")
      assert.equal("tls-exporter", conn:binding())
    end)
  end)
end)
