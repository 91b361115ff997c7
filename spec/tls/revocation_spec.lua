-- A revocation list that is given is used, and one that is missing is a refusal.
local core = require "smtpsec.core"
local pki_new = require "spec.support.pki".new
local pair = require "spec.support.tls_pair"

describe("revocation", function()
  local pki, root, good, bad

  setup(function()
    pki = pki_new()
    root = pki:ca("root")
    pki:ca("other")
    good = pki:leaf { name = "good.test", ca = "root" }
    bad = pki:leaf { name = "bad.test", ca = "root" }
  end)

  teardown(function()
    pki:remove()
  end)

  local function meet(leaf, crl_file)
    local server = assert(core.context { role = "server", cert = leaf.chain, key = leaf.key })
    local client = assert(core.context { ca_file = root.cert, crl_file = crl_file })
    local filter = assert(core.tls_client(client, { server_name = leaf.name }))
    local result = pair.handshake(filter, core.tls_server(server))
    return result[1] or result[4]
  end

  it("accepts what the list does not name, and refuses what it does", function()
    assert.is_true(meet(bad))
    local crl = pki:crl("root", { bad })
    assert.is_true(meet(good, crl))
    assert.equal("certificate revoked", meet(bad, crl))
  end)

  it("refuses everything when the list is of another authority", function()
    assert.equal("unable to get certificate CRL", meet(good, pki:crl("other")))
  end)

  it("refuses everything when the list is out of date", function()
    local old = pki:crl("root", nil, { name = "old", last_update = os.time() - 7200, next_update = os.time() - 3600 })
    assert.equal("CRL has expired", meet(good, old))
  end)

  it("wants a list of every authority of the chain", function()
    local middle = pki:ca("middle", { ca = "root" })
    local leaf = pki:leaf { name = "leaf.test", ca = "middle" }
    local upper, lower = pki:crl("root"), pki:crl("middle")
    assert.is_true(meet(leaf, pki:bundle("both", upper, lower)))
    assert.equal("unable to get certificate CRL", meet(leaf, upper))
    assert.equal("unable to get certificate CRL", meet(leaf, lower))
    assert.equal("certificate revoked", meet(leaf, pki:bundle("again", pki:crl("root", { middle }), lower)))
  end)

  it("does not take a file without a list for one", function()
    local context, status, text = core.context { ca_file = root.cert, crl_file = root.cert }
    assert.is_nil(context)
    assert.equal("argument", status)
    assert.matches("crl_file", text)
  end)
end)
