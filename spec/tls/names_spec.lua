-- Which names a certificate may bear for which host: RFC 9525, RFC 7817.
local core = require "smtpsec.core"
local pki_new = require "spec.support.pki".new
local pair = require "spec.support.tls_pair"

describe("the server's name", function()
  local pki, client
  local made = {}

  setup(function()
    pki = pki_new()
    pki:ca("root")
    client = assert(core.context { ca_file = pki.authorities.root.cert })
  end)

  teardown(function()
    pki:remove()
  end)

  -- A server whose certificate has this subjectAltName.
  local function server(san)
    if not made[san] then
      local leaf = pki:leaf { name = "leaf" .. #made, cn = "common.example.test", ca = "root", san = san }
      made[#made + 1] = leaf
      made[san] = assert(core.context { role = "server", cert = leaf.chain, key = leaf.key })
    end
    return core.tls_server(made[san])
  end

  local function meet(san, name)
    local filter = assert(core.tls_client(client, { server_name = name }))
    return pair.handshake(filter, server(san))
  end

  local function matches(san, name)
    it(("%s fits a certificate for %s"):format(name, san), function()
      local result = meet(san, name)
      assert.is_true(result[1], result[3])
    end)
  end

  local function differs(san, name, reason)
    it(("%s does not fit a certificate for %s"):format(name, san), function()
      local result = meet(san, name)
      assert.is_nil(result[1])
      assert.equal(reason or "hostname mismatch", result[4])
    end)
  end

  matches("DNS:mail.example.test", "mail.example.test")
  matches("DNS:mail.example.test", "MAIL.Example.TEST")
  matches("DNS:mail.example.test", "mail.example.test.")
  matches("DNS:other.test,DNS:mail.example.test", "mail.example.test")
  differs("DNS:mail.example.test", "other.example.test")
  differs("DNS:mail.example.test", "example.test")
  differs("DNS:mail.example.test", "a.mail.example.test")
  differs("email:mail.example.test@mail.example.test", "common.example.test")

  matches("DNS:*.example.test", "mail.example.test")
  differs("DNS:*.example.test", "example.test")
  differs("DNS:*.example.test", "a.mail.example.test")
  differs("DNS:ma*.example.test", "mail.example.test")
  differs("DNS:*il.example.test", "mail.example.test")
  differs("DNS:mail.*.test", "mail.example.test")
  differs("DNS:*.*.test", "mail.example.test")
  differs("DNS:*", "mail.example.test")
  differs("DNS:*", "localhost")
  differs("DNS:*.test", "example.test")
  differs("DNS:.example.test", "mail.example.test")

  matches("IP:127.0.0.1", "127.0.0.1")
  matches("IP:::1", "::1")
  matches("IP:2001:db8::1", "2001:DB8:0:0::1")
  differs("IP:127.0.0.1", "127.0.0.2", "IP address mismatch")
  differs("DNS:127.0.0.1", "127.0.0.1", "IP address mismatch")
  differs("DNS:*.0.0.1", "127.0.0.1", "IP address mismatch")
  differs("IP:127.0.0.1", "localhost")

  it("is compared whole: a NUL does not end it", function()
    local value = "mail.example.test\0.evil.test"
    local name = string.char(0x82, #value) .. value
    local der = (string.char(0x30, #name) .. name):gsub(".", function(c)
      return ("%02X"):format(c:byte())
    end)
    local result = meet("DER:" .. der, "mail.example.test")
    assert.is_nil(result[1])
    assert.equal("hostname mismatch", result[4])
  end)

  it("is announced by SNI, an address never", function()
    local function hello(name)
      local filter = assert(core.tls_client(client, { server_name = name }))
      filter:handshake()
      return filter:output()
    end
    assert.matches("mail.example.test", hello("mail.example.test"), 1, true)
    assert.not_matches("127.0.0.1", hello("127.0.0.1"), 1, true)
    assert.not_matches("test.", hello("mail.example.test."), 1, true)
  end)

  it("must be one", function()
    for _, name in ipairs {
      "", ".", "a..b", ".example.test", "a b", "a/b", "*.example.test", "ünal.test", "[::1]", "127.1", "0177.0.0.1",
      "127.0.0.1 ", " 127.0.0.1", "1.2.3.4.5", "::g", "fe80::1%eth0", ("a"):rep(64) .. ".test",
      ("a."):rep(127) .. "b",
    } do
      local filter, status, text = core.tls_client(client, { server_name = name })
      assert.is_nil(filter, name)
      assert.equal("argument", status)
      assert.matches("name", text)
    end
    assert.is_nil(core.tls_client(client, {}))
    assert.has_error(function()
      core.tls_client(client, { server_name = "mail.example.test\0.evil.test" })
    end)
  end)
end)
