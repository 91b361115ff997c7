-- What a receipt says of TLS is what openssl's own tools say, and nothing in it can act on a terminal.
local core = require "smtpsec.core"
local pki_new = require "spec.support.pki".new
local pair = require "spec.support.tls_pair"

describe("the facts of a connection", function()
  local pki, client

  setup(function()
    pki = pki_new()
    pki:ca("root")
    client = assert(core.context { ca_file = pki.authorities.root.cert })
  end)

  teardown(function()
    pki:remove()
  end)

  local function facts_of(options)
    options.ca = "root"
    local leaf = pki:leaf(options)
    local server = assert(core.context { role = "server", cert = leaf.chain, key = leaf.key })
    local filter = core.tls_client(client, { server_name = "mail.test", verify = "none" })
    pair.handshake(filter, core.tls_server(server))
    return filter:facts(), leaf
  end

  local function openssl(command, file)
    local pipe = io.popen("openssl x509 -noout -in '" .. file .. "' " .. command)
    local text = pipe:read("*a")
    pipe:close()
    return (text:gsub("%s+$", ""))
  end

  it("agree with openssl", function()
    local facts, leaf = facts_of {
      name = "plain", cn = "mail.test",
      san = { "DNS:mail.test", "DNS:*.mail.test", "IP:192.0.2.1", "IP:2001:db8::a", "email:a@mail.test" },
      not_after = os.time { year = 2031, month = 3, day = 4, hour = 12 },
    }
    assert.equal("TLSv1.3", facts.version)
    assert.equal("TLS_AES_128_GCM_SHA256", facts.cipher)
    assert.equal("x25519", facts.group)
    assert.equal("pkix", facts.authenticated)
    assert.is_false(facts.resumed)
    assert.is_nil(facts.reason)
    assert.equal("CN=mail.test", facts.peer.subject)
    assert.same({ "mail.test", "*.mail.test", "192.0.2.1", "2001:db8:0:0:0:0:0:a" }, facts.peer.names)
    assert.matches("^2031%-03%-0%dT%d%d:00:00Z$", facts.peer.expires)
    local digest = openssl("-fingerprint -sha256", leaf.cert):match("=(.*)"):gsub(":", ""):lower()
    assert.equal(digest, facts.peer.sha256)
    assert.equal(pki:pin(leaf), facts.peer.pin)
  end)

  it("show a subject as UTF-8, and escape what could act", function()
    local function subject_of(cn)
      return facts_of({ name = "subject", cn = cn, san = "DNS:mail.test" }).peer.subject
    end
    assert.equal("CN=メール", subject_of "メール")
    assert.equal("CN=a\\xE2\\x80\\xAEb", subject_of "a\226\128\174b")
  end)

  it("show control characters in a name as what they are", function()
    local value = "mail\27[31m.test"
    local name = string.char(0x82, #value) .. value
    local der = (string.char(0x30, #name) .. name):gsub(".", function(c)
      return ("%02X"):format(c:byte())
    end)
    assert.same({ "mail\\x1B[31m.test" }, facts_of({ name = "escape", san = "DER:" .. der }).peer.names)
  end)

  it("stay of one size however many names there are", function()
    local names = {}
    for i = 1, 400 do
      names[i] = ("DNS:host-%03d.example.test"):format(i)
    end
    local found = facts_of({ name = "many", san = names }).peer.names
    assert.is_true(#found > 100 and #found < 400)
    assert.equal("host-001.example.test", found[1])
  end)

  it("are known before and after a failure as far as it got", function()
    local filter = core.tls_client(client, { server_name = "mail.test" })
    assert.same({ authenticated = false, resumed = false }, filter:facts())
    local leaf = pki:leaf { name = "wrong.test", ca = "root" }
    local server = assert(core.context { role = "server", cert = leaf.chain, key = leaf.key })
    pair.handshake(filter, core.tls_server(server))
    local facts = filter:facts()
    assert.is_false(facts.authenticated)
    assert.equal("hostname mismatch", facts.reason)
    assert.same({ "wrong.test" }, facts.peer and facts.peer.names)
  end)
end)
