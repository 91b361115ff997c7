-- Against openssl's own server, for what our server will not do: weak certificates, old versions and ciphers,
-- renegotiation, key updates.
local core = require "smtpsec.core"
local sock = require "smtpsec.sock"
local pki_new = require "spec.support.pki".new
local ports = require "spec.support.ports"
local process = require "spec.support.process"

local NAME = "mail.test"

describe("openssl s_server", function()
  local pki, client, good, rsa

  setup(function()
    pki = pki_new()
    pki:ca("root")
    pki:ca("rsa root", { key = "rsa:2048" })
    client = assert(core.context {
      ca_file = pki:bundle("trust", pki.authorities.root.cert, pki.authorities["rsa root"].cert),
    })
    good = pki:leaf { name = "good", cn = NAME, ca = "root" }
    rsa = pki:leaf {
      name = "rsa", cn = NAME, ca = "root", key = "rsa:2048",
      ext = "keyUsage = critical,digitalSignature,keyEncipherment",
    }
  end)

  teardown(function()
    pki:remove()
  end)

  local function dial(server)
    server.stream = assert(sock.connect { host = "127.0.0.1", port = server.port, timeout = 5 })
  end

  -- Starts a server for one connection or more, one after another, and makes the first. What is written to the pipe
  -- it sends, but some letters are commands to it.
  local function start(leaf, options, connections)
    local port = ports.take()
    local pipe = io.popen(process.command {
      "env", "-u", "LD_PRELOAD", "timeout", "20", "openssl", "s_server", "-accept", ("127.0.0.1:%d"):format(port),
      "-naccept", ("%d"):format(connections or 1), "-cert", leaf.cert, "-key", leaf.key,
    } .. " " .. options .. " >" .. process.quote(pki.dir .. "/s_server.log") .. " 2>&1", "w")
    assert(process.wait(function()
      return ports.listening { port }
    end, 5))
    local server = { pipe = pipe, port = port }
    dial(server)
    return server
  end

  local function stop(server)
    server.stream:close()
    server.pipe:close()
  end

  local function flush(filter, stream)
    local bytes = filter:output()
    filter:consumed(#bytes)
    if bytes ~= "" then
      stream:write(bytes, 5)
    end
    return bytes
  end

  -- Calls `step` with bytes from the wire in between until it has an answer that is not "again".
  local function drive(filter, stream, step)
    while true do
      local result = { step(filter) }
      flush(filter, stream)
      if result[1] or result[2] ~= "again" then
        return result
      end
      filter:feed(stream:read(65536, 5) or "")
    end
  end

  local function meet(leaf, options)
    local server = start(leaf, options)
    local filter = assert(core.tls_client(client, { server_name = NAME }))
    local result = drive(filter, server.stream, filter.handshake)
    return result[1] or result[4], filter, server
  end

  local function outcome(leaf, options)
    local result, _, server = meet(leaf, options)
    stop(server)
    return result
  end

  it("is accepted when it does nothing wrong", function()
    assert.is_true(outcome(good, "-tls1_3"))
    assert.is_true(outcome(good, "-tls1_2"))
    assert.is_true(outcome(rsa, "-tls1_2"))
  end)

  it("is refused with a weak key", function()
    local weak = pki:leaf { name = "weak", cn = NAME, ca = "root", key = "rsa:1024" }
    assert.equal("EE certificate key too weak", outcome(weak, "-tls1_3 -cipher ALL:@SECLEVEL=0"))
    assert.equal("EE certificate key too weak", outcome(weak, "-tls1_2 -cipher ALL:@SECLEVEL=0"))
  end)

  it("is refused with a certificate signed with SHA-1 or MD5", function()
    for _, digest in ipairs { "sha1", "md5" } do
      local old = pki:leaf { name = digest, cn = NAME, ca = "rsa root", digest = digest }
      assert.equal("CA signature digest algorithm too weak", outcome(old, "-tls1_3 -cipher ALL:@SECLEVEL=0"))
    end
  end)

  it("is refused with versions before TLS 1.2", function()
    for _, version in ipairs { "-tls1", "-tls1_1" } do
      assert.equal("tlsv1 alert protocol version", outcome(good, version .. " -cipher ALL:@SECLEVEL=0"))
    end
  end)

  it("is refused without forward secrecy, AEAD or a certificate", function()
    local failure = "sslv3 alert handshake failure"
    for _, cipher in ipairs {
      "AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256", "aNULL",
    } do
      assert.equal(failure, outcome(rsa, "-tls1_2 -cipher " .. cipher .. ":@SECLEVEL=0"))
    end
    assert.is_true(outcome(rsa, "-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256"))
  end)

  describe("with a stapled OCSP response", function()
    local careful

    setup(function()
      careful = assert(core.context { ca_file = pki.authorities.root.cert, require_ocsp = true })
    end)

    local function staple(leaf, response, version, peer)
      local server = start(leaf, (version or "-tls1_3") .. (response and " -status_file " .. response or ""))
      peer = peer or { server_name = NAME }
      local filter = assert(core.tls_client(careful, peer))
      local result = drive(filter, server.stream, filter.handshake)
      stop(server)
      return result[1] or result[4], filter:facts()
    end

    local function leaf(name, more)
      local o = { name = name, cn = NAME, ca = "root" }
      for k, v in pairs(more or {}) do
        o[k] = v
      end
      return pki:leaf(o)
    end

    it("is accepted where it is good, and not without it", function()
      local response = pki:ocsp("root", good)
      for _, version in ipairs { "-tls1_2", "-tls1_3" } do
        assert.is_true(staple(good, response, version))
        assert.equal("no OCSP response was stapled", (staple(good, nil, version)))
      end
    end)

    it("is accepted where the authority lets another answer", function()
      local responder = leaf("responder", { cn = "responder", eku = "OCSPSigning" })
      assert.is_true(staple(good, pki:ocsp("root", good, { name = "delegated", signer = responder })))
      local anyone = leaf("anyone", { cn = "anyone" })
      assert.equal("the stapled OCSP response is not the authority's",
        (staple(good, pki:ocsp("root", good, { name = "usurped", signer = anyone }))))
    end)

    it("is refused where it says revoked, or unknown", function()
      local bad = leaf("bad")
      pki:crl("root", { bad })
      assert.equal("certificate revoked", (staple(bad, pki:ocsp("root", bad))))
      local index = pki.dir .. "/root/index"
      local known = process.read(index)
      process.write(index, "")
      local response = pki:ocsp("root", good, { name = "unknown" })
      process.write(index, known)
      assert.equal("the authority does not know the certificate", (staple(good, response)))
    end)

    it("is refused where it is of another certificate, or without an end", function()
      local other = leaf("other")
      assert.equal("the stapled OCSP response is of another certificate", (staple(good, pki:ocsp("root", other))))
      assert.equal("the stapled OCSP response is out of date",
        (staple(good, pki:ocsp("root", good, { name = "endless", days = false }))))
    end)

    it("is resumed without a new one", function()
      for _, version in ipairs { "-tls1_2", "-tls1_3" } do
        local options = version .. " -status_file " .. pki:ocsp("root", good)
        local server, session, facts = start(good, options, 2), nil, nil
        for connection = 1, 2 do
          local filter = assert(core.tls_client(careful, { server_name = NAME, session = session }))
          assert.is_true(drive(filter, server.stream, filter.handshake)[1])
          server.pipe:write("hello\n")
          server.pipe:flush()
          assert.equal("hello\n", drive(filter, server.stream, filter.read)[1])
          session, facts = filter:session(), filter:facts()
          assert.equal("pkix", facts.authenticated)
          if connection == 1 then
            filter:close_notify()
            flush(filter, server.stream)
            server.stream:close()
            dial(server)
          end
        end
        assert.is_true(facts.resumed)
        stop(server)
      end
    end)

    it("is only reported where nothing is required", function()
      local result, facts = staple(good, nil, nil, { server_name = NAME, verify = "none" })
      assert.is_true(result)
      assert.is_false(facts.authenticated)
      assert.equal("no OCSP response was stapled", facts.reason)
    end)
  end)

  it("cannot renegotiate", function()
    local result, filter, server = meet(good, "-tls1_2 -legacy_renegotiation")
    assert.is_true(result)
    server.pipe:write("r\n")
    server.pipe:flush()
    filter:feed(server.stream:read(65536, 5))
    assert.equal("again", select(2, filter:read()))
    -- An alert (21), no ClientHello (22); after it the server gives up.
    assert.equal("\21", flush(filter, server.stream):sub(1, 1))
    assert.equal("tls", drive(filter, server.stream, filter.read)[2])
    stop(server)
  end)

  it("may change its keys", function()
    local result, filter, server = meet(good, "-tls1_3")
    assert.is_true(result)
    server.pipe:write("K\n")
    server.pipe:flush()
    process.sleep(0.05)
    server.pipe:write("after\n")
    server.pipe:flush()
    assert.equal("after\n", drive(filter, server.stream, filter.read)[1])
    assert.equal(5, filter:write("hello"))
    flush(filter, server.stream)
    assert.is_truthy(process.wait(function()
      return process.read(pki.dir .. "/s_server.log"):find("hello", 1, true)
    end, 5))
    stop(server)
  end)

  it("cannot ask for a certificate after the handshake", function()
    local result, filter, server = meet(good, "-tls1_3")
    assert.is_true(result)
    server.pipe:write("c\n")
    server.pipe:flush()
    process.sleep(0.05)
    server.pipe:write("after\n")
    server.pipe:flush()
    assert.equal("after\n", drive(filter, server.stream, filter.read)[1])
    stop(server)
  end)
end)
