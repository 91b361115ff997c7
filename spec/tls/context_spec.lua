-- Settings of a context: what is wrong is said in one line that names it, and the host cannot weaken what is not set.
local core = require "smtpsec.core"
local pki_new = require "spec.support.pki".new
local process = require "spec.support.process"

describe("a TLS context", function()
  local pki, root, leaf, rsa, locked

  setup(function()
    pki = pki_new()
    root = pki:ca("root")
    leaf = pki:leaf { name = "leaf", ca = "root" }
    rsa = pki:leaf { name = "rsa", ca = "root", key = "rsa:2048" }
    locked = pki:leaf { name = "locked", ca = "root", password = "pässword" }
  end)

  teardown(function()
    pki:remove()
  end)

  local function refused(settings, ...)
    local context, status, text = core.context(settings)
    assert.is_nil(context)
    assert.equal("argument", status)
    assert.not_matches("[\r\n]", text)
    for _, words in ipairs { ... } do
      assert.matches(words, text, 1, true)
    end
  end

  it("needs no settings, and takes all", function()
    assert.is_truthy(core.context {})
    assert.is_truthy(core.context {
      role = "client", ca_file = root.cert, ca_path = pki:hashed("folder", root.cert), crl_file = pki:crl("root"),
      cert = leaf.chain, key = leaf.key, min_version = "TLSv1.2", max_version = "TLSv1.3",
      ciphers = "ECDHE+AESGCM", ciphersuites = "TLS_AES_256_GCM_SHA384", groups = "X25519:P-256",
    })
  end)

  it("names a file that is not there, or is not what it should be", function()
    for _, key in ipairs { "ca_file", "crl_file", "cert" } do
      refused({ [key] = "/nowhere/x.pem", key = key == "cert" and leaf.key or nil }, key, "/nowhere/x.pem",
        "No such file or directory")
      refused({ [key] = leaf.key, key = key == "cert" and leaf.key or nil }, key, leaf.key)
      refused({ [key] = "/", key = key == "cert" and leaf.key or nil }, key)
    end
    refused({ ca_path = "/nowhere" }, "ca_path", "/nowhere")
    refused({ ca_path = pki.dir }, "ca_path", "hashed")
    refused({ cert = leaf.cert, key = "/nowhere/x.key" }, "key", "/nowhere/x.key", "No such file or directory")
    refused({ cert = leaf.cert, key = leaf.cert }, "key", leaf.cert)
  end)

  it("takes the key from the certificate's file where none is named", function()
    assert.is_truthy(core.context { cert = pki:bundle("together", leaf.chain, leaf.key) })
    refused({ cert = leaf.chain }, "key", leaf.chain)
  end)

  it("refuses a key that is another's", function()
    refused({ cert = leaf.cert, key = root.key }, "does not fit", root.key, leaf.cert)
    refused({ cert = leaf.cert, key = rsa.key }, "does not fit", rsa.key, leaf.cert)
    refused({ key = leaf.key }, "key", "no cert")
    refused({ role = "server" }, "cert", "server")
  end)

  it("opens an encrypted key with its password, and never asks the terminal", function()
    assert.is_truthy(core.context { cert = locked.cert, key = locked.key, key_password = "pässword" })
    refused({ cert = locked.cert, key = locked.key }, locked.key, "encrypted", "key_password")
    refused({ cert = locked.cert, key = locked.key, key_password = "" }, locked.key)
    refused({ cert = locked.cert, key = locked.key, key_password = "wrong" }, locked.key)
    local _, _, text = core.context { cert = locked.cert, key = locked.key, key_password = "wrong" }
    assert.not_matches("wrong", text)
  end)

  it("refuses our own certificate when it is too weak", function()
    local weak = pki:leaf { name = "weak", ca = "root", key = "rsa:1024" }
    refused({ cert = weak.cert, key = weak.key }, weak.cert, "ee key too small")
    local old = pki:leaf { name = "old", ca = "root", digest = "sha1" }
    refused({ cert = old.cert, key = old.key }, old.cert, "ca md too weak")
  end)

  it("knows TLS 1.2 and 1.3, and nothing older", function()
    for _, version in ipairs { "TLSv1", "TLSv1.1", "SSLv3", "tlsv1.2", "1.2", "TLSv1.4", "" } do
      refused({ min_version = version }, "min_version", version)
      refused({ max_version = version }, "max_version", version)
    end
    refused({ min_version = "TLSv1.3", max_version = "TLSv1.2" }, "max_version")
  end)

  it("refuses algorithms that are unknown or weak", function()
    refused({ ciphers = "NO-SUCH-CIPHER" }, "ciphers", "NO-SUCH-CIPHER", "no cipher match")
    for _, weak in ipairs { "AES128-GCM-SHA256", "aNULL", "eNULL", "PSK", "RC4", "kRSA" } do
      refused({ ciphers = weak }, "ciphers", weak)
    end
    refused({ ciphers = "ECDHE+AESGCM:@SECLEVEL=1" }, "ciphers", "security level")
    assert.is_truthy(core.context { ciphers = "ECDHE+AESGCM:@SECLEVEL=3" })
    refused({ ciphersuites = "NO_SUCH_SUITE" }, "ciphersuites", "NO_SUCH_SUITE")
    refused({ groups = "no-such-group" }, "groups", "no-such-group")
  end)

  it("refuses values of the wrong type, and paths with a NUL", function()
    for _, settings in ipairs {
      { ca_file = 1 }, { cert = true }, { role = "both" }, { role = 1 }, { ca_file = "a\0b" },
    } do
      assert.has_error(function()
        core.context(settings)
      end)
    end
    assert.has_error(function()
      core.context()
    end)
  end)

  it("can be closed while connections live, but not used", function()
    local context = assert(core.context {})
    local filter = assert(core.tls_client(context, { server_name = "mail.test" }))
    context:close()
    context:close()
    collectgarbage()
    assert.equal("again", select(2, filter:handshake()))
    assert.has_error(function()
      core.tls_client(context, { server_name = "mail.test" })
    end)
  end)

  describe("in a host with other ideas", function()
    local stranger = "unable to get local issuer certificate"

    -- What a client makes of our server, of a server that trusts no more than it did, and of one that knows no secure
    -- renegotiation; in a Lua of its own with this in the environment.
    local function elsewhere(environment)
      local script = process.write(pki.dir .. "/elsewhere.lua", ([[
        local core, pair = require "smtpsec.core", require "spec.support.tls_pair"
        local server = assert(core.context { role = "server", cert = %q, key = %q })
        local function meet(ca_file)
          local near = core.tls_client(assert(core.context { ca_file = ca_file }), { server_name = "leaf" })
          local result = pair.handshake(near, core.tls_server(server))
          return result[1] and near:facts().version or result[4]
        end
        local old = core.tls_client(assert(core.context {}), { server_name = "leaf" })
        old:handshake()
        old:feed("\22\3\3\0\44\2\0\0\40\3\3" .. ("R"):rep(32) .. "\0\192\47\0\0\0")
        io.write(meet(%q), "|", meet(nil), "|", select(4, old:handshake()))
      ]]):format(leaf.chain, leaf.key, root.cert))
      local lua = rawget(_G, "jit") and "luajit" or "lua5.4"
      local pipe = io.popen(("LUA_PATH='%s' LUA_CPATH='%s' %s %s %s 2>&1"):format(
        package.path, package.cpath, environment, lua, script))
      local answer = pipe:read("*a")
      pipe:close()
      return answer
    end

    local as_ever = "TLSv1.3|" .. stranger .. "|unsafe legacy renegotiation disabled"

    it("trusts no roots from the environment", function()
      assert.equal(as_ever, elsewhere(""))
      assert.equal(as_ever, elsewhere("SSL_CERT_FILE=" .. root.cert))
      assert.equal(as_ever, elsewhere("SSL_CERT_DIR=" .. pki:hashed("env", root.cert)))
    end)

    it("keeps its protocol whatever openssl.cnf says", function()
      local path = process.write(pki.dir .. "/openssl.cnf", table.concat({
        "openssl_conf = init", "[init]", "ssl_conf = ssl", "[ssl]", "system_default = all", "[all]",
        "MinProtocol = TLSv1", "MaxProtocol = TLSv1.2", "CipherString = ALL:@SECLEVEL=0",
        "Options = UnsafeLegacyRenegotiation,UnsafeLegacyServerConnect,Compression", "VerifyMode = Request", "",
      }, "\n"))
      assert.equal(as_ever, elsewhere("OPENSSL_CONF=" .. path))
    end)
  end)
end)
