-- Chains, dates, purposes, strengths: each refusal beside the certificate that passes.
local core = require "smtpsec.core"
local pki_new = require "spec.support.pki".new
local pair = require "spec.support.tls_pair"

local NAME = "mail.example.test"

describe("certificate verification", function()
  local pki, trust

  setup(function()
    pki = pki_new()
    pki:ca("root")
    pki:ca("stranger")
    trust = pki.authorities.root.cert
  end)

  teardown(function()
    pki:remove()
  end)

  local function leaf(name, flaw)
    local o = { name = name, ca = "root", san = "DNS:" .. NAME }
    for k, v in pairs(flaw or {}) do
      o[k] = v
    end
    return pki:leaf(o)
  end

  -- A client that trusts `ca_file` meets a server that shows `certificate`.
  local function meet(certificate, ca_file, peer)
    local server = assert(core.context { role = "server", cert = certificate.chain, key = certificate.key })
    local client = assert(core.context { ca_file = ca_file or trust })
    local filter = assert(core.tls_client(client, peer or { server_name = NAME }))
    local other = assert(core.tls_server(server))
    local result, seen = pair.handshake(filter, other)
    return filter, result, other, seen
  end

  local function accepted(...)
    local filter, result = meet(...)
    assert.is_true(result[1], result[3])
    assert.equal("pkix", filter:facts().authenticated)
  end

  -- The handshake fails for `reason`, the server is told so by an alert, and nothing can be written.
  local function refused(reason, ...)
    local filter, result, _, seen = meet(...)
    assert.is_nil(result[1])
    assert.equal("tls", result[2])
    assert.equal(reason, result[4])
    assert.matches(reason, result[3], 1, true)
    assert.matches("alert", seen[3])
    assert.is_false(filter:facts().authenticated)
    assert.equal("tls", select(2, filter:write("secret")))
    assert.equal("", filter:output())
  end

  it("accepts a certificate of a trusted authority", function()
    accepted(leaf("good"))
  end)

  it("accepts a chain with an intermediate authority, and not without it", function()
    pki:ca("middle", { ca = "root" })
    local good = leaf("below", { ca = "middle" })
    accepted(good)
    refused("unable to get local issuer certificate", { chain = good.cert, key = good.key })
  end)

  it("refuses an expired certificate", function()
    local now = os.time()
    accepted(leaf("almost", { not_before = now - 7200, not_after = now + 3600 }))
    refused("certificate has expired", leaf("expired", { not_before = now - 7200, not_after = now - 3600 }))
  end)

  it("refuses a certificate that is not yet valid", function()
    refused("certificate is not yet valid", leaf("early", { not_before = os.time() + 3600 }))
  end)

  it("refuses a certificate below an expired authority", function()
    local now = os.time()
    pki:ca("past", { ca = "root", not_before = now - 7200, not_after = now - 3600 })
    refused("certificate has expired", leaf("orphan", { ca = "past" }))
  end)

  it("refuses a self-signed certificate, unless it is the trusted one", function()
    local own = leaf("own", { ca = false })
    refused("self-signed certificate", own)
    accepted(own, own.cert)
  end)

  it("refuses an unknown authority, also when its root is shown", function()
    local certificate = leaf("foreign", { ca = "stranger" })
    refused("unable to get local issuer certificate", certificate)
    certificate.chain = pki:bundle("foreign.whole", certificate.cert, pki.authorities.stranger.cert)
    refused("self-signed certificate in certificate chain", certificate)
    accepted(certificate, pki.authorities.stranger.cert)
  end)

  it("refuses a certificate whose only name is its common name", function()
    refused("hostname mismatch", leaf("cn", { cn = NAME, san = false }))
  end)

  it("refuses a certificate for another purpose", function()
    accepted(leaf("both", { eku = "clientAuth,serverAuth" }))
    accepted(leaf("any purpose", { eku = false }))
    refused("unsuitable certificate purpose", leaf("client only", { eku = "clientAuth" }))
    refused("unsuitable certificate purpose", leaf("mail", { eku = "emailProtection" }))
  end)

  it("refuses a leaf that plays authority", function()
    local forged = { leaf("usurper"), leaf("usurper who may sign", { ext = "keyUsage = keyCertSign" }) }
    for i, usurper in ipairs(forged) do
      -- Given the part of an authority by this PKI only; its certificate says CA:FALSE.
      pki:ca("throne" .. i, { ca = "root" })
      local throne = pki.authorities["throne" .. i]
      throne.cert, throne.key, throne.parents = usurper.cert, usurper.key, io.open(usurper.cert):read("*a")
      local _, result = meet(leaf("vassal" .. i, { ca = "throne" .. i }))
      assert.is_nil(result[1])
      assert.equal("invalid CA certificate", result[4])
    end
  end)

  it("refuses an authority that RFC 5280 would not have made", function()
    pki:ca("lax", { ca = "root", ext = "basicConstraints = CA:TRUE" })
    refused("Basic Constraints of CA cert not marked critical", leaf("below lax", { ca = "lax" }))
  end)

  it("follows a chain over ten authorities, not over more", function()
    local above = "root"
    for i = 1, 11 do
      pki:ca("step" .. i, { ca = above })
      above = "step" .. i
    end
    accepted(leaf("near enough", { ca = "step10" }))
    refused("certificate chain too long", leaf("too far away", { ca = "step11" }))
  end)

  it("obeys an authority's path length", function()
    pki:ca("short", { ca = "root", ext = "basicConstraints = critical,CA:TRUE,pathlen:0" })
    accepted(leaf("short leaf", { ca = "short" }))
    pki:ca("too far", { ca = "short" })
    refused("path length constraint exceeded", leaf("far leaf", { ca = "too far" }))
  end)

  it("obeys an authority's name constraints", function()
    pki:ca("fenced", { ca = "root", ext = "nameConstraints = critical,permitted;DNS:example.test" })
    accepted(leaf("inside", { ca = "fenced" }))
    pki:ca("elsewhere", { ca = "root", ext = "nameConstraints = critical,permitted;DNS:other.test" })
    refused("permitted subtree violation", leaf("outside", { ca = "elsewhere" }))
  end)

  it("refuses a critical extension that it does not know", function()
    accepted(leaf("remark", { ext = "1.2.3.4 = ASN1:UTF8String:remark" }))
    refused("unhandled critical extension", leaf("demand", { ext = "1.2.3.4 = critical,ASN1:UTF8String:demand" }))
  end)

  it("refuses weak keys and digests in the chain", function()
    pki:ca("small", { key = "rsa:1024" })
    refused("CA certificate key too weak", leaf("below small", { ca = "small" }), pki.authorities.small.cert)
    local old = pki:ca("old", { ca = "root", digest = "sha1" })
    local certificate = leaf("below old", { ca = "old" })
    certificate.chain = certificate.cert
    refused("CA signature digest algorithm too weak", certificate, pki:bundle("old trust", old.cert, trust))
    accepted(leaf("rsa", { key = "rsa:2048" }))
  end)

  it("trusts a folder of hashed certificates as it trusts a file", function()
    local context = assert(core.context { ca_path = pki:hashed("folder", trust) })
    local certificate = leaf("hashed")
    local server = assert(core.context { role = "server", cert = certificate.chain, key = certificate.key })
    local filter = core.tls_client(context, { server_name = NAME })
    assert.is_true(pair.handshake(filter, core.tls_server(server))[1])
  end)

  it("trusts nothing but the system's store when nothing is named", function()
    local certificate = leaf("private")
    local server = assert(core.context { role = "server", cert = certificate.chain, key = certificate.key })
    local filter = core.tls_client(assert(core.context {}), { server_name = NAME })
    assert.equal("unable to get local issuer certificate", pair.handshake(filter, core.tls_server(server))[4])
  end)

  describe("that is not required", function()
    it("goes on with a stranger, and reports why it is one", function()
      local filter, result, other = meet(leaf("self", { ca = false }), nil, { server_name = NAME, verify = "none" })
      assert.is_true(result[1])
      assert.is_false(filter:facts().authenticated)
      assert.equal("self-signed certificate", filter:facts().reason)
      assert.equal("250 ok", (pair.send(other, filter, "250 ok")))
    end)

    it("reports the proof where there is one", function()
      local filter = meet(leaf("fine"), nil, { server_name = NAME, verify = "none" })
      assert.equal("pkix", filter:facts().authenticated)
      assert.is_nil(filter:facts().reason)
    end)

    it("proves nothing without a name", function()
      local filter, result = meet(leaf("nameless"), nil, { verify = "none" })
      assert.is_true(result[1])
      assert.is_false(filter:facts().authenticated)
      assert.matches("no name", filter:facts().reason)
    end)
  end)
end)
