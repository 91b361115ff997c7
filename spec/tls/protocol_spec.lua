-- What a peer may do on the wire, cut in every way, and what it may not.
local core = require "smtpsec.core"
local pki_new = require "spec.support.pki".new
local pair = require "spec.support.tls_pair"

local NAME = "mail.example.test"

describe("the TLS protocol", function()
  local pki, leaf, client, server

  setup(function()
    pki = pki_new()
    pki:ca("root")
    leaf = pki:leaf { name = NAME, ca = "root" }
    client = assert(core.context { ca_file = pki.authorities.root.cert })
    server = assert(core.context { role = "server", cert = leaf.chain, key = leaf.key })
  end)

  teardown(function()
    pki:remove()
  end)

  local function new_client(settings)
    if settings then
      settings.ca_file = pki.authorities.root.cert
    end
    return core.tls_client(settings and assert(core.context(settings)) or client, { server_name = NAME })
  end

  local function new_server(settings)
    if settings then
      settings.role, settings.cert, settings.key = "server", leaf.chain, leaf.key
    end
    return core.tls_server(settings and assert(core.context(settings)) or server)
  end

  -- Two ends whose handshake is done.
  local function joined(client_settings, server_settings, size)
    local near, far = new_client(client_settings), new_server(server_settings)
    local result = pair.handshake(near, far, size)
    assert.is_true(result[1], result[3])
    return near, far
  end

  describe("is the same at every split of the bytes:", function()
    for _, version in ipairs { "TLSv1.2", "TLSv1.3" } do
      for _, size in ipairs { 1, 2, 3, 5, 7, 100, 1000, 65536 } do
        it(("%s, %d at a time"):format(version, size), function()
          local near, far = joined(nil, { max_version = version }, size)
          assert.equal(version, near:facts().version)
          local big = ("0123456789"):rep(size < 5 and 2000 or 20000)
          assert.equal(big, (pair.send(near, far, big, size)))
          assert.equal(big, (pair.send(far, near, big, size)))
        end)
      end
    end
  end)

  it("delivers what came in one piece with the end of the handshake", function()
    for _, version in ipairs { "TLSv1.2", "TLSv1.3" } do
      local near, far = new_client(), new_server { max_version = version }
      near:handshake()
      repeat
        far:feed(near:output())
        near:consumed(#near:output())
        local done = far:handshake()
        if done then
          far:write("220 hello\r\n")
        end
        near:feed(far:output())
        far:consumed(#far:output())
        near:handshake()
      until done
      assert.equal("220 hello\r\n", (pair.drain(near)))
    end
  end)

  it("moves nothing before the handshake is done", function()
    local near = new_client()
    assert.equal("state", select(2, near:write("MAIL")))
    assert.equal("state", select(2, near:read()))
    assert.equal("", near:output())
  end)

  it("takes what fits, and asks to be drained", function()
    local near, far = joined()
    local block, sent, received = ("x"):rep(100000), 0, 0
    repeat
      local taken, status = near:write(block)
      sent = sent + (taken or 0)
    until not taken or status
    assert.equal("full", select(2, near:write("x")))
    assert.is_true(#near:output() <= 256 * 1024 and sent > 200 * 1024)
    received = received + #pair.send(near, far, "")
    assert.equal(sent, received)
    assert.equal(1, near:write("x"))
  end)

  it("bounds what may be fed without being read", function()
    local near, far = joined()
    local fed = 0
    repeat
      far:write(("x"):rep(16384))
      local bytes = far:output()
      local ok, status = near:feed(bytes)
      if ok then
        fed = fed + #bytes
        far:consumed(#bytes)
      end
    until not ok or status
    assert.equal("full", select(2, near:feed(far:output())))
    assert.is_true(fed <= 256 * 1024)
    assert.is_true(#pair.drain(near) > 200 * 1024)
    assert.is_true(near:feed(far:output()))
  end)

  describe("ends", function()
    for _, version in ipairs { "TLSv1.2", "TLSv1.3" } do
      it("cleanly by close_notify, in " .. version, function()
        local near, far = joined(nil, { max_version = version })
        far:write("221 bye")
        far:close_notify()
        local text, status = pair.send(far, near, "")
        assert.equal("221 bye", text)
        assert.equal("closed", status)
        assert.is_true(near:closed_cleanly())
        assert.equal("closed", select(2, near:write("NOOP")))
        near:close_notify()
        assert.equal("closed", select(2, pair.send(near, far, "")))
        assert.is_true(far:closed_cleanly())
      end)

      it("by a cut that is seen as one, in " .. version, function()
        local near, far = joined(nil, { max_version = version })
        far:write("250 half a")
        near:feed(far:output())
        near:feed("")
        local text, status, message, reason = pair.drain(near)
        assert.equal("250 half a", text)
        assert.equal("closed", status)
        assert.matches("cut", message)
        assert.equal("unexpected eof while reading", reason)
        assert.is_false(near:closed_cleanly())
        local alert = near:output()
        near:close_notify()
        assert.equal(alert, near:output())
      end)
    end

    it("by a cut in the middle of a record", function()
      local near, far = joined()
      far:write("250 ok")
      near:feed(far:output():sub(1, -2))
      assert.equal("again", select(2, near:read()))
      near:feed("")
      assert.equal("closed", select(2, near:read()))
      assert.is_false(near:closed_cleanly())
    end)

    it("with nothing more to say after close_notify", function()
      local near, far = joined()
      near:close_notify()
      assert.equal("state", select(2, near:write("NOOP")))
      assert.equal("250 late", (pair.send(far, near, "250 late")))
    end)

    it("at any point of the handshake", function()
      -- The answer to the client's hello is cut after `at` bytes; nil when it is not that long.
      local function cut(version, at)
        local near, far = new_client(), new_server { max_version = version }
        near:handshake()
        far:feed(near:output())
        far:handshake()
        near:feed(far:output():sub(1, at))
        local first = select(2, near:handshake())
        near:feed("")
        local _, status, text = near:handshake()
        if at >= #far:output() then
          return nil
        end
        assert.is_false(near:facts().authenticated)
        return { first, status, text }
      end
      local expected = { "again", "closed", "the peer closed the connection during the TLS handshake" }
      for _, version in ipairs { "TLSv1.2", "TLSv1.3" } do
        local at = 1
        local outcome = cut(version, at)
        while outcome do
          assert.same(expected, outcome)
          at = at + (at < 10 and 1 or 29)
          outcome = cut(version, at)
        end
        assert.is_true(at > 500)
      end
    end)
  end)

  describe("is not plain text:", function()
    for _, greeting in ipairs {
      "220 mail.example.test ESMTP\r\n", "2", "+OK\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "* OK IMAP4\r\n", "\0",
      "\255",
    } do
      it(("a peer that begins %q is told from one that speaks TLS"):format(greeting:sub(1, 8)), function()
        for _, drained in ipairs { false, true } do
          local near = new_client()
          near:handshake()
          if drained then
            near:consumed(#near:output())
          end
          local ok, status, _, reason = near:feed(greeting)
          assert.is_nil(ok)
          assert.equal("tls", status)
          assert.equal("peer does not speak TLS", reason)
          assert.equal("", near:output())
          assert.equal(reason, select(4, near:handshake()))
        end
      end)
    end

    it("one byte at a time, too", function()
      local near = new_client()
      near:handshake()
      assert.is_true(near:feed("\22"))
      assert.equal("again", select(2, near:handshake()))
      assert.equal("peer does not speak TLS", select(4, near:feed("2")))
    end)

    it("a server tells a client that speaks plain text", function()
      assert.equal("peer does not speak TLS", select(4, new_server():feed("EHLO me\r\n")))
    end)

    it("and never becomes it again", function()
      local near, far = joined()
      far:write("250 ok")
      near:feed(far:output() .. "250 injected\r\n")
      local text, status = pair.drain(near)
      assert.equal("250 ok", text)
      assert.equal("tls", status)
      near, far = joined()
      far:close_notify()
      near:feed(far:output() .. "250 injected\r\n")
      text, status = pair.drain(near)
      assert.equal("", text)
      assert.equal("closed", status)
    end)
  end)

  it("refuses an altered byte wherever it is", function()
    local _, far = joined()
    far:write("250 ok")
    local length = #far:output()
    for at = 1, length do
      local near, other = joined()
      other:write("250 ok")
      local bytes = other:output()
      bytes = bytes:sub(1, at - 1) .. string.char((bytes:byte(at) + 1) % 256) .. bytes:sub(at + 1)
      near:feed(bytes)
      near:feed("")
      local text, status = pair.drain(near)
      assert.equal("", text)
      assert.is_true(status == "tls" or status == "closed")
    end
  end)

  it("refuses junk in the shape of records", function()
    for _, junk in ipairs { "\22\3\3\0\4junk", "\22\3\3\255\255", "\21\3\3\0\2\2\40", "\22\3\9\0\5\2\0\0\1\0" } do
      local near = new_client()
      near:handshake()
      near:feed(junk)
      local ok, status = near:handshake()
      assert.is_nil(ok)
      assert.equal("tls", status)
    end
  end)

  local function u16(n)
    return string.char(math.floor(n / 256), n % 256)
  end

  local function record(version, body)
    return "\22" .. version .. u16(#body) .. body
  end

  local function handshake_message(kind, body)
    return string.char(kind) .. "\0" .. u16(#body) .. body
  end

  -- A ServerHello made by hand: the version, cipher, compression and extensions that a server of old would choose.
  local function server_hello(o)
    local version, extensions = o.version or "\3\3", o.extensions or "\255\1\0\1\0"
    local body = version .. (o.random or ("R"):rep(32)) .. "\0" .. (o.cipher or "\192\47") .. (o.compression or "\0")
    return record(version, handshake_message(2, body .. u16(#extensions) .. extensions))
  end

  local function answer(bytes)
    local near = new_client()
    near:handshake()
    near:consumed(#near:output())
    near:feed(bytes)
    local _, status, _, reason = near:handshake()
    return reason or status, near
  end

  describe("refuses a server that", function()
    it("does none of this: no", function()
      assert.equal("again", (answer(server_hello {})))
    end)

    for what, case in pairs {
      ["speaks TLS 1.1"] = { { version = "\3\2" }, "unsupported protocol" },
      ["speaks TLS 1.0"] = { { version = "\3\1" }, "unsupported protocol" },
      ["speaks SSL 3"] = { { version = "\3\0" }, "unsupported protocol" },
      ["chooses RSA key exchange"] = { { cipher = "\0\156" }, "wrong cipher returned" },
      ["chooses finite-field Diffie-Hellman"] = { { cipher = "\0\158" }, "wrong cipher returned" },
      ["chooses a CBC cipher"] = { { cipher = "\192\19" }, "wrong cipher returned" },
      ["chooses no encryption"] = { { cipher = "\192\16" }, "wrong cipher returned" },
      ["compresses"] = { { compression = "\1" }, "compression disabled" },
      ["does not know secure renegotiation"] = { { extensions = "" }, "unsafe legacy renegotiation disabled" },
      ["knows TLS 1.3 but was not asked for it"] = {
        { random = ("R"):rep(24) .. "DOWNGRD\1" }, "inappropriate fallback",
      },
    } do
      it(what, function()
        local reason, near = answer(server_hello(case[1]))
        assert.equal(case[2], reason)
        assert.equal("\21", near:output():sub(1, 1))
      end)
    end

    it("sends a certificate message of a size that no chain has", function()
      assert.equal("excessive message size", (answer(server_hello {} .. record("\3\3", "\11\2\0\0"))))
    end)

    it("never ends its handshake", function()
      local near = new_client()
      near:handshake()
      local requests, fed = record("\3\3", ("\0\0\0\0"):rep(4000)), 0
      repeat
        local ok, status, text = near:feed(requests)
        fed = fed + #requests
        near:handshake()
        near:consumed(#near:output())
        if not ok then
          assert.equal("limit", status)
          assert.matches("handshake", text)
        end
      until not ok
      assert.is_true(fed < 300 * 1024)
    end)
  end)

  describe("settings", function()
    local function fails(client_settings, server_settings)
      local near, far = new_client(client_settings), new_server(server_settings)
      local result = pair.handshake(near, far)
      return result[1] or result[2]
    end

    it("hold a version", function()
      assert.equal("TLSv1.3", joined({ min_version = "TLSv1.3" }):facts().version)
      assert.equal("tls", fails({ min_version = "TLSv1.3" }, { max_version = "TLSv1.2" }))
    end)

    it("hold ciphers and groups", function()
      local near = joined({ ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305", max_version = "TLSv1.2", groups = "P-256" })
      local facts = near:facts()
      assert.equal("ECDHE-ECDSA-CHACHA20-POLY1305", facts.cipher)
      assert.equal("secp256r1", facts.group)
      near = joined({ ciphersuites = "TLS_CHACHA20_POLY1305_SHA256", groups = "P-384" })
      facts = near:facts()
      assert.equal("TLS_CHACHA20_POLY1305_SHA256", facts.cipher)
      assert.equal("secp384r1", facts.group)
      assert.equal("tls", fails({ groups = "P-384" }, { groups = "P-256" }))
      assert.equal("tls", fails({ ciphersuites = "TLS_AES_128_GCM_SHA256", min_version = "TLSv1.3" },
        { ciphersuites = "TLS_AES_256_GCM_SHA384" }))
    end)
  end)

  describe("client certificate", function()
    local mine, foreign

    setup(function()
      mine = pki:leaf { name = "joe", ca = "root", eku = "clientAuth" }
      pki:ca("stranger")
      foreign = pki:leaf { name = "jane", ca = "stranger", eku = "clientAuth" }
    end)

    -- What the server says of a client with these settings, in the version given.
    local function show(settings, version)
      local near = new_client(settings)
      local far = new_server { ca_file = pki.authorities.root.cert, max_version = version }
      local _, result = pair.handshake(near, far)
      return result[1] or result[3], far, near
    end

    for _, version in ipairs { "TLSv1.2", "TLSv1.3" } do
      it("is shown to a server that asks, in " .. version, function()
        local seen, far = show({ cert = mine.chain, key = mine.key }, version)
        assert.is_true(seen)
        assert.equal("CN=joe", far:facts().peer.subject)
        assert.equal("pkix", far:facts().authenticated)
      end)

      it("is missed or refused by such a server, in " .. version, function()
        assert.matches("did not return a certificate", (show({}, version)))
        assert.matches("unable to get local issuer", (show({ cert = foreign.chain, key = foreign.key }, version)))
        assert.matches("unsuitable certificate purpose", (show({ cert = leaf.chain, key = leaf.key }, version)))
      end)
    end

    it("is not shown to a server that does not ask", function()
      local _, far = joined { cert = mine.chain, key = mine.key }
      assert.is_nil(far:facts().peer)
    end)

    it("that is refused after the handshake fails the first read", function()
      local _, _, near = show({}, "TLSv1.3")
      local _, status, _, reason = near:read()
      assert.equal("tls", status)
      assert.equal("tlsv13 alert certificate required", reason)
    end)
  end)

  it("belongs to a filter that is open", function()
    local near = joined()
    near:close()
    near:close()
    for _, method in ipairs { "handshake", "read", "output", "facts", "session" } do
      assert.has_error(function()
        near[method](near)
      end)
    end
  end)

  it("has two roles", function()
    assert.equal("argument", select(2, core.tls_client(server, { server_name = NAME })))
    assert.equal("argument", select(2, core.tls_server(client)))
  end)
end)
